"""How the work grows with subjects and with trials per subject: time of each step, memory, storage.

    python -m benchmarks.growth

Every fold of every study is trained, by ``python -m steps.train``, for a few epochs: more of them take longer, but
neither memory nor storage to speak of. Memory is the sum over all processes of the training at its largest. Then
``python -m steps.evaluate`` and ``python -m steps.attribute`` work on that training, whole commands both.
"""

from __future__ import annotations

import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path

import click

from benchmarks import sides
from benchmarks.command import part
from benchmarks.ingestion import ingest
from benchmarks.measure import CORES, seconds_of
from benchmarks.report import Bar, Result, Row, Series
from benchmarks.sides import Outcome, Training
from benchmarks.study import Plan, Study, make_study
from steps.core.data.artifact import read_artifact

BAR_SUBJECTS, BAR_TRIALS, GIGABYTES_ALLOWED = 64, 10, 4.0
HEADER = (
    "subjects",
    "trials each",
    "folds",
    "files to artifact, s",
    "loading, ms",
    "train, s",
    "per fold, s",
    "per epoch and fold, ms",
    "evaluate, s",
    "attribute, s",
    "peak memory, GB",
    "store per fold, MB",
    "dataset, MB",
)
_LOADINGS = 5


@dataclass(frozen=True)
class Size:
    """Studies ``(subjects, trials each)`` that grow in one and then the other, and the epochs of each fold."""

    by_subjects: tuple[tuple[int, int], ...] = ((8, 10), (16, 10), (32, 10), (BAR_SUBJECTS, BAR_TRIALS))
    by_trials: tuple[tuple[int, int], ...] = ((16, 5), (16, 10), (16, 20), (16, 40))
    epochs: int = 5


QUICK = Size(((6, 3), (8, 3)), (), 2)


def measure(model: str, size: Size, folder: Path) -> Result:
    """Train every study once."""
    by_size: dict[tuple[int, int], tuple[float | str, ...]] = {}
    rows = []
    for subjects, trials in dict.fromkeys((*size.by_subjects, *size.by_trials)):
        place = folder / f"{subjects}x{trials}"
        study = make_study(place / "study", subjects=subjects, trials=trials)
        training = Training(model, size.epochs)
        outcome = sides.project(study, Plan(), training, place / "trained", memory=True, auc=False)
        gigabytes = (outcome.command.peak_bytes or 0) / 1e9
        by_size[subjects, trials] = _row((subjects, trials), study, training, outcome, gigabytes)
        if (subjects, trials) == (BAR_SUBJECTS, BAR_TRIALS):
            work = (
                f"`{model}`: peak memory, {subjects} subjects x {trials} trials, {min(CORES, subjects)} folds at once"
            )
            rows.append(Row(work, "GB", (gigabytes,), bar=Bar("at most", GIGABYTES_ALLOWED)))
    title = f"`{model}`, {size.epochs} epochs, {CORES} cores"
    series = [
        Series(f"{title}, more subjects:", HEADER, tuple(by_size[key] for key in size.by_subjects)),
        Series(f"{title}, more trials per subject:", HEADER, tuple(by_size[key] for key in size.by_trials)),
    ]
    return Result(rows, [], [entry for entry in series if entry.rows])


def bytes_in(folder: Path) -> int:
    """Size of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _row(
    size: tuple[int, int], study: Study, training: Training, outcome: Outcome, gigabytes: float
) -> tuple[float | str, ...]:
    folds = sides.recorded_folds(outcome.folder)
    fit = statistics.median(float(fold.run.data.metrics["training_time_s"]) for fold in folds)
    stored = bytes_in(outcome.folder)  # before the other steps add theirs
    again = study.dataset.with_name("again")
    ingest(study.recordings, again)  # once untimed: modules into the process
    return (
        *size,
        len(folds),
        seconds_of(lambda: ingest(study.recordings, again)),
        1e3 * statistics.median(seconds_of(lambda: read_artifact(again)) for _ in range(_LOADINGS)),
        outcome.command.wall_s,
        outcome.fold_s,
        1e3 * fit / training.epochs,
        *(sides.step(name, outcome.folder, {"output_dir": "none"}).wall_s for name in ("evaluate", "attribute")),
        gigabytes,
        stored / len(folds) / 1e6,
        bytes_in(study.dataset) / 1e6,
    )


@part(__doc__)
@click.option("--model", type=click.Choice(("cnn", "cnn_wide")), default="cnn", show_default=True)
def main(quick: bool, model: str) -> Result:
    """Measure growth."""
    with tempfile.TemporaryDirectory() as scratch:
        return measure(model, QUICK if quick else Size(), Path(scratch))


if __name__ == "__main__":
    main()
