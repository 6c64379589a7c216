"""From 1,000 trial files to the dataset artifact, and loading it again, against pandas reading the files, by turns.

    python -m benchmarks.ingestion

Everything is in the page cache on both sides. The plain artifact is a long table in Parquet; to load again, the plain
way reads the CSV files again, as it does for every fold.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.command import part
from benchmarks.measure import by_turns, seconds_of
from benchmarks.plain.recordings import read_trials
from benchmarks.report import Bar, Result, Row
from benchmarks.study import simulated, write_recordings
from steps.core.data.artifact import read_artifact, write_artifact
from steps.core.readers.files import Fingerprint
from steps.core.readers.load import load_source, unchanged
from steps.core.readers.trial_files import PARTICIPANTS


@dataclass(frozen=True)
class Size:
    """Of the study, and how often each side reads it."""

    subjects: int = 100
    trials: int = 10
    turns: int = 11


QUICK = Size(10, 4, 2)


def measure(size: Size, folder: Path) -> Result:
    """Write the files and time both sides."""
    study = simulated(size.subjects, size.trials)
    recordings, artifact = folder / "recordings", folder / "dataset"
    write_recordings(study, recordings)
    participants = recordings / PARTICIPANTS
    subjects = np.unique(study.subjects).tolist()
    # Once untimed: files into the cache, modules into the process.
    to_parquet(participants, subjects, folder / "plain.parquet")
    ingest(recordings, artifact)
    reading = by_turns(
        {
            "plain": lambda _turn: seconds_of(lambda: to_parquet(participants, subjects, folder / "plain.parquet")),
            "project": lambda _turn: seconds_of(lambda: ingest(recordings, artifact)),
        },
        size.turns,
    )
    loading = by_turns(
        {
            "plain": lambda _turn: seconds_of(lambda: read_trials(participants, subjects)),
            "project": lambda _turn: seconds_of(lambda: read_artifact(artifact)),
        },
        size.turns,
    )
    files = f"{len(study.labels):,} trial files"
    against = "pandas, file by file"
    return Result(
        [
            Row(f"{files} to the dataset artifact", "s", *_sides(reading), against, Bar("faster", 3.0)),
            Row(f"loading it again, {files}", "s", *_sides(loading), against, Bar("faster", 50.0)),
        ]
    )


def ingest(recordings: Path, artifact: Path) -> None:
    """What ``prepare`` does between opening its run and logging: read, validate, fingerprint, write."""
    source, fingerprint = str(recordings), Fingerprint()
    with unchanged(source):
        dataset = load_source(source, fingerprint=fingerprint)
    fingerprint.hexdigest()
    write_artifact(dataset, artifact)


def to_parquet(participants: Path, subjects: list[str], path: Path) -> None:
    """The plain way: pandas reads file by file and writes one long table."""
    files = [file for subject in subjects for file in sorted((participants / subject).glob("*/*.csv"))]
    tables = {(file.parts[-3], file.parent.name, file.stem): pd.read_csv(file) for file in files}
    pd.concat(tables, names=["subject", "label", "trial", "sample"]).to_parquet(path)


def _sides(timings: dict[str, list[float]]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    return tuple(timings["project"]), tuple(timings["plain"])


@part(__doc__)
def main(quick: bool) -> Result:
    """Measure reading and loading."""
    with tempfile.TemporaryDirectory() as scratch:
        return measure(QUICK if quick else Size(), Path(scratch))


if __name__ == "__main__":
    main()
