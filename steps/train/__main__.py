"""Entry point ``train``: the dataset artifact -> one model per fold."""

from __future__ import annotations

from steps.cli import command
from steps.compute import warm_up
from steps.configuration import Train


@command("train")
def main(configuration: Train) -> None:
    """Train one model per fold and test number; every fold is a run nested under this one."""
    warm_up(configuration.compute)
    # MLflow and scikit-learn are imported while the pool's first process imports TensorFlow.
    from steps.train.run import train

    train(configuration)


if __name__ == "__main__":
    main()
