"""Entry point ``attribute``: fold models -> the importance of features and moments, checked."""

from __future__ import annotations

from typing import Any

from steps.attribute.settings import Settings, check_method
from steps.cli import door
from steps.compute import warm_up


@door("attribute")
def main(parameters: dict[str, Any]) -> None:
    """Attribute the probability of every held-out trial, under its own fold's model, to features and time."""
    settings = Settings(**{name: parameters[name] for name in Settings.__dataclass_fields__})
    check_method(settings.method, settings.baseline)
    warm_up(parameters["scheduler"])
    # Only now what takes as long to import as TensorFlow does over there: MLflow and what draws figures.
    from steps.attribute.recording import attribute_and_record

    attribute_and_record(parameters, settings)


if __name__ == "__main__":
    main()
