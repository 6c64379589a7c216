"""A local store whose content is copied to a tracking server. Other rooms import from here, and no module of it."""

from steps.tracking.spool.known_there import recognise
from steps.tracking.spool.logged import lost_text, missing, note_files, note_folder, noted_files
from steps.tracking.spool.marks import SYNC, is_deleted, model_of, origin_tags, server_id
from steps.tracking.spool.pull import deleted_on_server, fetch, local_run_id
from steps.tracking.spool.push import Push
from steps.tracking.spool.replicator import Replicator, recording
from steps.tracking.spool.result import SyncResult
from steps.tracking.spool.server_ids import id_on_server, stand_in_experiment, stand_in_run
from steps.tracking.spool.spool import Spool, current, remove, spools
from steps.tracking.spool.versions import not_registered_yet

__all__ = [
    "SYNC",
    "Push",
    "Replicator",
    "Spool",
    "SyncResult",
    "current",
    "deleted_on_server",
    "fetch",
    "id_on_server",
    "is_deleted",
    "local_run_id",
    "lost_text",
    "missing",
    "model_of",
    "not_registered_yet",
    "note_files",
    "note_folder",
    "noted_files",
    "origin_tags",
    "recognise",
    "recording",
    "remove",
    "server_id",
    "spools",
    "stand_in_experiment",
    "stand_in_run",
]
