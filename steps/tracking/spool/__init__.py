"""A local store whose content is copied to a tracking server. Other rooms import from here, and no module of it."""

from steps.tracking.spool.logged import note_files, note_folder
from steps.tracking.spool.marks import server_id
from steps.tracking.spool.pull import deleted_on_server, fetch, local_run_id
from steps.tracking.spool.push import Push
from steps.tracking.spool.replicator import Replicator, recording
from steps.tracking.spool.result import SyncResult
from steps.tracking.spool.server_ids import id_on_server, stand_in_experiment, stand_in_run
from steps.tracking.spool.spool import Spool, current, remove, spools

__all__ = [
    "Push",
    "Replicator",
    "Spool",
    "SyncResult",
    "current",
    "deleted_on_server",
    "fetch",
    "id_on_server",
    "local_run_id",
    "note_files",
    "note_folder",
    "recording",
    "remove",
    "server_id",
    "spools",
    "stand_in_experiment",
    "stand_in_run",
]
