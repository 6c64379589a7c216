"""What a step is given: its parameters as typed values, read once, before anything is recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

from steps.compute.where import Compute
from steps.configuration_base import Configuration as Configuration
from steps.core.attribution.settings import BaselineKind, Method, Settings, check_method
from steps.core.models.table import MODELS, check_learning_curve
from steps.errors import UserError, shown
from steps.parameter_values import LATEST, NONE, Compared
from steps.parameters import PARAMETERS, STEPS, Value

if TYPE_CHECKING:
    from steps.core.data.cross_validation import CrossValidation
    from steps.core.data.dataset import Dataset
    from steps.core.data.fold import Fold
    from steps.core.data.normalise import Normalise
    from steps.core.models.settings import ClassWeights, FitSettings
    from steps.core.readers.choice import Choice
    from steps.core.readers.label_choice import LabelChoice
    from steps.core.readers.simulate import SimulationSize


@dataclass(frozen=True, kw_only=True)
class Prepare(Configuration):
    """Of ``prepare``."""

    source: str
    study: str
    positive_label: str
    label_choice: LabelChoice
    timesteps: int
    max_gap: int
    trim: bool
    choice: Choice
    duplicates: str
    exclude: tuple[tuple[str, ...], ...]
    simulation: SimulationSize
    seed: int

    def __post_init__(self) -> None:
        """Check the number of time points, and that a simulated study fits into memory.

        Raises:
            UserError: it does not.
        """
        from steps.core.readers.resample import check_timesteps  # imports NumPy
        from steps.core.readers.simulate import SIMULATED, check_fits

        check_timesteps(self.timesteps)
        if self.source == SIMULATED:
            check_fits(self.simulation, self.timesteps)

    def reading(self) -> dict[str, Any]:
        """Arguments of `steps.core.readers.load.load_source`, but for the source itself."""
        return {
            one.name: getattr(self, one.name) for one in fields(self) if one.name not in ("given", "files", "source")
        }


@dataclass(frozen=True, kw_only=True)
class _Training(Configuration):
    """What ``train`` and ``tune`` have in common: how a network is trained, on whom, and where."""

    dataset_uri: str
    model: str
    cv: CrossValidation
    subjects: tuple[str, ...] | None
    controls: str
    normalise: Normalise
    epochs: int
    batch_size: int
    precision: str
    learning_rate: float
    validation_fraction: float
    early_stopping_patience: int
    reduce_lr_patience: int
    reduce_lr_factor: float
    class_weight: ClassWeights | None
    resume: bool
    compute: Compute
    seed: int
    output_dir: str

    def __post_init__(self) -> None:
        """Check that controls who train are not standardised by themselves.

        Raises:
            UserError: they would be.
        """
        if self.normalise == "subject" and self.controls == "negatives":
            raise UserError(
                "controls=negatives and normalise=subject do not go together: controls have trials of one class, and "
                "standardising them takes away how they differ from the others; use controls=exclude or "
                "normalise=study"
            )


@dataclass(frozen=True, kw_only=True)
class Train(_Training):
    """Of ``train``."""

    repeats: int
    log_level: Literal["epoch", "run", "experiment"]
    run_name: str

    def folds(self, dataset: Dataset) -> list[Fold]:
        """Its folds; without validation subjects where the network needs none.

        Raises:
            UserError: as `steps.core.data.folds.plan_folds`.
        """
        from steps.core.data.folds import plan_folds  # imports scikit-learn

        names = ("cv", "repeats", "subjects", "controls", "seed")
        share = self.validation_fraction if MODELS[self.model].validates else 0
        return plan_folds(dataset, validation_fraction=share, **{name: getattr(self, name) for name in names})

    def fit_settings(self) -> FitSettings:
        """Hyperparameters of its fits."""
        from steps.core.models.settings import FitSettings  # imports NumPy

        return FitSettings(**{one.name: getattr(self, one.name) for one in fields(FitSettings)})


@dataclass(frozen=True, kw_only=True)
class Evaluate(Configuration):
    """Of ``evaluate``."""

    train_run_id: str
    thresholds: tuple[float, ...]
    baselines: tuple[str, ...]
    learning_curve: bool
    leak_check: bool
    compute: Compute
    seed: int
    output_dir: str


@dataclass(frozen=True, kw_only=True)
class Attribute(Configuration):
    """Of ``attribute``."""

    train_run_id: str
    method: Method
    attribution_steps: int
    attribution_baseline: BaselineKind
    attribution_baseline_trials: int
    target: Literal[0, 1]
    explained_class: str
    compute: Compute
    seed: int
    output_dir: str

    def __post_init__(self) -> None:
        """Check the method.

        Raises:
            UserError: the method cannot use the baseline.
        """
        check_method(self.method, self.attribution_baseline)

    def settings(self) -> Settings:
        """How trials are attributed."""
        return Settings(
            self.method,
            self.attribution_steps,
            self.attribution_baseline,
            self.attribution_baseline_trials,
            self.target,
            self.seed,
        )


@dataclass(frozen=True, kw_only=True)
class Compare(Configuration):
    """Of ``compare``."""

    runs: tuple[Compared, Compared]
    thresholds: tuple[float, ...]
    seed: int


@dataclass(frozen=True, kw_only=True)
class Tune(_Training):
    """Of ``tune``."""

    trials: int
    inner_folds: int
    search: tuple[str, ...] | None
    networks: tuple[str, ...]
    thresholds: tuple[float, ...]

    def training(self, settings: Mapping[str, Value] | None = None) -> Train:
        """What `train` would be given, with other settings of a network where some are named."""
        names = {name for name in STEPS["train"].parameters if name not in self.given}
        return Train.of({**{name: PARAMETERS[name].default for name in names}, **self.given, **(settings or {})})


@dataclass(frozen=True, kw_only=True)
class Predict(Configuration):
    """Of ``predict``."""

    model_uri: str
    source: str
    study: str
    threshold: float | None
    error_rate: float
    max_gap: int
    trim: bool
    choice: Choice
    attribution_steps: int
    attribution_baseline: str
    seed: int


@dataclass(frozen=True, kw_only=True)
class Promote(Configuration):
    """Of ``promote``."""

    model_uri: str
    rollback: bool
    min_auc: float
    margin: float
    max_calibration_error: float
    max_completeness_error: float
    skip_gates: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Export(Configuration):
    """Of ``export``."""

    model_uri: str
    to: str
    overwrite: bool


@dataclass(frozen=True, kw_only=True)
class Monitor(Configuration):
    """Of ``monitor``."""

    model_uri: str
    labels: str
    alarm: float
    seed: int


@dataclass(frozen=True, kw_only=True)
class Sync(Configuration):
    """Of ``sync``."""

    prune: bool
    to: str
    from_: str
    run_id: str
    delete: str
    confirm: str

    def __post_init__(self) -> None:
        """Check that one thing is asked for.

        Raises:
            UserError: several are, or something that says more about a thing that is not asked for.
        """
        asked = [name for name in ("to", "from", "delete") if self.given[name] != NONE]
        asked += ["prune"] if self.prune else []
        if len(asked) > 1:
            raise UserError(f"{' and '.join(asked)} do not go together; give one of them")
        for name, default, of in (("run_id", LATEST, "to"), ("confirm", NONE, "delete")):
            if self.given[name] != default and of not in asked:
                raise UserError(f"{name} is {shown(self.given[name])}, which says more about {of!r}; give that, too")


@dataclass(frozen=True, kw_only=True)
class Check(Configuration):
    """Of ``check``."""

    timeout: float
    mend: bool
    source: str


@dataclass(frozen=True, kw_only=True)
class Reproduce(Configuration):
    """Of ``reproduce``."""

    run_id: str
    strict: bool


@dataclass(frozen=True, kw_only=True)
class Main(Configuration):
    """Of ``main``, the driver: what it needs itself; the rest it hands on."""

    run_name: str
    reuse: bool
    register: bool
    output_dir: str
    source: str
    study: str
    model: str
    cv: CrossValidation
    normalise: Normalise
    attribution_baseline: BaselineKind
    learning_curve: bool
    compute: Compute

    def __post_init__(self) -> None:
        """Read what later steps would refuse after minutes of work.

        Raises:
            UserError: a parameter of any step is malformed, or the network has no learning curve.
        """
        if self.learning_curve:
            check_learning_curve(self.model)
            if (kind := self.given.get("label_kind", "binary")) != "binary":
                raise UserError(f"learning_curve=true needs labels that are yes or no, found label_kind={kind}")
        given = {"dataset_uri": "latest", "train_run_id": "latest", **self.given}
        for step in (Prepare, Train, Evaluate, Attribute):
            step.of(given)


CONFIGURATIONS: Mapping[str, type[Configuration]] = {
    "main": Main,
    "prepare": Prepare,
    "train": Train,
    "evaluate": Evaluate,
    "attribute": Attribute,
    "compare": Compare,
    "tune": Tune,
    "predict": Predict,
    "promote": Promote,
    "export": Export,
    "monitor": Monitor,
    "sync": Sync,
    "check": Check,
    "reproduce": Reproduce,
}
