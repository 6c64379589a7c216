"""What is recorded of a registered version: its study's runs, and its files, each checked before it is believed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from mlflow.entities import Run

from steps.core.metrics.comparable import Method
from steps.core.metrics.estimates import as_they_are
from steps.core.metrics.metrics import auc
from steps.core.metrics.predictions import Scores, subject_scores
from steps.core.metrics.sample import Sample
from steps.errors import UserError, shown
from steps.report import evaluations
from steps.tracking import documents, lookup
from steps.tracking.models import loading
from steps.tracking.models.registry import ModelReference

_ROUNDING = 1e-6
_DIGITS = 12


@dataclass(frozen=True)
class Evidence:
    """A registered version and what its study recorded.

    Every attribute is read when it is asked for, and raises `UserError` where it is not there, damaged, or of other
    data than the version; the message says what to do.

    Attributes:
        reference: the version.
    """

    reference: ModelReference

    @cached_property
    def train(self) -> Run:
        """The training."""
        if "train_run_id" not in self.reference.tags:
            raise UserError(
                f"{self.reference.uri} has no tag train_run_id, so what its training was is unknown: it was not "
                "registered by a study; run one (main), which registers its model"
            )
        return self._of_this_data(lookup.find_run("train", self.reference.tags["train_run_id"], ""))

    @cached_property
    def evaluation(self) -> Run:
        """The newest evaluation."""
        return self._of_this_data(evaluations.evaluations_of(self.train)[0])

    @cached_property
    def attribution(self) -> Run:
        """The newest attribution."""
        return self._of_this_data(evaluations.finished_after(self.train, "attribute")[0])

    @cached_property
    def method(self) -> Method:
        """The networks, as they are compared."""
        return evaluations.method_of(self.train)

    @cached_property
    def scores(self) -> Scores:
        """The probabilities of subjects: those whose AUC was recorded."""
        scores = subject_scores(self.method.results)
        recorded = metric(self.evaluation, "subject/auc")
        found = float(auc(Sample(scores, as_they_are(scores)))[0])
        if not abs(found - recorded) < _ROUNDING:
            raise documents.damaged(
                self.evaluation, "results.csv", f"AUC of its subjects is {found:.6f}, recorded was {recorded:.6f}"
            )
        return scores

    @cached_property
    def model(self) -> loading.FinalModel:
        """Network and training reference, compared with their recorded digests."""
        return loading.fetch(self.reference)

    @cached_property
    def signature(self) -> Mapping[str, object]:
        """What whoever calls the model relies on: by name, in and out, and what the numbers mean."""
        trained = self.model.training
        fields = ("features", "units", "time", "time_unit", "time_normalised", "labels", "normalise")
        return {**loading.signature(self.reference), **{name: getattr(trained, name) for name in fields}}

    @property
    def report(self) -> str:
        """URI of the study's report, or else of the evaluation; "" where neither is there."""
        if study := self.reference.tags.get("main_run_id"):
            return f"runs:/{study}/report.html"
        return ""

    @property
    def dataset_digest(self) -> str:
        """Of the data that its numbers are of."""
        return self.reference.tags.get("dataset_digest", "")

    def _of_this_data(self, run: Run) -> Run:
        found = documents.required_tag(run, "dataset_digest")
        if found != self.dataset_digest:
            raise UserError(
                f"{run.data.tags.get('entry_point')} run {run.info.run_id} is of data with digest {found[:_DIGITS]}…, "
                f"{self.reference.uri} says {shown(self.dataset_digest[:_DIGITS])}: they do not belong together; run "
                "the study again"
            )
        return run


def metric(run: Run, name: str) -> float:
    """A metric that a run has to have.

    Raises:
        UserError: it has not, or it is no number.
    """
    value = run.data.metrics.get(name)
    if value is None or not np.isfinite(value):
        raise documents.damaged(run, f"metric {name}", "it is not there" if value is None else f"found {value}")
    return float(value)
