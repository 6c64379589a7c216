"""Entry point ``evaluate``: fold models -> metrics, tables and figures."""

from __future__ import annotations

from steps.cli import command
from steps.compute import warm_up
from steps.configuration import Evaluate


@command("evaluate")
def main(configuration: Evaluate) -> None:
    """Predict every held-out trial with its own fold's model and say how well that went."""
    warm_up(configuration.compute)
    # MLflow and matplotlib are imported while the pool's first process imports TensorFlow.
    from steps.evaluate.run import evaluate_and_record

    evaluate_and_record(configuration)


if __name__ == "__main__":
    main()
