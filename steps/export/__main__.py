"""Entry point ``export``: writes a registered model as ONNX, which runs without this project and TensorFlow."""

from __future__ import annotations

from steps.cli import command
from steps.configuration import Export


@command("export")
def main(configuration: Export) -> None:
    """Write a registered model as ONNX, once it is shown that it says the same."""
    from steps.export.run import export_and_record

    export_and_record(configuration)


if __name__ == "__main__":
    main()
