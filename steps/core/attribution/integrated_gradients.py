"""Integrated Gradients: what each value of a trial adds to the model's probability, compared with a baseline.

Sundararajan, Taly & Yan 2017, "Axiomatic Attribution for Deep Networks", ICML, PMLR 70:3319-3328:

    attribution_i = (x_i - b_i) * integral over a in [0, 1] of dF/dx_i at b + a (x - b)

The attributions of a trial sum to F(x) - F(b) (completeness); how far a computed sum is off measures the
quadrature.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from steps.core.attribution.compiled import Array, GradientFunction, inputs_per_call, model_gradient, outputs
from steps.core.attribution.quadrature import gauss_legendre
from steps.core.data.dataset import Floats

# A smaller change of the output counts as this much in the relative error. Float32 probabilities near 1 are 2**-24
# (6e-8) apart, and rounding inside a network was measured to cost about two such steps; 1% of the floor is 17.
# So rounding alone does not look like a quadrature that needs more points.
CHANGE_FLOOR = 1e-4


@dataclass(frozen=True, eq=False)
class Attribution:
    """Attributions of trials, with what is needed to trust them.

    Attributes:
        attributions: float32, shape ``(trials, timesteps, features)``; in probability, summing to the change
            of the output of each trial.
        output: the output F of each trial, shape ``(trials,)``.
        baseline_output: the output of each trial's baseline, shape ``(trials,)``.
        completeness_error: ``|sum of attributions - (output - baseline_output)|``, shape ``(trials,)``, in
            probability.
        relative_error: ``completeness_error / max(|output - baseline_output|, CHANGE_FLOOR)``, shape
            ``(trials,)``.
        steps: quadrature points used for each trial, shape ``(trials,)``.
    """

    attributions: Floats
    output: Array
    baseline_output: Array
    completeness_error: Array
    relative_error: Array
    steps: npt.NDArray[np.int64]


def integrated_gradients(
    model: Any,
    values: Floats,
    baseline: Floats,
    *,
    target: Literal[0, 1] = 1,
    steps: int = 32,
    tolerance: float = 0.01,
    max_steps: int = 512,
    chunk: int | None = None,
) -> Attribution:
    """Integrated Gradients of the probability of ``target`` under a Keras model with a sigmoid output.

    Args:
        model: maps ``(trials, timesteps, features)`` to the probability of class 1, ``(trials, 1)``.
        values: float32, shape ``(trials, timesteps, features)``.
        baseline: shape ``(timesteps, features)``, one for all, or ``(trials, timesteps, features)``.
        target: 1 attributes the probability p of class 1, 0 attributes 1 - p.
        steps: quadrature points to begin with.
        tolerance: trials whose ``relative_error`` is larger are done again with twice the points...
        max_steps: ...up to this many.
        chunk: inputs per gradient call, by default as `inputs_per_call` says; all trials and quadrature points share
            the calls.

    Raises:
        ValueError: the baseline's shape fits neither form, or ``target`` is not 0 or 1.
    """
    gradient = model_gradient(model, target)
    return integrate(gradient, values, baseline, steps=steps, tolerance=tolerance, max_steps=max_steps, chunk=chunk)


def integrate(
    gradient: GradientFunction,
    values: Floats,
    baseline: npt.NDArray[np.floating],
    *,
    steps: int = 32,
    tolerance: float = 0.01,
    max_steps: int = 512,
    chunk: int | None = None,
) -> Attribution:
    """Integrated Gradients of any function; `integrated_gradients` describes the arguments and errors."""
    if baseline.shape not in (values.shape, values.shape[1:]):
        raise ValueError(f"baseline has shape {baseline.shape}, expected {values.shape[1:]} or {values.shape}")
    chunk = chunk or inputs_per_call(values.shape[1])
    output = outputs(gradient, values, chunk)
    own_baselines = baseline.ndim == values.ndim
    baseline_output = outputs(gradient, baseline if own_baselines else baseline[np.newaxis], chunk)
    baseline = np.broadcast_to(baseline, values.shape)
    baseline_output = np.broadcast_to(baseline_output, output.shape).copy()

    def attribute(trials: npt.NDArray[np.intp], points: int) -> Array:
        return path_attributions(gradient, values[trials], baseline[trials], points, chunk)

    return refine(
        attribute, output, baseline_output, values.shape, steps=steps, tolerance=tolerance, max_steps=max_steps
    )


def refine(
    attribute: Callable[[npt.NDArray[np.intp], int], Array],
    output: Array,
    baseline_output: Array,
    shape: tuple[int, ...],
    *,
    steps: int,
    tolerance: float,
    max_steps: int,
) -> Attribution:
    """Attribute all trials, and those that are not complete again with twice the points.

    Args:
        attribute: gives the attributions ``(some trials, timesteps, features)`` of the trials with these indices,
            by this many points.
        output: of each trial, shape ``(trials,)``.
        baseline_output: of its baseline, same shape; its attributions should sum to the difference.
        shape: of all attributions.
        steps: points to begin with.
        tolerance: the relative error that is small enough.
        max_steps: the most points.
    """
    attributions, change = np.zeros(shape, dtype=np.float32), output - baseline_output
    error, relative = np.zeros(len(change)), np.zeros(len(change))
    used = np.zeros(len(change), dtype=np.int64)
    open_trials = np.arange(len(change))
    while len(open_trials):
        exact = attribute(open_trials, steps)
        attributions[open_trials] = exact
        error[open_trials] = np.abs(exact.sum(axis=(1, 2)) - change[open_trials])
        relative[open_trials] = error[open_trials] / np.maximum(np.abs(change[open_trials]), CHANGE_FLOOR)
        used[open_trials] = steps
        open_trials = open_trials[~(relative[open_trials] <= tolerance)] if steps < max_steps else open_trials[:0]
        steps = min(2 * steps, max_steps)
    return Attribution(attributions, output, baseline_output, error, relative, used)


def path_attributions(
    gradient: GradientFunction, values: Floats, baseline: npt.NDArray[np.floating], steps: int, chunk: int
) -> Array:
    """Attributions in float64; the inputs of all trials and nodes are one long list, cut into chunks."""
    nodes, weights = gauss_legendre(steps)
    difference = values.astype(np.float64) - baseline
    sums = np.zeros((len(values), difference[0].size))
    for start in range(0, len(values) * steps, chunk):
        trial, node = np.divmod(np.arange(start, min(start + chunk, len(values) * steps)), steps)
        inputs = difference[trial]
        inputs *= nodes[node][:, np.newaxis, np.newaxis]
        inputs += baseline[trial]
        gradients = gradient(inputs.astype(np.float32))[1].reshape(len(trial), -1)
        first = trial[0]
        share = np.zeros((trial[-1] - first + 1, len(trial)))  # weight of each input in its trial's integral
        share[trial - first, np.arange(len(trial))] = weights[node]
        sums[first : trial[-1] + 1] += share @ gradients.astype(np.float64)
    return difference * sums.reshape(values.shape)
