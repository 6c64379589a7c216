"""Entry point ``tune``: the dataset artifact -> better settings, and what they are worth for people not searched on."""

from __future__ import annotations

from steps.cli import command
from steps.compute import warm_up
from steps.configuration import Tune


@command("tune")
def main(configuration: Tune) -> None:
    """Search for better settings of a network, apart in each fold, and write them for train -P config=best.yaml."""
    warm_up(configuration.compute)
    # MLflow and scikit-learn are imported while the pool's first process imports TensorFlow.
    from steps.tune.run import tune

    tune(configuration)


if __name__ == "__main__":
    main()
