"""Entry point ``evaluate``: fold models -> metrics, tables and figures."""

from __future__ import annotations

from typing import Any

from steps.cli import command
from steps.compute import warm_up
from steps.core.baselines.choice import parse_baselines
from steps.core.metrics.thresholds import parse_thresholds


@command("evaluate")
def main(parameters: dict[str, Any]) -> None:
    """Predict every held-out trial with its own fold's model and say how well that went."""
    thresholds = parse_thresholds(parameters["thresholds"])
    baselines = parse_baselines(parameters["baselines"])
    warm_up(parameters["scheduler"])
    # Only now what takes as long to import as TensorFlow does over there: MLflow and what draws figures.
    from steps.evaluate.run import evaluate_and_record

    evaluate_and_record(parameters, thresholds, baselines)


if __name__ == "__main__":
    main()
