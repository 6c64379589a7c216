"""Entry point ``predict``: a registered model and new recordings -> probabilities, decisions and their attribution."""

from __future__ import annotations

from steps.cli import command
from steps.configuration import Predict


@command("predict")
def main(configuration: Predict) -> None:
    """Score recordings the model has not seen, and say which features moved each probability."""
    from steps.predict.run import score_and_record

    score_and_record(configuration)


if __name__ == "__main__":
    main()
