"""A search for better settings, one try after the other, with Optuna's sampler and pruner.

The sampler (TPE: Bergstra et al. 2011, "Algorithms for Hyper-Parameter Optimization", NeurIPS) looks at the tries so
far. Its random numbers are drawn anew for every try, from the search's seed and the number of the try: so a search that
goes on after an interruption tries what it would have tried anyway, and where and beside what it runs decides nothing.
A try that does worse than the median of those that have finished is stopped between two inner folds (the median rule of
Golovin et al. 2017, "Google Vizier", KDD).

The first try is always what would be done without a search.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from steps.core.data.folds import derive_seed
from steps.core.data.tried import State, Tried, Value
from steps.core.models.table import Choice
from steps.core.tuning.space import Settings, Space
from steps.errors import UserError

if TYPE_CHECKING:
    import optuna

REQUIREMENT: Final = "optuna>=5,<6"
_BEFORE_STOPPING = 5  # tries, before any is stopped
_AT_RANDOM = 10  # tries, before the sampler looks at them
_FOR_IMPORTANCE = 10  # finished tries, below which importance is chance

Objective = Callable[[Settings, int], float]


@dataclass(frozen=True)
class Found:
    """What a search has found.

    Attributes:
        tried: all tries, by their number.
        best: the one with the lowest value; among equals the first.
        importance: share of each dimension in how much values differ, by the names of `Space.dimensions`; empty where
            that cannot be told.
    """

    tried: tuple[Tried, ...]
    best: Tried
    importance: dict[str, float]


def check_installed() -> str:
    """The version of Optuna.

    Raises:
        UserError: it is not installed, or another one.
    """
    try:
        import optuna
    except ImportError as error:
        raise UserError(
            f"tune needs Optuna, which is not installed: pip install '{REQUIREMENT}' and run with --env-manager local"
        ) from error
    if not optuna.__version__.startswith("5."):
        raise UserError(f"tune needs Optuna 5, found {optuna.__version__}: pip install '{REQUIREMENT}'")
    return str(optuna.__version__)


def search(
    space: Space,
    objective: Objective,
    *,
    steps: int,
    tries: int,
    seed: int,
    done: Sequence[Tried] = (),
    on_tried: Callable[[Tried], object] = lambda _tried: None,
) -> Found:
    """Search one try after the other.

    Args:
        space: what to choose among. If it has no more than ``tries`` settings, each is tried once.
        objective: how good settings are after an inner fold, numbered from 0; lower is better. Asked in order.
        steps: how many inner folds there are.
        tries: how many.
        seed: of the sampler.
        done: the first tries of the same search, where it goes on.
        on_tried: given every new try.

    Raises:
        UserError: no try could be trained; the message is that of the first.
    """
    import optuna

    every = list(space.every()) if space.size <= tries else None
    tries = len(every) if every else tries
    study = _study()
    tried = list(done[:tries])
    for one in tried:
        study.add_trial(_frozen(space, one))
    for number in range(len(tried), tries):
        study.sampler = optuna.samplers.TPESampler(
            seed=derive_seed(seed, "try", number), n_startup_trials=_AT_RANDOM, constant_liar=False
        )
        settled = every[number] if every else space.start if number == 0 else None
        if settled is not None:
            study.enqueue_trial(space.named(settled))
        one = _try(space, objective, steps, study, number)
        tried.append(one)
        on_tried(one)
    finished = [one for one in tried if one.state == "finished"]
    if not finished:
        raise UserError(tried[0].reason)
    best = min(finished, key=lambda one: (one.values[-1], one.number))
    return Found(tuple(tried), best, _importance(study, space, tried))


def _study() -> optuna.Study:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(
        direction="minimize", pruner=optuna.pruners.MedianPruner(n_startup_trials=_BEFORE_STOPPING)
    )


def _try(space: Space, objective: Objective, steps: int, study: optuna.Study, number: int) -> Tried:
    from optuna.trial import TrialState

    started = time.perf_counter()
    trial = study.ask()
    named = _draw(space, trial)
    settings = space.settings(named)
    values: list[float] = []
    state: State = "finished"
    reason = ""
    try:
        for step in range(steps):
            if step and trial.should_prune():
                state = "stopped"
                break
            values.append(objective(settings, step))
            trial.report(values[-1], step)
    except UserError as error:  # such as a learning rate that is too high
        state, reason = "failed", str(error)
    told = {"finished": TrialState.COMPLETE, "stopped": TrialState.PRUNED, "failed": TrialState.FAIL}[state]
    study.tell(trial, values[-1] if state == "finished" else None, state=told)
    return Tried(number, settings, named, tuple(values), state, time.perf_counter() - started, reason)


def _draw(space: Space, trial: optuna.Trial) -> dict[str, Value]:
    named: dict[str, Value] = {}

    def draw(name: str) -> Value:
        values = space.dimensions[name]
        if isinstance(values, Choice):
            return str(trial.suggest_categorical(name, values.values))
        if values.is_whole:
            return int(trial.suggest_int(name, int(values.low), int(values.high), log=values.logarithmic))
        return float(trial.suggest_float(name, values.low, values.high, log=values.logarithmic))

    if "model" in space.dimensions:
        named["model"] = draw("model")
    network = str(named.get("model", next(iter(space.networks))))
    return named | {name: draw(name) for name in space.of_network(network)}


def _frozen(space: Space, one: Tried) -> optuna.trial.FrozenTrial:
    """A try as Optuna keeps it."""
    from optuna import distributions, trial

    def distribution(name: str) -> distributions.BaseDistribution:
        values = space.dimensions[name]
        if isinstance(values, Choice):
            return distributions.CategoricalDistribution(values.values)
        if values.is_whole:
            return distributions.IntDistribution(int(values.low), int(values.high), log=values.logarithmic)
        return distributions.FloatDistribution(values.low, values.high, log=values.logarithmic)

    states = trial.TrialState
    return trial.create_trial(
        params=dict(one.named),
        distributions={name: distribution(name) for name in one.named},
        # As Optuna itself keeps those it stopped.
        value=None if one.state == "failed" else one.values[-1],
        intermediate_values=dict(enumerate(one.values)),
        state={"finished": states.COMPLETE, "stopped": states.PRUNED, "failed": states.FAIL}[one.state],
    )


def _importance(study: optuna.Study, space: Space, tried: Sequence[Tried]) -> dict[str, float]:
    """PED-ANOVA (Watanabe, Bansal & Hutter 2023, IJCAI), Optuna's own, which takes settings that not all tries have."""
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    values = [one.values[-1] for one in tried if one.state == "finished"]
    if len(values) < _FOR_IMPORTANCE or len(set(values)) < 2 or len(space.dimensions) < 2:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that few tries are few
        found: dict[str, Any] = get_param_importances(study, evaluator=PedAnovaImportanceEvaluator())
    return {name: float(found.get(name, 0.0)) for name in space.dimensions}
