"""Both methods against an independent implementation: shap's GradientExplainer, which samples instead of summing."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from steps.core.attribution.compiled import model_gradient
from steps.core.attribution.expected_gradients import integrate_expected
from steps.core.attribution.integrated_gradients import integrated_gradients
from steps.core.data.dataset import Floats
from tests.core.attribution.conftest import NetworkMaker

SAMPLES = 4000
BASELINES = np.random.default_rng(5).normal(size=(9, 12, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def shap() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its plots use what matplotlib will drop
        return pytest.importorskip("shap")


def explained(shap: Any, model: Any, baselines: Floats, values: Floats) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it hands Keras a list where one tensor is expected
        explainer = shap.GradientExplainer(model, baselines, batch_size=1000)
        return explainer.shap_values(values, nsamples=SAMPLES, rseed=1)[..., 0]


def difference(ours: Any, theirs: Any) -> Any:
    """Distance of each trial's attributions, as a share of their size."""
    return np.sqrt(((ours - theirs) ** 2).sum(axis=(1, 2)) / (theirs**2).sum(axis=(1, 2)))


def test_integrated_gradients(shap: Any, values: Floats, network: NetworkMaker) -> None:
    """With one baseline only the place on the path is sampled."""
    model = network(gain=2.0, activation="tanh")
    ours = integrated_gradients(model, values[:3], BASELINES[0]).attributions
    theirs = explained(shap, model, BASELINES[:1], values[:3])
    assert difference(ours, theirs).max() < 0.02


def test_expected_gradients(shap: Any, values: Floats, network: NetworkMaker) -> None:
    model = network(gain=2.0, activation="tanh")
    every = np.arange(len(BASELINES))
    attribution = integrate_expected(model_gradient(model), values[:3], BASELINES, every)
    theirs = explained(shap, model, BASELINES, values[:3])
    # A sample of 4,000 is off by about the spread over baselines divided by 63.
    assert difference(attribution.attributions, theirs).max() < 0.05
    wrong = integrated_gradients(model, values[:3], BASELINES.mean(axis=0)).attributions
    assert difference(wrong, theirs).min() > difference(attribution.attributions, theirs).max()
