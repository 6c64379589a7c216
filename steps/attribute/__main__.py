"""Entry point ``attribute``: fold models -> the importance of features and moments, checked."""

from __future__ import annotations

from steps.cli import command
from steps.compute import warm_up
from steps.configuration import Attribute


@command("attribute")
def main(configuration: Attribute) -> None:
    """Attribute the probability of every held-out trial, under its own fold's model, to features and time."""
    warm_up(configuration.compute)
    # MLflow and matplotlib are imported while the pool's first process imports TensorFlow.
    from steps.attribute.run import attribute_and_record

    attribute_and_record(configuration)


if __name__ == "__main__":
    main()
