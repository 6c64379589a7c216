"""Entry point ``attribute``: fold models -> the importance of features and moments, checked."""

from __future__ import annotations

from typing import Any

from steps.cli import command
from steps.compute import warm_up
from steps.core.attribution.settings import Settings, check_method


@command("attribute")
def main(parameters: dict[str, Any]) -> None:
    """Attribute the probability of every held-out trial, under its own fold's model, to features and time."""
    settings = Settings(**{name: parameters[name] for name in Settings.__dataclass_fields__})
    check_method(settings.method, settings.baseline)
    warm_up(parameters["scheduler"])
    # Only now what takes as long to import as TensorFlow does over there: MLflow and what draws figures.
    from steps.attribute.run import attribute_and_record

    attribute_and_record(parameters, settings)


if __name__ == "__main__":
    main()
