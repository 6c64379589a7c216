from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from steps.attribute.figures import all_figures, bars, heatmap
from steps.attribute.importance import attribution_map, feature_importance, fold_map
from steps.dataset import PlantedTruth
from tests.attribute.conftest import make_dataset


def rendered(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=40)
    return buffer.getvalue()


@pytest.mark.parametrize(("features", "folds", "timesteps"), [(1, 1, 1), (3, 2, 12), (100, 3, 5)])
def test_all_figures_render(features: int, folds: int, timesteps: int) -> None:
    generator = np.random.default_rng(0)
    dataset = make_dataset(generator.normal(size=(2, timesteps, features)).astype(np.float32))
    maps = [fold_map(generator.normal(size=(2, timesteps, features)).astype(np.float32)) for _ in range(folds)]
    figures = all_figures(
        attribution_map(maps, dataset.features, dataset.time), feature_importance(maps, dataset.features), dataset
    )
    assert set(figures) == {"attribution_map.png", "feature_importance.png"}
    for figure in figures.values():
        assert rendered(figure).startswith(b"\x89PNG")


def test_planted_windows_are_outlined_in_the_row_of_their_feature() -> None:
    values = np.array([[1.0, 1.0, 1.0], [2.0, 3.0, 3.0]])
    truth = PlantedTruth(windows={"hip $1$": (1, 2)})
    figure = heatmap(values, ["knee", "hip $1$"], (0.0, 10.0, 20.0), time_unit="%", truth=truth)
    (box,) = [patch for patch in figure.axes[0].patches if isinstance(patch, Rectangle)]
    assert (box.get_x(), box.get_x() + box.get_width()) == (5.0, 25.0)
    assert box.get_y() == pytest.approx(-0.42)  # hip is the more important, so the first row
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["hip $1$", "knee"]
    assert figure.axes[0].get_xlabel() == "time (%)"
    rendered(figure)


def test_a_dataset_brings_its_truth() -> None:
    dataset = make_dataset(np.zeros((1, 4, 2), dtype=np.float32))
    dataset = replace(dataset, planted_truth=PlantedTruth(windows={"angle 1": (0, 2)}))
    maps = [fold_map(np.ones((1, 4, 2), dtype=np.float32))]
    figures = all_figures(
        attribution_map(maps, dataset.features, dataset.time), feature_importance(maps, dataset.features), dataset
    )
    assert "boxes" in figures["attribution_map.png"].axes[0].get_title()
    legend = figures["feature_importance.png"].legends[0]
    assert [text.get_text() for text in legend.get_texts()] == ["changed in the simulation", "not changed"]


def test_bars_say_how_many_features_are_left_out() -> None:
    maps = [fold_map(np.ones((1, 2, 30), dtype=np.float32))]
    axes = bars(feature_importance(maps, [f"f{i}" for i in range(30)])).axes[0]
    assert len(axes.patches) == 24
    assert "+6 more features" in axes.get_xlabel()
