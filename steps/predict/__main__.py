"""Entry point ``predict``: a registered model and new recordings -> probabilities, decisions and their attribution."""

from __future__ import annotations

from typing import Any

from steps.cli import command


@command("predict")
def main(parameters: dict[str, Any]) -> None:
    """Score recordings the model has not seen, and say which features moved each probability."""
    from steps.predict.run import score_and_record

    score_and_record(parameters)


if __name__ == "__main__":
    main()
