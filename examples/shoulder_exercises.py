"""Turn the shoulder exercises that the package seglearn ships into a long table for `prepare`.

Real recordings: a wrist sensor (accelerometer and gyroscope, 6 channels, 50 Hz) during physiotherapy exercises
(Burns et al. 2018, arXiv:1802.01489). Two of the seven exercises are kept: external and internal rotation; or all.

    python examples/shoulder_exercises.py shoulder.csv
    mlflow run . -P source=shoulder.csv -P positive_label=external_rotation

    python examples/shoulder_exercises.py seven.csv all
    mlflow run . -P source=seven.csv -P label_kind=classes

seglearn reads its own file as a pickle; that happens here, never in the project's steps.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
from seglearn.datasets import load_watch

SAMPLING_RATE_HZ = 50
EXERCISES = {"ER": "external_rotation", "IR": "internal_rotation"}


def shoulder_table(*, everything: bool = False) -> pd.DataFrame:
    """A row per time point: subject, label, trial, time in seconds, six channels; of two exercises or of all."""
    data = load_watch()
    recordings = zip(data["X"], data["y"], data["subject"], data["side"], strict=True)
    parts = []
    for number, (signals, exercise, subject, side) in enumerate(recordings):
        name = str(data["y_labels"][int(exercise)])
        label = EXERCISES.get(name, name if everything else None)
        if label is None:
            continue
        part = pd.DataFrame(signals, columns=list(data["X_labels"]))
        part.insert(0, "time", [sample / SAMPLING_RATE_HZ for sample in range(len(part))])
        part.insert(0, "trial", f"{'right' if side else 'left'}-{number:03d}")
        part.insert(0, "label", label)
        part.insert(0, "subject", f"P{int(subject):02d}")
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def main() -> None:
    """Write the table to the path given, or say how to call this."""
    if len(sys.argv) not in (2, 3) or sys.argv[2:] not in ([], ["all"]):
        sys.exit("usage: python examples/shoulder_exercises.py TABLE.csv [all]")
    table = shoulder_table(everything=len(sys.argv) == 3)
    table.to_csv(Path(sys.argv[1]), index=False)
    trials = table.groupby(["subject", "label", "trial"]).ngroups
    print(f"{trials} recordings of {table['subject'].nunique()} subjects written to {sys.argv[1]}")


if __name__ == "__main__":
    main()
