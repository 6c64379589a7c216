"""A study tried out before an hour is spent on it: everything is read and planned, one fold trained and attributed.

Nothing is recorded. What `main` would refuse, in whichever step, fails here; what it would only say somewhere in a
report is a warning.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from steps.check.checklist import CheckError, Checklist, CheckWarningError
from steps.configuration import Attribute, Main, Prepare, Train
from steps.errors import UserError
from steps.parameter_types import as_text
from steps.parameters import PARAMETERS, STEPS, Value

if TYPE_CHECKING:
    from steps.core.data.dataset import Dataset
    from steps.core.data.fold import Fold
    from steps.core.models.fold import TrainedFold

PARAMETERS_OK, RECORDINGS, QUALITY, AUDIT = "parameters", "recordings", "data quality", "audit"
FITS, FOLDS, TRAINED, TIME = "what goes together", "folds", "one fold", "time and memory"
_LIMIT_S = 3600.0  # a large source is read, whatever it takes
_MEND = "the line says what to do; the rules are in docs/prepare.md and docs/train.md"
_EPOCHS = 2  # the first one compiles


@dataclass
class _Study:
    """What the checks have found so far, for those that come after."""

    given: dict[str, Value]
    dataset: Dataset | None = None
    folds: list[Fold] = field(default_factory=list)
    fold_s: float = 0.0

    def recordings(self) -> Dataset:
        """The dataset; only called where it was read."""
        assert self.dataset is not None  # noqa: S101
        return self.dataset


def dry_run(checks: Checklist, given: Mapping[str, Value]) -> None:
    """Try out a study.

    Args:
        checks: receives the outcomes.
        given: parameters of ``main``, as far as they were given; the others are at their defaults.
    """
    defaults = {name: PARAMETERS[name].default for name in (*STEPS["main"].parameters, "dataset_uri", "train_run_id")}
    study = _Study({**defaults, **{name: value for name, value in given.items() if name in defaults}})
    for name, probe, needs in (
        (PARAMETERS_OK, _parameters, ()),
        (RECORDINGS, _recordings, (PARAMETERS_OK,)),
        (QUALITY, _quality, (RECORDINGS,)),
        (AUDIT, _audit, (RECORDINGS,)),
        (FITS, _fits, (RECORDINGS,)),
        (FOLDS, _folds, (FITS,)),
        (TRAINED, _one_fold, (FOLDS,)),
        (TIME, _time, (TRAINED,)),
    ):
        checks.run(name, _told(probe, study), mend=_MEND, limit=_LIMIT_S, needs=needs)


def _told(probe: Callable[[_Study], str], study: _Study) -> Callable[[], str]:
    """A probe whose errors for users are findings."""

    def told() -> str:
        try:
            return probe(study)
        except UserError as error:
            raise CheckError(str(error), _MEND) from error

    return told


def _parameters(study: _Study) -> str:
    Main.of(study.given)
    changed = {name: value for name, value in study.given.items() if value != PARAMETERS[name].default}
    changed = {name: value for name, value in changed.items() if name != "cwd"}
    return ", ".join(f"{name}={as_text(value)}" for name, value in changed.items()) or "all at defaults"


def _recordings(study: _Study) -> str:
    from steps.core.readers.load import load_source
    from steps.system.fetched import at_hand

    configuration = Prepare.of(study.given)
    with at_hand(configuration.source) as here:
        dataset = load_source(here.path, **configuration.reading())
    study.dataset = dataset
    found = "; ".join(dataset.manifest().sentences)
    loud = [note.removeprefix("WARNING: ") for note in dataset.notes if note.startswith("WARNING: ")]
    if loud:
        raise CheckWarningError(f"{found}. {' '.join(loud)}", "see to it, or go on if it is meant")
    return f"{found}. {' '.join(dataset.notes)}".strip()


def _quality(study: _Study) -> str:
    from steps.core.quality.document import document
    from steps.core.quality.look import look
    from steps.report.quality import printed

    dataset = study.recordings()
    quality = look(dataset)
    said = printed(document(dataset, quality)).removeprefix("Data quality: ")
    if quality.findings:
        raise CheckWarningError(said, "look at quality.html of a run of prepare; exclude= leaves trials out")
    return said


def _audit(study: _Study) -> str:
    from steps.core.audit import audit
    from steps.report.audit import audit_text

    dataset = study.recordings()
    audited = audit.audit(dataset, seed=Prepare.of(study.given).seed)
    said = audit_text(audit.document(audited), dataset.label_names)
    if said.cautions:
        raise CheckWarningError(" ".join(said.cautions), "docs/audit.md says how to judge it")
    return f"nothing was found ({audited.checks} checks)"


def _fits(study: _Study) -> str:
    """Whether the recordings are what the parameters of later steps need."""
    from steps.core.attribution.asked import asked
    from steps.core.attribution.settings import no_controls
    from steps.core.data.normalise import check_both_classes
    from steps.core.models.settings import class_weights
    from steps.core.models.table import check_binary, check_trial_length

    dataset, configuration = study.recordings(), Main.of(study.given)
    check_trial_length(configuration.model, dataset.timesteps)
    check_both_classes(dataset, configuration.normalise)
    train = Train.of(study.given)
    class_weights(train.class_weight, dataset.labelling)
    if train.controls == "negatives":
        check_binary(dataset, "controls=negatives")
    if configuration.learning_curve:
        check_binary(dataset, "learning_curve=true")
    asked(dataset, Attribute.of(study.given).explained_class)
    if configuration.attribution_baseline == "control" and not dataset.is_control.any():
        raise no_controls()
    return "recordings and parameters of all steps"


def _folds(study: _Study) -> str:
    from steps.core.models.learning_curve import sizes

    train, main = Train.of(study.given), Main.of(study.given)
    study.folds = train.folds(study.recordings())
    if main.learning_curve:
        sizes(study.folds)
    fewest = min(len(fold.training_subjects) for fold in study.folds)
    return f"{len(study.folds)} folds ({train.cv}), each trains on at least {fewest} subjects"


def _one_fold(study: _Study) -> str:
    """Train and attribute the first fold."""
    from dataclasses import replace

    from steps.core.data.normalise import normalised
    from steps.core.models.fit import Engine
    from steps.core.models.fold import train_fold
    from steps.core.models.settings import class_weights
    from steps.core.models.table import MODELS

    train, fold = Train.of(study.given), study.folds[0]
    dataset = normalised(study.recordings(), train.normalise)
    settings = train.fit_settings()
    by_epochs = MODELS[settings.model].features is None
    tried = replace(settings, epochs=min(_EPOCHS, settings.epochs)) if by_epochs else settings
    engine = Engine(
        settings.model,
        dataset.timesteps,
        len(dataset.features),
        precision=settings.precision,
        labelling=dataset.labelling,
    )
    weights = class_weights(train.class_weight, dataset.labelling)
    trained = train_fold(engine, dataset, fold, tried, weights)
    if by_epochs:
        study.fold_s = settings.epochs * _last_epoch_s(trained)
    else:
        study.fold_s = train_fold(engine, dataset, fold, tried, weights).seconds  # compiled by now
    started = time.perf_counter()
    complete = _attributed(study, dataset, trained)
    study.fold_s += time.perf_counter() - started
    return f"{settings.model} trained without subject {fold.test_subjects[0]!r}, tested and attributed; {complete}"


def _last_epoch_s(trained: TrainedFold) -> float:
    stamps = trained.timestamps_ms
    return (stamps[-1] - stamps[-2]) / 1000 if len(stamps) > 1 else trained.seconds


def _attributed(study: _Study, dataset: Dataset, trained: TrainedFold) -> str:
    from steps.core.attribution.fold import attribute_fold

    fold = trained.fold
    result = attribute_fold(
        trained.model,
        dataset.of_subjects(fold.test_subjects),
        dataset.of_subjects(fold.training_subjects),
        dataset.select(dataset.is_control),
        Attribute.of(study.given).settings(),
        name=fold.name,
        test_number=fold.test_number,
        randomise=False,
    )
    return f"completeness error at most {result.completeness['relative_error'].max():.1e}"


def _time(study: _Study) -> str:
    """About how long folds take, and whether they fit into memory."""
    from steps.core.models.settings import process_mib
    from steps.system.capacity import available_mib, worker_count

    train = Train.of(study.given)
    mib = process_mib(train.fit_settings(), study.recordings().values)
    workers = worker_count(train.compute.workers, len(study.folds), mib)
    seconds = study.fold_s * len(study.folds) / workers
    took = f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} minutes"
    found = f"{len(study.folds)} folds in {workers} processes: about {took}, {workers * mib / 1024:.1f} GiB at most"
    if train.compute.is_local and workers * mib > available_mib():
        raise CheckWarningError(f"{found}, of which {available_mib() / 1024:.1f} GiB are free", "use fewer workers")
    return f"{found}, and starting (half a minute)"


def is_asked_for(given: Mapping[str, Value]) -> bool:
    """Whether a source was named: the simulated study needs no trying out."""
    return given["source"] != PARAMETERS["source"].default
