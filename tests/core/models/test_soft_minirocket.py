"""The frozen convolutions: against plain NumPy, against aeon's MiniRocket, and properties that must hold."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from steps.core.data.dataset import Floats

TIMESTEPS, FEATURES = 41, 4
HARD = 1e-6  # a ramp so narrow that no value of a float32 convolution lies on it


@pytest.fixture(scope="module")
def trials() -> Floats:
    random = np.random.default_rng(0)
    walks = random.normal(size=(30, TIMESTEPS, FEATURES)).cumsum(axis=1)
    made: Floats = ((walks - walks.mean((0, 1))) / walks.std((0, 1))).astype(np.float32)
    return made


def fitted(trials: Floats, seed: int = 3, **design: Any) -> Any:
    from steps.core.models import networks
    from steps.core.models.soft_minirocket import Front, SoftMiniRocket

    rocket = SoftMiniRocket(**design)
    network = networks.assemble("soft_minirocket", rocket.layers, *trials.shape[1:])
    Front(network, rocket).fit(trials, seed)
    return network


def standardised(network: Any, trials: Floats) -> npt.NDArray[np.float64]:
    from steps.core.models.soft_minirocket import proportions

    return proportions(network, trials)


def raw(network: Any, trials: Floats) -> npt.NDArray[np.float64]:
    """The proportions before they are standardised."""
    import keras

    from steps.core.models.soft_minirocket import STANDARDISED

    return np.asarray(keras.Model(network.input, network.get_layer(STANDARDISED).input)(trials), dtype=np.float64)


def of_layers(network: Any) -> list[tuple[int, Any, Any, Any]]:
    """Per dilation: the dilation, kernels (9, features, 84), slopes (84, n) and offsets (84, n)."""
    layers_of_network = []
    for convolution in network.layers:
        if convolution.name.startswith("kernels_"):
            dilation = convolution.dilation_rate[0]
            slopes, offsets = network.get_layer(f"thresholds_{dilation}").get_weights()
            layers_of_network.append(
                (dilation, convolution.get_weights()[0], slopes[0], offsets.reshape(slopes[0].shape))
            )
    return sorted(layers_of_network, key=lambda layers: layers[0])


def convolve(trial: Floats, kernels: Floats, dilation: int) -> npt.NDArray[np.float64]:
    """What a kernel sums to at every place where it fits, shape ``(places, 84)``."""
    places = len(trial) - 8 * dilation
    return np.array(
        [sum(trial[place + k * dilation].astype(np.float64) @ kernels[k] for k in range(9)) for place in range(places)]
    )


def test_the_kernels_are_minirockets() -> None:
    from steps.core.models.soft_minirocket import kernel_weights

    weights = kernel_weights()
    assert weights.shape == (9, 84)
    assert len(np.unique(weights, axis=1).T) == 84
    assert np.all(np.sort(weights, axis=0).T == [-1] * 6 + [2] * 3)


@pytest.mark.parametrize("timesteps", [9, 10, 17, 21, 101, 1000])
def test_every_dilated_kernel_fits_its_trial(timesteps: int) -> None:
    from steps.core.models.soft_minirocket import dilations

    steps = dilations(timesteps, 24)
    assert steps[0] == 1
    assert steps == sorted(set(steps))
    assert len(steps) <= 24
    # The longest kernel fits, and the next longer one would not.
    assert 8 * steps[-1] + 1 <= timesteps < 8 * (steps[-1] + 1) + 1


def test_quantile_levels_cover_the_range_evenly() -> None:
    from steps.core.models.soft_minirocket import quantile_levels

    for count in (1, 10, 1000):
        levels = np.sort(quantile_levels(count))
        assert levels[0] >= 0
        assert levels[-1] < 1
        gaps = [b - a for a, b in pairwise([0, *levels, 1])]
        assert max(gaps) < 2 / count


def test_proportions_agree_with_plain_numpy(trials: Floats) -> None:
    front = fitted(trials)
    expected = []
    for trial in trials[:5]:
        row: list[float] = []
        for dilation, kernels, slopes, offsets in of_layers(front):
            convolved = convolve(trial, kernels, dilation)
            ramps = np.clip(convolved[:, :, None] * slopes + offsets, 0, 1)
            row.extend(ramps.mean(axis=0).ravel())
        expected.append(row)
    np.testing.assert_allclose(raw(front, trials[:5]), expected, atol=2e-6)


def test_thresholds_are_quantiles_and_ramps_two_standard_deviations(trials: Floats) -> None:
    from steps.core.models.soft_minirocket import quantile_levels

    front = fitted(trials)
    layers = of_layers(front)
    levels = quantile_levels(sum(slopes.size for _, _, slopes, _ in layers))
    for dilation, kernels, slopes, offsets in layers:
        convolved = np.concatenate([convolve(trial, kernels, dilation) for trial in trials])
        own, levels = levels[: slopes.size].reshape(slopes.shape), levels[slopes.size :]
        np.testing.assert_allclose(1 / slopes, np.repeat(2 * convolved.std(0)[:, None], slopes.shape[1], 1), rtol=1e-4)
        expected = [np.quantile(convolved[:, kernel], own[kernel]) for kernel in range(84)]
        np.testing.assert_allclose((0.5 - offsets) / slopes, expected, atol=1e-4)


def test_each_kernel_sums_over_one_to_nine_features_with_its_own_two_values() -> None:
    from steps.core.models.soft_minirocket import kernel_weights

    trials = np.random.default_rng(1).normal(size=(4, 101, 20)).astype(np.float32)
    counts = []
    for _, kernels, _, _ in of_layers(fitted(trials)):
        for kernel in range(84):
            used = np.flatnonzero(np.abs(kernels[:, :, kernel]).sum(axis=0))
            counts.append(len(used))
            np.testing.assert_array_equal(kernels[:, used, kernel], kernel_weights()[:, [kernel]].repeat(len(used), 1))
    assert (min(counts), max(counts)) == (1, 9)
    # Uniform exponents: one feature as likely as two or three together, log 2 of log 10.
    assert np.mean(np.array(counts) == 1) == pytest.approx(np.log(2) / np.log(10), abs=0.05)


def test_a_constant_added_to_a_feature_changes_nothing(trials: Floats) -> None:
    """The weights of a kernel sum to zero."""
    front = fitted(trials)
    moved = trials + np.array([3, -2, 0.5, 10], np.float32)
    np.testing.assert_allclose(raw(front, moved), raw(front, trials), atol=1e-5)


def test_a_flat_trial_has_the_proportion_of_its_ramp(trials: Floats) -> None:
    front = fitted(trials)
    flat = np.ones((1, TIMESTEPS, FEATURES), np.float32)
    expected = np.concatenate([np.clip(offsets, 0, 1).ravel() for *_, offsets in of_layers(front)])
    np.testing.assert_allclose(raw(front, flat)[0], expected, atol=1e-6)


def test_training_proportions_are_standardised(trials: Floats) -> None:
    network = fitted(trials)
    proportions = standardised(network, trials)
    np.testing.assert_allclose(proportions.mean(axis=0), 0, atol=1e-3)
    varying = raw(network, trials).std(axis=0) > 1e-3
    np.testing.assert_allclose(proportions.std(axis=0)[varying], 1, atol=1e-3)


def test_narrow_ramps_count_as_minirocket_does(trials: Floats) -> None:
    """A hard count of the places above the threshold, in plain NumPy."""
    front = fitted(trials, ramp=HARD)
    expected = []
    for trial in trials[:3]:
        row: list[float] = []
        for dilation, kernels, slopes, offsets in of_layers(front):
            above = convolve(trial, kernels, dilation)[:, :, None] > (0.5 - offsets) / slopes
            row.extend(above.mean(axis=0).ravel())
        expected.append(row)
    # A float32 sum may fall on the other side of a threshold that is one of its own values.
    assert np.mean(np.abs(raw(front, trials[:3]) - expected) > 1e-3) < 0.02


@pytest.mark.slow
def test_narrow_ramps_give_aeons_minirocket(trials: Floats) -> None:
    """Half of aeon's kernels look within the trial only, as ours do; which half alternates with the dilation."""
    aeon = pytest.importorskip("aeon.transformations.collection.convolution_based._minirocket")
    front = fitted(trials, ramp=HARD)
    layers = of_layers(front)
    chosen = [np.flatnonzero(kernels[0, :, k]) for _, kernels, _, _ in layers for k in range(84)]
    thresholds = np.concatenate([((0.5 - offsets) / slopes).ravel() for _, _, slopes, offsets in layers])
    parameters = (
        np.array([len(c) for c in chosen], np.int32),
        np.concatenate(chosen).astype(np.int32),
        np.array([dilation for dilation, *_ in layers], np.int32),
        np.array([slopes.shape[1] for _, _, slopes, _ in layers], np.int32),
        thresholds.astype(np.float32),
    )
    theirs = aeon._static_transform_multi(trials.transpose(0, 2, 1).copy(), parameters, aeon.MiniRocket._indices)
    within = np.concatenate(
        [np.repeat((index + np.arange(84)) % 2 == 1, slopes.shape[1]) for index, (_, _, slopes, _) in enumerate(layers)]
    )
    difference = np.abs(raw(front, trials) - theirs)[:, within]
    assert np.mean(difference > 1e-3) < 0.02


def test_the_seed_decides(trials: Floats) -> None:
    one, again, other = (standardised(fitted(trials, seed), trials) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


def test_the_number_of_proportions_hardly_depends_on_the_length() -> None:
    random = np.random.default_rng(0)
    for timesteps in (9, 21, 101, 300):
        trials = random.normal(size=(3, timesteps, 2)).astype(np.float32)
        assert 1400 <= standardised(fitted(trials), trials).shape[1] <= 2700


def test_a_constant_feature_is_not_divided_by_zero(trials: Floats) -> None:
    flat = trials.copy()
    flat[:, :, 1] = 0
    assert np.isfinite(standardised(fitted(flat), trials)).all()


def test_gradients_reach_every_time_point_and_feature(trials: Floats, tmp_path: Path) -> None:
    """And they are those of central differences, also after saving and loading in safe mode."""
    import keras

    from steps.core.attribution.compiled import model_gradient
    from steps.core.models.fit import Engine
    from steps.core.models.settings import FitSettings

    labels = (trials[:, 20, 0] > 0).astype(np.int8)
    engine = Engine("soft_minirocket", TIMESTEPS, FEATURES)
    fit = engine.fit((trials, labels), None, (1, 1), FitSettings(model="soft_minirocket", epochs=10), seed=0)
    fit.network.save(tmp_path / "model.keras")
    network = keras.saving.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    gradient = model_gradient(network)
    _, slopes = gradient(trials)
    assert (np.abs(slopes).max(axis=0) > 0).all()
    direction = np.random.default_rng(0).normal(size=trials.shape).astype(np.float32)
    step = 1e-3
    up, down = gradient(trials + step * direction)[0], gradient(trials - step * direction)[0]
    expected = (slopes * direction).sum(axis=(1, 2))
    np.testing.assert_allclose((up - down) / (2 * step), expected, atol=0.05 * np.abs(expected).max())
