"""The same loop in PyTorch on a CPU: needs nothing but torch and NumPy, so any environment that has them will do.

    python -m benchmarks.plain.torch_study splits.json --model cnn --epochs 60 --result result.json

Layers, initial distributions, loss, penalty, optimiser and schedule are those of the Keras networks; files and results
as in `benchmarks.plain.keras_study`. Nothing is logged and no model is saved.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

POSITIVE = "fear"


def main() -> None:
    """Every fold, one after the other."""
    options = parse_options()
    splits = json.loads(options.splits.read_text())
    folds = [train_fold(Path(splits["recordings"]), fold, options) for fold in splits["folds"]]
    options.result.write_text(json.dumps({"folds": folds, "torch": torch.__version__}))


def train_fold(recordings: Path, fold: dict[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    """Read, standardise, train, predict; returns seconds per phase and the predictions."""
    began, before = time.time(), time.perf_counter()
    x, y = read_trials(recordings, fold["training"])
    mean, deviation = x.mean((0, 1)), x.std((0, 1), correction=0)
    x = standardised(x, mean, deviation)
    x_val, y_val = read_trials(recordings, fold["validation"])
    x_val = standardised(x_val, mean, deviation)
    x_test, y_test = read_trials(recordings, fold["test"])
    x_test = standardised(x_test, mean, deviation)
    weights = len(y) / (2 * torch.bincount(y.long()))
    read = time.perf_counter()
    torch.manual_seed(fold["seed"])
    model, penalised = build(options.model, x.shape[1])
    optimizer = torch.optim.Adam(model.parameters(), options.learning_rate, eps=1e-7)
    # Reduces after more bad epochs than its patience; Keras after as many.
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=5, threshold=0.0)
    ends = []
    for _ in range(options.epochs):
        model.train()
        total, correct = 0.0, 0
        for batch in torch.randperm(len(y)).split(options.batch_size):
            optimizer.zero_grad()
            probability = model(x[batch])[:, 0]
            entropy = functional.binary_cross_entropy(probability, y[batch], weight=weights[y[batch].long()])
            loss = entropy + 0.01 * sum(weight.square().sum() for weight in penalised)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(batch)
            correct += int(((probability > 0.5) == (y[batch] > 0.5)).sum())
        model.eval()
        with torch.no_grad():
            probability = model(x_val)[:, 0]
            validation = functional.binary_cross_entropy(probability, y_val)
            validation = validation + 0.01 * sum(weight.square().sum() for weight in penalised)
        plateau.step(validation.item())
        ends.append(time.perf_counter())
    with torch.no_grad():
        probabilities = model(x_test)[:, 0]
    return {
        "name": fold["name"],
        "test_number": fold["test_number"],
        "began": began,
        "ended": time.time(),
        "seconds": {"read": read - before, "fit": ends[-1] - read, "predict": time.perf_counter() - ends[-1]},
        "later_epochs_s": ends[-1] - ends[0],
        "training_trials": len(y),
        "labels": y_test.int().tolist(),
        "probabilities": probabilities.tolist(),
    }


def read_trials(folder: Path, subjects: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
    """Trials ``(trials, timesteps, features)`` and labels ``(trials,)``."""
    paths = [path for subject in subjects for path in sorted((folder / subject).glob("*/*.csv"))]
    values = [np.loadtxt(path, np.float32, delimiter=",", skiprows=1) for path in paths]
    labels = [float(path.parent.name == POSITIVE) for path in paths]
    return torch.from_numpy(np.stack(values)), torch.tensor(labels)


def standardised(x: torch.Tensor, mean: torch.Tensor, deviation: torch.Tensor) -> torch.Tensor:
    """As `torch.nn.Conv1d` wants it, ``(trials, features, timesteps)``."""
    return ((x - mean) / deviation).transpose(1, 2).contiguous()


class GlobalAverage(nn.Module):  # type: ignore[misc]
    """Mean over time."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``(trials, features, timesteps)`` to ``(trials, features)``."""
        return x.mean(2)


def build(name: str, features: int) -> tuple[nn.Module, list[torch.Tensor]]:
    """The network, and the weights under the L2 penalty."""
    layers = _cnn(features) if name == "cnn" else _cnn_wide(features)
    width = 64 if name == "cnn" else 450
    model = nn.Sequential(*layers, nn.Linear(width, 1), nn.Sigmoid())
    for module in model:
        if isinstance(module, nn.Conv1d | nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    penalised = [m.weight for m in model[:-2] if isinstance(m, nn.Conv1d | nn.Linear)] if name == "cnn_wide" else []
    return model, penalised


def _cnn(features: int) -> list[nn.Module]:
    return [
        nn.Conv1d(features, 64, 5, padding="same"),
        nn.ReLU(),
        nn.Conv1d(64, 64, 5, padding="same"),
        nn.ReLU(),
        GlobalAverage(),
        nn.Linear(64, 64),
        nn.ReLU(),
        nn.Dropout(0.3),
    ]


def _cnn_wide(features: int) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for filters, kernel, dropout, pool in ((400, 3, 0.2, False), (100, 7, 0.4, True), (300, 3, 0.2, False)):
        layers.append(nn.Conv1d(features, filters, kernel, padding="same", bias=False))
        layers += [nn.BatchNorm1d(filters, eps=1e-3, momentum=0.01), nn.ReLU()]
        layers += [nn.MaxPool1d(2, ceil_mode=True)] if pool else []
        layers.append(nn.Dropout(dropout))
        features = filters
    return [*layers, GlobalAverage(), nn.Linear(300, 450), nn.ReLU(), nn.Dropout(0.3)]


def parse_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("splits", type=Path)
    parser.add_argument("--result", type=Path, required=True)
    parser.add_argument("--model", choices=("cnn", "cnn_wide"), default="cnn")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=0.001)
    return parser.parse_args()


if __name__ == "__main__":
    main()
