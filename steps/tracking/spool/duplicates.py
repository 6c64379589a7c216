"""Removing duplicates from a server."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial

from mlflow import MlflowClient

from steps.tracking.spool.marks import COPY_OF, VERSION, model_of
from steps.tracking.store.paging import every_run, pages


def remove_duplicates(
    local: MlflowClient, server: MlflowClient, experiments: Iterable[str], identifiers: Mapping[str, str]
) -> int:
    """Remove what a server made a second time after we had given up waiting for its answer; returns how many.

    Args:
        local: client of the spool.
        server: client of the server.
        experiments: of the server, those that the spool's runs are in.
        identifiers: what the server calls the spool's runs and models, by what they are known by (tag ``synced_from``).
    """
    kept, removed = set(identifiers.values()), 0
    for experiment in experiments:
        for run in every_run([experiment], f"tags.{COPY_OF} LIKE '%'", client=server):
            if run.data.tags[COPY_OF] in identifiers and run.info.run_id not in kept:
                server.delete_run(run.info.run_id)
                removed += 1
        for model in list(pages(partial(server.search_logged_models, [experiment]))):
            if model.tags.get(COPY_OF) in identifiers and model.model_id not in kept:
                server.delete_logged_model(model.model_id)
                removed += 1
    for registered in local.search_registered_models():
        versions = local.search_model_versions(f"name = '{registered.name}'")
        ours = {version.tags.get(COPY_OF) or model_of(version): version.tags.get(VERSION) for version in versions}
        for version in server.search_model_versions(f"name = '{registered.name}'"):
            number = ours.get(version.tags.get(COPY_OF, ""))
            if number is not None and str(version.version) != number:
                server.delete_model_version(registered.name, version.version)
                removed += 1
    return removed
