"""Write folders as an Empatica E4 wristband leaves them, one for each of some simulated people.

    python -m examples.wristbands wristbands

Everybody sits for eight minutes, three of them calm and three afraid, in either order. Beside the signals lies
``events.csv``, and in the folder of all a ``study.yaml`` that says which file is what.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
import numpy.typing as npt

RATES = {"EDA": 4, "BVP": 64, "TEMP": 4, "HR": 1, "ACC": 32}
SECONDS, START = 480, 1_700_000_000
STRETCHES = ((30, 180), (270, 180))  # onset and duration
DESCRIPTION = """\
sources:
  EDA: "{subject}/EDA.csv"
  BVP: "{subject}/BVP.csv"
  TEMP: "{subject}/TEMP.csv"
  HR: "{subject}/HR.csv"
  ACC: "{subject}/ACC.csv"
rate: 4
trials:
  events: {files: "{subject}/events.csv", duration: duration, label: label}
  windows: {length: 30}
"""
Signal = npt.NDArray[np.float64]


def person(labels: tuple[str, str], rng: np.random.Generator) -> dict[str, Signal]:
    """The signals of one person, each ``(samples, channels)``; fear quickens the heart and makes the skin react."""
    afraid = np.zeros(SECONDS)
    for (onset, duration), label in zip(STRETCHES, labels, strict=True):
        afraid[onset : onset + duration] = label == "fear"
    heart = rng.normal(72, 8) + np.cumsum(rng.normal(0, 0.4, SECONDS)) * 0.5 + rng.normal(6, 3) * afraid
    time = {name: np.arange(SECONDS * rate) / rate for name, rate in RATES.items()}
    level, strength = rng.uniform(1, 5), rng.uniform(0.05, 0.4)
    skin = level + 0.02 * np.cumsum(rng.normal(0, 0.05, len(time["EDA"])))
    for second in np.flatnonzero(rng.random(SECONDS) < 0.03 + 0.05 * afraid):
        since = time["EDA"] - second
        skin += np.where(since > 0, strength * rng.uniform(0.5, 1.5) * since * np.exp(-since / 2), 0)
    phase = np.cumsum(np.interp(time["BVP"], time["HR"], heart)) / 60 / RATES["BVP"]
    pulse = 40 * np.sin(2 * np.pi * phase) + rng.normal(0, 5, len(phase))
    warmth = rng.normal(32, 1) - 0.0005 * np.cumsum(np.repeat(afraid, RATES["TEMP"]))
    still = np.rint(np.array([0, 30, 55]) + rng.normal(0, 1, (len(time["ACC"]), 3)))
    columns = {"EDA": skin, "BVP": pulse, "TEMP": warmth + rng.normal(0, 0.01, len(warmth)), "HR": heart}
    return {**{name: column[:, np.newaxis] for name, column in columns.items()}, "ACC": still}


def write(folder: Path, signals: dict[str, Signal], labels: tuple[str, str]) -> None:
    """One person's folder: the time at the start, the rate, the samples; the heart rate begins 10 seconds later."""
    folder.mkdir(parents=True)
    for name, signal in signals.items():
        late = 10 * (name == "HR")
        head = [[START + late] * signal.shape[1], [RATES[name]] * signal.shape[1]]
        lines = [", ".join(f"{cell:.6f}" for cell in row) for row in head]
        lines += [",".join(f"{cell:.6g}" for cell in row) for row in signal[late * RATES[name] :]]
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")
    events = [f"{onset},{duration},{label}" for (onset, duration), label in zip(STRETCHES, labels, strict=True)]
    (folder / "events.csv").write_text("\n".join(["onset,duration,label", *events]) + "\n")


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--people", default=12, show_default=True, help="how many")
@click.option("--seed", default=0, show_default=True, help="which people")
def main(path: Path, people: int, seed: int) -> None:
    """Write the folders to PATH."""
    rng = np.random.default_rng(seed)
    for number in range(people):
        labels = ("calm", "fear") if number % 2 else ("fear", "calm")
        write(path / f"P{number + 1:02d}", person(labels, rng), labels)
    (path / "study.yaml").write_text(DESCRIPTION)
    click.echo(f"{path}: {people} people, {SECONDS // 60} minutes each")


if __name__ == "__main__":
    main()
