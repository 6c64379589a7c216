"""Nothing to find: what cross-validation and the permutation test say of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.no_effect import SCHEMES, baseline_test, baselines_table, figure, holds, study, table


def test_a_study_is_judged_by_every_scheme(tmp_path: Path) -> None:
    one = study(0, 0.0, ("group-kfold:3",))
    rows = list(table([one]))
    assert "cv=group-kfold:3" in rows[2]
    assert f"{one.retrained_auc:.3f}" in rows[3]
    figure([one], tmp_path / "auc.png")
    assert (tmp_path / "auc.png").stat().st_size > 1000


def test_a_baseline_that_is_trained_again_finds_the_default_effect() -> None:
    pytest.importorskip("aeon")
    auc, p_value = baseline_test(0, 1.0, "minirocket")
    assert auc > 0.9
    assert p_value == 0.001
    assert list(baselines_table({"minirocket": [(auc, p_value)]}))[2].endswith("| 100.0% | 0.0% |")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_without_an_effect_p_of_baselines_is_small_as_seldom_as_it_says() -> None:
    pytest.importorskip("aeon")
    for name in ("minirocket", "multirocket"):
        p = np.array([baseline_test(seed, 0.0, name)[1] for seed in range(200)])
        assert 0.05 - 0.031 <= (p <= 0.05).mean() <= 0.05 + 0.031
        assert 0.05 - 0.031 <= (p >= 0.95).mean() <= 0.05 + 0.031


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_without_an_effect_auc_is_half_and_p_is_small_as_seldom_as_it_says() -> None:
    studies = [study(seed, 0.0, ("loso", "loso-plain")) for seed in range(200)]
    auc = {name: np.array([one.schemes[name].subject_auc for one in studies]) for name in ("loso", "loso-plain")}
    error = auc["loso"].std() / np.sqrt(200)
    assert 0.48 - error < auc["loso"].mean() < 0.52 + error
    assert auc["loso-plain"].mean() < auc["loso"].mean() - 0.05
    assert holds([one.schemes["loso"] for one in studies]) >= 0.93 - 2 * np.sqrt(0.93 * 0.07 / 200)
    p = np.array([one.retrained_p for one in studies])
    # Two standard errors of a share of 5% in 200 studies.
    assert 0.05 - 0.031 <= (p <= 0.05).mean() <= 0.05 + 0.031
    assert 0.05 - 0.031 <= (p >= 0.95).mean() <= 0.05 + 0.031


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_with_a_small_effect_balancing_costs_no_power() -> None:
    studies = [study(seed, 0.1, SCHEMES) for seed in range(60)]
    auc = {name: np.mean([one.schemes[name].subject_auc for one in studies]) for name in SCHEMES}
    assert auc["loso"] > auc["loso-plain"]
    again = np.mean([one.retrained_p <= 0.05 for one in studies])
    assert again >= np.mean([one.schemes["loso-plain"].p_value <= 0.05 for one in studies])
