from __future__ import annotations

import io
from dataclasses import replace

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from steps.core.attribution.faithfulness import curve_table, fold_curves
from steps.core.attribution.importance import attribution_map, feature_importance, fold_map, time_importance
from steps.core.attribution.outcomes import fold_outcomes, importance_by_outcome
from steps.core.attribution.trajectories import class_trajectories
from steps.core.data.dataset import Dataset
from steps.core.data.manifest import PlantedTruth
from steps.core.figures.attribution import all_figures
from steps.core.figures.attribution_curves import deletion_insertion, timeline
from steps.core.figures.bars import bars, outcome_bars
from steps.core.figures.heatmap import heatmap
from steps.core.figures.style import BLUE, VERMILION
from steps.writing.png import as_svg
from tests.core.attribution.conftest import make_dataset

ALL = {"feature_importance", "attribution_map", "time_importance", "importance_by_outcome", "deletion_insertion"}


def rendered(figure: Figure, suffix: str = "png") -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format=suffix, dpi=40)
    return buffer.getvalue()


def heights(line: Line2D) -> npt.NDArray[np.float64]:
    return np.asarray(line.get_ydata(), dtype=np.float64)


def study(features: int, subjects: int, timesteps: int) -> tuple[Dataset, dict[str, pd.DataFrame]]:
    """Two trials per subject, one of each class, and the tables of a made-up attribution."""
    generator = np.random.default_rng(0)
    values = generator.normal(size=(2 * subjects, timesteps, features)).astype(np.float32)
    dataset = replace(
        make_dataset(values),
        subjects=np.repeat([f"S{number}" for number in range(subjects)], 2),
        labels=np.tile(np.array([0, 1], np.int8), subjects),
    )
    maps, outcomes, curves, tested = [], [], [], []
    for name in np.unique(dataset.subjects):
        own = dataset.of_subjects([str(name)])
        attributions = generator.normal(size=own.values.shape).astype(np.float32)
        maps.append(fold_map(attributions, own.subjects))
        outcomes.append(fold_outcomes(attributions, generator.random(2), own.labels, own.subjects))
        curves.append(
            fold_curves(
                lambda inputs: inputs.mean(axis=(1, 2)).astype(np.float64), own.values, np.zeros_like(own.values[0]),
                attributions, own.subjects, generator=generator,
            )
        )  # fmt: skip
        tested.append(own.subjects)
    importance = feature_importance(maps, dataset.features)
    return dataset, {
        "feature_importance": importance,
        "attribution_map": attribution_map(maps, dataset.features, dataset.time),
        "time_importance": time_importance(maps, dataset.time),
        "importance_by_outcome": importance_by_outcome(outcomes, dataset.features),
        "class_trajectories": class_trajectories(dataset, importance["feature"].tolist()),
        "deletion_insertion": curve_table(curves, tested),
    }


@pytest.mark.parametrize(("features", "subjects", "timesteps"), [(1, 1, 1), (3, 2, 12), (100, 3, 5)])
def test_all_figures_render(features: int, subjects: int, timesteps: int) -> None:
    dataset, tables = study(features, subjects, timesteps)
    figures = all_figures(tables, dataset.time, time_unit="%", label_names=("calm", "_fear $"))
    assert set(figures) == ALL
    for figure in figures.values():
        assert rendered(figure).startswith(b"\x89PNG")


def test_tables_that_are_not_there_are_not_drawn() -> None:
    dataset, tables = study(2, 2, 3)
    few = {name: tables[name] for name in ("feature_importance", "attribution_map")}
    assert set(all_figures(few, dataset.time)) == set(few)


def test_the_same_numbers_are_the_same_svg() -> None:
    def drawn() -> list[bytes]:
        dataset, tables = study(3, 2, 6)
        return [as_svg(figure) for figure in all_figures(tables, dataset.time).values()]

    one = drawn()
    with mpl.rc_context({"svg.hashsalt": None}):
        assert drawn() == one
    for file in one:
        assert b"<dc:date>" not in file
        assert b"<text" not in file  # letters are shapes: they look the same without our fonts


def test_classes_and_importance_keep_their_order_in_grey() -> None:
    def luminance(colour: object) -> float:
        return float(np.dot(to_rgb(colour), [0.2126, 0.7152, 0.0722]))  # type: ignore[arg-type]

    assert abs(luminance(BLUE) - luminance(VERMILION)) > 0.03
    scale = [luminance(mpl.colormaps["cividis"](level)[:3]) for level in np.linspace(0, 1, 20)]
    assert (np.diff(scale) > 0).all()
    dataset, tables = study(2, 2, 5)
    lines = all_figures(tables, dataset.time)["attribution_map"].axes[2].lines
    assert len({line.get_linestyle() for line in lines[:2]}) == 2


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


def test_trajectories_of_the_most_important_features_stand_above_the_map() -> None:
    dataset, tables = study(5, 3, 8)
    dataset = replace(dataset, units=dict.fromkeys(dataset.features, "deg"))
    top = tables["feature_importance"]["feature"].tolist()
    figure = heatmap(
        tables["attribution_map"].drop(columns="feature").to_numpy(), dataset.features, dataset.time,
        time_unit="s", trajectories=class_trajectories(dataset, top), label_names=("calm $", "afraid"),
    )  # fmt: skip
    panels = figure.axes[2:]
    assert [panel.get_ylabel() for panel in panels] == [f"{name}\n(deg)" for name in top[:3]]
    for panel in panels:
        assert panel.get_xlim() == figure.axes[0].get_xlim()
    column = dataset.features.index(top[0])
    calm, afraid = (dataset.values[dataset.labels == label, :, column].mean(axis=0) for label in (0, 1))
    np.testing.assert_allclose(heights(panels[0].lines[0]), calm, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(heights(panels[0].lines[1]), afraid, rtol=1e-5, atol=1e-6)
    assert [text.get_text() for text in figure.legends[0].get_texts()][:2] == ["mean of afraid", "mean of calm $"]
    rendered(figure)


def test_a_dataset_brings_its_truth() -> None:
    dataset, tables = study(2, 2, 4)
    truth = PlantedTruth(windows={"angle 1": (0, 2)})
    figures = all_figures(tables, dataset.time, truth=truth)
    assert "boxes" in figures["attribution_map"].get_suptitle()
    legend = figures["feature_importance"].legends[0]
    assert [text.get_text() for text in legend.get_texts()] == [
        "changed in the simulation", "not changed", "95% interval over subjects",
    ]  # fmt: skip


def test_bars_say_how_many_features_are_left_out() -> None:
    maps = [fold_map(np.ones((1, 2, 30), dtype=np.float32))]
    axes = bars(feature_importance(maps, [f"f{i}" for i in range(30)])).axes[0]
    assert len(axes.patches) == 24
    assert "+6 more features" in axes.get_xlabel()


def test_without_intervals_bars_show_the_spread_over_folds() -> None:
    maps = [fold_map(np.full((1, 2, 2), size, dtype=np.float32)) for size in (1.0, 2.0)]  # one subject
    legend = bars(feature_importance(maps, ["a", "b"])).legends[0]
    assert [text.get_text() for text in legend.get_texts()] == ["± 1 SD over folds"]


def test_outcomes_without_errors_have_one_set_of_bars() -> None:
    attributions = np.ones((2, 3, 2), dtype=np.float32)
    outcomes = [fold_outcomes(attributions, np.array([0.9, 0.8]), np.ones(2, np.int8), np.array(["a", "b"]))]
    importance = feature_importance([fold_map(attributions)], ["x", "y"])
    figure = outcome_bars(importance_by_outcome(outcomes, ["x", "y"]), importance)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["right: 2 trials of 2 subjects"]
    rendered(figure)


def test_areas_are_written_into_their_panels() -> None:
    _, tables = study(3, 3, 6)
    metrics = {"deletion_area_cells": 0.25, "deletion_area_cells_low": 0.1, "deletion_area_cells_high": 0.4}
    figure = deletion_insertion(tables["deletion_insertion"], metrics)
    texts = [[text.get_text() for text in axes.texts] for axes in figure.axes]
    assert texts == [["area between: 0.25 [0.10, 0.40]"], [], [], []]


def test_many_windows_fit_below_the_line() -> None:
    _, tables = study(2, 2, 10)
    truth = PlantedTruth(windows={f"f{i}": (0, 3) for i in range(200)})
    figure = timeline(tables["time_importance"], truth=truth)
    low, high = figure.axes[0].get_ylim()
    windows = [heights(line)[0] for line in figure.axes[0].lines[1:]]
    assert len(windows) == 200
    assert max(windows) < low + 0.4 * (high - low)


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_many_features_are_cut_to_the_most_important_and_names_are_no_formulas(suffix: str) -> None:
    values = np.arange(100.0)[:, None] * np.ones((100, 4))
    figure = heatmap(values, [f"$x_{{{i} </text>" for i in range(100)], [0, 1, 2, 3], time_unit="$")
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert (len(names), names[0]) == (80, "$x_{99 </text>")
    assert "(+20 less important)" in figure.get_suptitle()
    assert rendered(figure, suffix)
