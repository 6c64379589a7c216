"""The driver's last lines."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

from rich.console import Console

from steps.core.data.dataset import Dataset
from steps.report.terminal import closing_lines, show_closing
from tests.report.conftest import MakeReport


def test_warnings_about_the_dataset_are_repeated_also_when_prepare_was_reused(
    make_report: MakeReport, small_study: Dataset
) -> None:
    dataset = replace(small_study, notes=("Interpolated 1 thing.", "WARNING: [red]rates[/red] differ."))
    lines = closing_lines(make_report(dataset), "", "", ())
    assert [text for name, text in lines if name == "Warning"] == ["[red]rates[/red] differ."]
    assert "Interpolated" not in str(lines)
    out = StringIO()
    show_closing(lines, Console(file=out, width=100))
    assert "Warning  [red]rates[/red] differ." in out.getvalue()
