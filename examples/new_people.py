"""Write recordings of simulated people whom no model has seen, as a long table for `predict`.

    python -m examples.new_people new_people.csv                        # of the default study's population, no labels
    python -m examples.new_people labelled.csv --labels
    python -m examples.new_people others.csv --population 7 --labels    # of another population

`--population` is the `seed` of the study: it fixes what fear changes and how curves usually look. `--people` picks who
is drawn from that population; the study's own people are never drawn again.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
import pandas as pd

from steps.core.data.dataset import Dataset
from steps.core.readers.simulate import SimulationSize, simulate


def long_table(dataset: Dataset, *, labels: bool) -> pd.DataFrame:
    """A row per trial and time point: ``subject`` (N01, ...), ``label`` if wanted, ``trial``, ``time``, features."""
    points = dataset.timesteps
    table = pd.DataFrame(dataset.values.reshape(-1, len(dataset.features)), columns=list(dataset.features))
    table.insert(0, "time", np.tile(dataset.time, len(dataset.labels)))
    table.insert(0, "trial", np.repeat(dataset.trials, points))
    if labels:
        table.insert(0, "label", np.repeat(np.array(dataset.label_names)[dataset.labels], points))
    table.insert(0, "subject", np.repeat(np.char.replace(dataset.subjects, "S", "N"), points))
    return table


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--population", default=0, show_default=True, help="seed of the study whose population this is")
@click.option("--people", default=1, show_default=True, help="which people of that population")
@click.option("--subjects", default=8, show_default=True, help="how many")
@click.option("--labels", is_flag=True, help="write who showed fear")
def main(path: Path, population: int, people: int, subjects: int, labels: bool) -> None:
    """Write the table to PATH (.csv)."""
    dataset = simulate(SimulationSize(subjects=subjects, controls=0), seed=population, people=people)
    long_table(dataset, labels=labels).to_csv(path, index=False)
    click.echo(f"{path}: {len(dataset.labels)} trials of {subjects} subjects")


if __name__ == "__main__":
    main()
