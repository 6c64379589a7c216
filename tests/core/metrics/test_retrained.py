"""The permutation test that trains again: against refitting by hand, and what it promises."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import pearsonr
from sklearn.linear_model import Ridge
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from steps.core.data.dataset import Ints
from steps.core.metrics.predictions import Scores
from steps.core.metrics.retrained import PENALTY, left_out_scores, retrained_test, together

Array = npt.NDArray[np.float64]
Study = tuple[Array, Scores]


def study(
    seed: int, effect: float, *, subjects: int = 12, trials: int = 4, mixed: bool = False
) -> tuple[Array, Scores]:
    """Features that differ between people and, by ``effect``, between the classes."""
    random = np.random.default_rng(seed)
    codes = np.repeat(np.arange(subjects), trials)
    labels = np.tile(np.arange(trials) % 2, subjects) if mixed else codes % 2
    persons = random.normal(size=(subjects, 30))
    features = persons[codes] + 0.7 * random.normal(size=(len(codes), 30))
    features[:, :5] += effect * labels[:, np.newaxis]
    features = StandardScaler().fit_transform(features)
    names = np.array([f"s{code:02d}" for code in codes])
    return features, Scores(labels.astype(np.int8), np.zeros(len(codes)), names)


def by_hand(features: Array, labels: Ints, codes: npt.NDArray[np.intp], left_out: list[int], of: int) -> Array:
    """scikit-learn's ridge, fitted without some subjects, on the trials of one."""
    trains = ~np.isin(codes, left_out)
    ridge = Ridge(alpha=PENALTY).fit(features[trains], 2.0 * labels[trains] - 1)
    return np.asarray(ridge.predict(features[codes == of]))


@pytest.mark.parametrize("mixed", [False, True])
def test_scores_are_those_of_ridges_that_are_fitted_without_the_subject(mixed: bool) -> None:
    features, scores = study(0, 1.0, subjects=7, mixed=mixed)
    codes = np.unique(scores.subjects, return_inverse=True)[1]
    said = left_out_scores(features, scores.labels[np.newaxis] == 1, codes)[0]
    for one in range(7):
        own = scores.labels[codes == one][0]
        others = [[one]] if mixed else [[one, two] for two in range(7) if scores.labels[codes == two][0] != own]
        expected = np.mean([by_hand(features, scores.labels, codes, left, one) for left in others], axis=0)
        np.testing.assert_allclose(said[codes == one], expected, atol=1e-8)


def test_the_labels_of_whoever_is_scored_play_no_part() -> None:
    features, scores = study(1, 1.0, mixed=True)
    codes = np.unique(scores.subjects, return_inverse=True)[1]
    truth = scores.labels == 1
    mine = codes == 3
    said, after = left_out_scores(features, np.stack([truth, np.where(mine, ~truth, truth)]), codes)
    np.testing.assert_allclose(said[mine], after[mine], atol=1e-8)
    assert not np.allclose(said[~mine], after[~mine])


@pytest.mark.parametrize("mixed", [False, True])
def test_an_effect_is_found_and_none_is_not(mixed: bool) -> None:
    found = retrained_test([study(2, 2.0, mixed=mixed)[0]], study(2, 2.0, mixed=mixed)[1], permutations=199, seed=0)
    assert found["subject"]["p_value"] <= 0.02
    assert found["pooled"]["p_value"] <= 0.02
    assert found["subject"]["value"] > 0.85
    none = retrained_test([study(2, 0.0, mixed=mixed)[0]], study(2, 0.0, mixed=mixed)[1], permutations=199, seed=0)
    assert none["subject"]["p_value"] > 0.05


def test_without_an_effect_p_is_small_as_seldom_as_it_says_and_auc_is_half_on_average() -> None:
    tests = [retrained_test([study(seed, 0.0)[0]], study(seed, 0.0)[1], permutations=99, seed=0) for seed in range(200)]
    for level in ("pooled", "subject"):
        p = np.array([one[level]["p_value"] for one in tests])
        assert (p <= 0.05).mean() <= 0.05 + 2.5 * np.sqrt(0.05 * 0.95 / 200)
        assert (p <= 0.2).mean() == pytest.approx(0.2, abs=2.5 * np.sqrt(0.2 * 0.8 / 200))
        assert (p > 0.8).mean() == pytest.approx(0.2, abs=2.5 * np.sqrt(0.2 * 0.8 / 200))
        auc = np.array([one[level]["value"] for one in tests])
        assert auc.mean() == pytest.approx(0.5, abs=2.5 * auc.std() / np.sqrt(200))


def test_auc_is_that_of_the_scores_and_alike_heads_count_alike() -> None:
    features, scores = study(3, 0.6)
    codes = np.unique(scores.subjects, return_inverse=True)[1]
    said = left_out_scores(features, scores.labels[np.newaxis] == 1, codes)[0]
    for heads in ([features], [features, features]):
        tested = retrained_test(heads, scores, permutations=19, seed=0)
        assert tested["pooled"]["value"] == pytest.approx(roc_auc_score(scores.labels, said))
        means = [said[codes == code].mean() for code in range(12)]
        assert tested["subject"]["value"] == pytest.approx(roc_auc_score(np.arange(12) % 2, means))


def test_a_head_counts_by_the_likelihood_of_the_line_through_its_left_out_scores() -> None:
    random = np.random.default_rng(0)
    labels = random.random((3, 40)) < 0.4
    scores = random.normal(size=(2, 3, 40))
    scores[0] += 2 * labels
    scores[1, 2] = -3 * labels[2]  # points the wrong way, so it counts as if it said nothing
    found = together(scores, labels, subjects=10)
    for row in range(3):
        scaled = StandardScaler().fit_transform(scores[:, row].T).T
        r = [pearsonr(one, labels[row])[0] for one in scaled]
        likelihood = np.array([(1 - max(0, one) ** 2) ** -5 for one in r])
        np.testing.assert_allclose(found[row], likelihood / likelihood.sum() @ scaled, atol=1e-9)


def test_a_head_that_finds_nothing_hides_no_effect_and_p_holds_with_several() -> None:
    noise = np.random.default_rng(1).normal(size=(48, 30))
    features, scores = study(2, 1.5)
    alone, beside = (
        retrained_test(heads, scores, permutations=99, seed=0)["subject"]["value"]
        for heads in ([features], [features, noise, noise])
    )
    assert beside > alone - 0.06
    p = np.array(
        [
            retrained_test([one[:, :15], one[:, 15:]], of, permutations=99, seed=0)["subject"]["p_value"]
            for one, of in (study(seed, 0.0) for seed in range(200))
        ]
    )
    assert (p <= 0.05).mean() <= 0.05 + 2.5 * np.sqrt(0.05 * 0.95 / 200)
    assert (p > 0.8).mean() == pytest.approx(0.2, abs=2.5 * np.sqrt(0.2 * 0.8 / 200))


def test_a_head_of_constant_features_hides_no_effect() -> None:
    """What it says of trials differs by rounding, which may go with the labels."""
    features, scores = study(2, 0.8)
    constant = np.zeros((48, 6))
    alone, beside = (
        retrained_test(heads, scores, permutations=99, seed=0) for heads in ([features], [features, constant])
    )
    assert beside == alone
    assert retrained_test([constant], scores, permutations=19, seed=0)["pooled"]["value"] == 0.5


def test_many_subjects_have_some_partners_each() -> None:
    features, scores = study(4, 1.5, subjects=60, trials=2)
    codes = np.unique(scores.subjects, return_inverse=True)[1]
    labels = np.stack([scores.labels == 1, np.random.default_rng(0).permutation(60)[codes] < 30])
    said = left_out_scores(features, labels, codes)
    assert np.isfinite(said).all()
    assert roc_auc_score(scores.labels, said[0]) > roc_auc_score(labels[1], said[1])
