"""Which runs belong together: a study, with everything that is needed to understand it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial

from mlflow import MlflowClient
from mlflow.entities import Run, RunStatus, ViewType
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from steps.errors import UserError, shown
from steps.tracking.session import ENTRY_POINT_TAG
from steps.tracking.spool import model_of
from steps.tracking.store.paging import pages

LATEST, ALL = "latest", "all"
_RUN = re.compile(r"(?:runs:/)?([0-9a-f]{32})(?:/.*)?")
_MODEL = re.compile(r"(?:models:/)?(m-[0-9a-f]{32})(?:/.*)?")
_VERSION = re.compile(r"models:/[^/@]+/\d+")


@dataclass(frozen=True)
class Studies:
    """All runs of a store.

    Attributes:
        runs: by their identifiers.
        makers: of each model, and of each registered version (``models:/name/3``), the run that made it.
    """

    runs: Mapping[str, Run]
    makers: Mapping[str, str]

    @classmethod
    def of(cls, client: MlflowClient, view: int = ViewType.ACTIVE_ONLY) -> Studies:
        """Those of a store.

        Args:
            client: of the store.
            view: whether runs that were deleted count.
        """
        experiments = [one.experiment_id for one in pages(partial(client.search_experiments, ViewType.ALL))]
        runs = pages(partial(client.search_runs, experiments, "", view, 1000)) if experiments else ()
        models = (model for one in experiments for model in pages(partial(client.search_logged_models, [one])))
        makers = {model.model_id: model.source_run_id for model in models if model.source_run_id}
        for registered in pages(client.search_registered_models):
            for version in pages(partial(client.search_model_versions, f"name = '{registered.name}'")):
                if maker := makers.get(model_of(version)):
                    makers[f"models:/{version.name}/{version.version}"] = maker
        return cls({run.info.run_id: run for run in runs}, makers)

    @cached_property
    def children(self) -> Mapping[str, list[str]]:
        """Runs nested right under each run."""
        children: dict[str, list[str]] = defaultdict(list)
        for run_id, run in self.runs.items():
            if parent := run.data.tags.get(MLFLOW_PARENT_RUN_ID):
                children[parent].append(run_id)
        return children

    def find(self, name: str) -> list[str]:
        """The studies, or the run, that a name means; none where nothing of that name is here.

        Args:
            name: identifier of a run, ``latest`` for the newest finished study, or ``all``: every run of every step.
        """
        if name == ALL:
            return [run_id for run_id, run in self.runs.items() if ENTRY_POINT_TAG in run.data.tags]
        if name == LATEST:
            finished = [run for run in self.runs.values() if _is_study(run)]
            newest = max(finished, key=lambda run: run.info.start_time, default=None)
            return [newest.info.run_id] if newest else []
        return [name] if name in self.runs else []

    def together(self, run_ids: list[str]) -> list[str]:
        """The runs, what they are nested in, what is nested in them, and what they say that they used."""
        seen, waiting = dict.fromkeys(run_ids), list(run_ids)
        while waiting:
            run_id = waiting.pop()
            for other in (*self.children.get(run_id, ()), *self.mentioned(self.runs[run_id])):
                if other in self.runs and other not in seen:
                    seen[other] = None
                    waiting.append(other)
        return list(seen)

    def below(self, run_id: str) -> list[str]:
        """A run and all that is nested in it."""
        found = [run_id]
        for one in found:
            found += self.children.get(one, ())
        return found

    def mentioned(self, run: Run) -> Iterator[str]:
        """Runs that a run names: the one it is nested in, and those it used something of."""
        for value in run.data.tags.values():
            yield from self._meant(value)

    def _meant(self, text: str) -> Iterator[str]:
        if match := _RUN.fullmatch(text):
            yield match[1]
        elif (match := _MODEL.fullmatch(text)) and match[1] in self.makers:
            yield self.makers[match[1]]
        elif _VERSION.fullmatch(text) and text in self.makers:
            yield self.makers[text]


def _is_study(run: Run) -> bool:
    is_nested = MLFLOW_PARENT_RUN_ID in run.data.tags  # by `reproduce`
    return run.data.tags.get(ENTRY_POINT_TAG) == "main" and run.info.status == "FINISHED" and not is_nested


def ended(studies: Studies, run_ids: list[str], named: str) -> tuple[list[str], list[str]]:
    """The runs that have ended, and the names of those that have not, or were cut off.

    Raises:
        UserError: the one that was named has not.
    """
    going = [
        run_id
        for run_id in run_ids
        if not RunStatus.is_terminated(RunStatus.from_string(studies.runs[run_id].info.status))
    ]
    if named in going:
        raise UserError(
            f"run_id is {shown(named)}, a run that is still being recorded, or whose process was killed; wait for its "
            "end, or run the same command again"
        )
    return [one for one in run_ids if one not in going], [str(studies.runs[one].info.run_name) for one in going]
