"""Expected gradients: Integrated Gradients from many baselines instead of one, averaged.

Erion, Janizek, Sturmfels, Lundberg & Lee 2021, "Improving performance of deep learning models with axiomatic
attribution priors and expected gradients", Nature Machine Intelligence 3:620-631:

    attribution_i = E over baselines b of (x_i - b_i) * integral over a in [0, 1] of dF/dx_i at b + a (x - b)

They draw one a per baseline; here every drawn baseline's integral is a Gauss-Legendre sum, so that the only thing left
to chance is which baselines were drawn. The attributions of a trial sum to F(x) minus the mean F of the drawn
baselines. How far those are from all the trials they were drawn from is reported beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from steps.core.attribution.compiled import Array, GradientFunction, inputs_per_call, outputs
from steps.core.attribution.integrated_gradients import Attribution, path_attributions, refine
from steps.core.data.dataset import Floats

ELEMENTS = 4_000_000  # of the attributions of all paths that are held at a time, 32 MB


@dataclass(frozen=True, eq=False)
class ExpectedAttribution(Attribution):
    """Attributions relative to many baselines; ``baseline_output`` is their mean output.

    Attributes:
        baselines: how many were drawn.
        sampling_error: standard error of the attributions of each trial that comes from drawing baselines, as a share
            of their size (both as Euclidean norms over time points and features), shape ``(trials,)``; 0 when all
            were drawn, NaN when a single one was. The baselines are drawn from strata, so this is an upper estimate.
        source_output: mean output of all the trials that baselines were drawn from, shape ``(trials,)``.
        source_error: ``|sum of attributions - (output - source_output)|``, shape ``(trials,)``, in probability: how
            far completeness is off against all of them instead of the drawn ones.
    """

    baselines: int
    sampling_error: Array
    source_output: Array
    source_error: Array


def integrate_expected(
    gradient: GradientFunction,
    values: Floats,
    source: Floats,
    drawn: npt.NDArray[np.intp],
    *,
    steps: int = 8,
    tolerance: float = 0.01,
    max_steps: int = 512,
    chunk: int | None = None,
    elements: int = ELEMENTS,
) -> ExpectedAttribution:
    """Expected gradients of any function.

    Args:
        gradient: the function, with its gradient.
        values: float32, shape ``(trials, timesteps, features)``.
        source: what baselines were drawn from, shape ``(source trials, timesteps, features)``.
        drawn: which of them (`steps.core.attribution.references.draw`); the same for all trials.
        steps: quadrature points to begin with, for each trial and baseline; their errors average out, so that
            fewer are needed than from one baseline.
        tolerance: trials whose ``relative_error`` is larger are done again with twice the points...
        max_steps: ...up to this many.
        chunk: inputs per gradient call, by default as `inputs_per_call` says.
        elements: how many attributions of all paths are held at a time.

    Raises:
        ValueError: nothing was drawn, or the shapes do not fit.
    """
    if not len(drawn):
        raise ValueError("there are no trials to draw baselines from")
    if source.shape[1:] != values.shape[1:]:
        raise ValueError(f"baselines have shape {source.shape[1:]}, expected {values.shape[1:]}")
    count, chunk = len(drawn), chunk or inputs_per_call(values.shape[1])
    output, source_outputs = outputs(gradient, values, chunk), outputs(gradient, source, chunk)
    baseline_output = np.full(len(values), source_outputs[drawn].mean())
    source_output = np.full(len(values), source_outputs.mean())
    sampling_error = np.zeros(len(values))
    # A finite number of trials is drawn from: with all of them there is no chance left.
    left_to_chance = 1 - count / len(source)
    block = max(1, elements // max(1, count * values[0].size)) if len(values) else 1

    def attribute(trials: npt.NDArray[np.intp], points: int) -> Array:
        means = np.empty((len(trials), *values.shape[1:]))
        for start in range(0, len(trials), block):
            some = trials[start : start + block]
            trial_values = np.repeat(values[some], count, axis=0)
            baselines = np.tile(source[drawn], (len(some), 1, 1))
            paths = path_attributions(gradient, trial_values, baselines, points, chunk)
            paths = paths.reshape(len(some), count, *values.shape[1:])
            means[start : start + block] = paths.mean(axis=1)
            if left_to_chance <= 0:
                continue
            variance = paths.var(axis=1, ddof=1) if count > 1 else np.full(paths[:, 0].shape, np.nan)
            size = np.sqrt((means[start : start + block] ** 2).sum(axis=(1, 2)))
            spread = np.sqrt(left_to_chance * variance.sum(axis=(1, 2)) / count)
            sampling_error[some] = np.divide(spread, size, out=np.zeros_like(spread), where=size > 0)
        return means

    refined = refine(
        attribute, output, baseline_output, values.shape, steps=steps, tolerance=tolerance, max_steps=max_steps
    )
    total = refined.attributions.sum(axis=(1, 2), dtype=np.float64)
    return ExpectedAttribution(
        **vars(refined),
        baselines=count,
        sampling_error=sampling_error,
        source_output=source_output,
        source_error=np.abs(total - (output - source_output)),
    )
