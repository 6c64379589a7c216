from __future__ import annotations

from steps.core.metrics.names import IN_FOLD, at_level, prediction_column, rule_name, statistic_name, vote_column


def test_a_threshold_is_written_in_full() -> None:
    assert [rule_name(rule) for rule in (0.43, 0.5, IN_FOLD)] == [
        "threshold_0.43",
        "threshold_0.5",
        "threshold_in_fold",
    ]
    assert (prediction_column(0.5), vote_column(0.43)) == ("prediction_0.5", "vote_0.43")
    assert at_level("subject", statistic_name("f1", 0.43)) == "subject/threshold_0.43/f1"
    assert statistic_name("auc") == "auc"
