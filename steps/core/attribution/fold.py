"""The attribution of one fold's held-out trials, with all its checks."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from steps.core.attribution.checks import COMPLETENESS_TOLERANCE
from steps.core.attribution.compiled import Functions
from steps.core.attribution.expected_gradients import ExpectedAttribution, integrate_expected
from steps.core.attribution.faithfulness import FoldCurves, fold_curves, spread_out
from steps.core.attribution.importance import FoldMap, fold_map
from steps.core.attribution.integrated_gradients import Attribution, integrate
from steps.core.attribution.outcomes import FoldOutcomes, fold_outcomes
from steps.core.attribution.randomisation import TRIALS, randomisation_check
from steps.core.attribution.references import baseline_source, baseline_values, draw
from steps.core.attribution.settings import Method, Settings
from steps.core.data.dataset import Dataset, Floats

# Where the output hardly changes, the error relative to the change needs many points.
MAX_STEPS: dict[Method, int] = {"integrated_gradients": 4096, "expected_gradients": 1024}


@dataclass(frozen=True, eq=False)
class FoldResult:
    """What is kept of a fold; the attributions themselves are not, there may be many.

    Attributes:
        test: the held-out trials.
        map: importance of features and time points.
        completeness: a row per trial.
        outcomes: importance with what the model decided.
        curves: deletion and insertion.
        randomised: from `steps.core.attribution.randomisation.randomisation_check`; None where it was not asked for.
    """

    test: Dataset
    map: FoldMap
    completeness: pd.DataFrame
    outcomes: FoldOutcomes
    curves: FoldCurves
    randomised: pd.DataFrame | None


class FoldTask:
    """A fold's model with its held-out trials and what they are compared with."""

    def __init__(
        self,
        model: Any,
        functions: Functions,
        test: Dataset,
        training: Dataset,
        controls: Dataset,
        settings: Settings,
        seed: int,
    ) -> None:
        self._model, self._functions = model, functions
        self._test, self._settings, self._seed = test, settings, seed
        self._baseline = baseline_values(settings.baseline, training, controls)
        expected = settings.method == "expected_gradients"
        self._source = baseline_source(settings.baseline, training, controls) if expected else None

    def attribute(self) -> Attribution:
        """Attributions of all held-out trials."""
        return self._attribute(self._test.values, COMPLETENESS_TOLERANCE)

    def curves(self, attribution: Attribution) -> FoldCurves:
        """Deletion and insertion; values are replaced by the mean trajectory, also with expected gradients."""
        output = self._functions.output(self._model)
        generator = np.random.default_rng([self._seed, 1])
        return fold_curves(
            output,
            self._test.values,
            self._baseline,
            attribution.attributions,
            self._test.subjects,
            generator=generator,
        )

    def randomised(self) -> pd.DataFrame:
        """The randomisation check of a few trials; a coarse sum will do for their order."""
        rows = spread_out(len(self._test.labels), TRIALS)
        own = self._model.get_weights()

        def attribute(model: Any) -> Floats:
            # The compiled functions of the fold's model serve all copies: it takes their weights in turn.
            self._model.set_weights(model.get_weights())
            return self._attribute(self._test.values[rows], np.inf).attributions

        try:
            return randomisation_check(self._model, attribute, self._test.subjects[rows], seed=self._seed)
        finally:
            self._model.set_weights(own)

    def _attribute(self, values: Floats, tolerance: float) -> Attribution:
        settings, gradient = self._settings, self._functions.gradient(self._model)
        max_steps = max(MAX_STEPS[settings.method], settings.steps)
        if self._source is None:
            return integrate(
                gradient, values, self._baseline, steps=settings.steps, tolerance=tolerance, max_steps=max_steps
            )
        drawn = draw(len(self._source), settings.baseline_trials, np.random.default_rng([self._seed, 0]))
        return integrate_expected(
            gradient, values, self._source, drawn,
            steps=max(2, settings.steps // 4), tolerance=tolerance, max_steps=max_steps,
        )  # fmt: skip


def attribute_fold(
    model: Any,
    test: Dataset,
    training: Dataset,
    controls: Dataset,
    settings: Settings,
    *,
    name: str,
    test_number: int,
    randomise: bool,
    functions: Functions | None = None,
) -> FoldResult:
    """Attribute a fold's held-out trials and check the attribution.

    Args:
        model: from ``(trials, timesteps, features)`` to the probability of class 1, ``(trials, 1)``.
        test: the held-out trials.
        training: what the model was trained on; baselines are made of these.
        controls: the control group.
        settings: how.
        name: of the fold; decides, with ``settings.seed`` and ``test_number``, all that is random.
        test_number: of the fold.
        randomise: whether to run the randomisation check as well.
        functions: of ``settings.target``, to go on with what was compiled for ``model`` before.

    Raises:
        UserError: ``attribution_baseline=control`` without controls, or a baseline that the method cannot use.
    """
    seed = zlib.crc32(f"{settings.seed} {name} {test_number}".encode())
    task = FoldTask(model, functions or Functions(settings.target), test, training, controls, settings, seed)
    attribution = task.attribute()
    probabilities = attribution.output if settings.target == 1 else 1.0 - attribution.output
    return FoldResult(
        test=test,
        map=fold_map(attribution.attributions, test.subjects),
        completeness=completeness_table(test, test_number, attribution),
        outcomes=fold_outcomes(attribution.attributions, probabilities, test.labels, test.subjects),
        curves=task.curves(attribution),
        randomised=task.randomised() if randomise else None,
    )


def completeness_table(test: Dataset, test_number: int, attribution: Attribution) -> pd.DataFrame:
    """A row per trial: what its attributions explain, and how exactly; columns in docs/attribute.md."""
    table = pd.DataFrame(
        {
            "subject": test.subjects,
            "trial": test.trials,
            "label": test.labels,
            "test_number": test_number,
            "output": attribution.output,
            "baseline_output": attribution.baseline_output,
            "completeness_error": attribution.completeness_error,
            "relative_error": attribution.relative_error,
            "steps": attribution.steps,
        }
    )
    if isinstance(attribution, ExpectedAttribution):
        table["baselines"] = attribution.baselines
        table["sampling_error"] = attribution.sampling_error
        table["source_output"] = attribution.source_output
        table["source_error"] = attribution.source_error
    return table


def completeness_metrics(trials: pd.DataFrame) -> dict[str, float]:
    """``completeness_error_max`` and so on; with expected gradients also ``sampling_error_median`` and ``_max``.

    And ``source_error_max``. What is undefined (the error of a single baseline) is absent.
    """
    relative = trials["relative_error"]
    metrics = {
        "completeness_error_max": float(relative.max()),
        "completeness_error_median": float(relative.median()),
        "trials_above_tolerance": int((~(relative <= COMPLETENESS_TOLERANCE)).sum()),
    }
    if "source_error" in trials:
        if trials["sampling_error"].notna().all():
            metrics["sampling_error_median"] = float(trials["sampling_error"].median())
            metrics["sampling_error_max"] = float(trials["sampling_error"].max())
        metrics["source_error_max"] = float(trials["source_error"].max())
    return metrics
