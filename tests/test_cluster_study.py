"""A whole study on a Dask cluster is the study that one machine makes."""

from __future__ import annotations

from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.clusters import Cluster
from tests.conftest import step
from tests.inventory import Inventory, differences, inventory, settled
from tests.test_main import SMALL

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
EXPERIMENT = "Fear_Classification_Experiments"


def study(folder: Path, scheduler: str) -> Inventory:
    """What a study leaves in the store of a folder of its own."""
    folder.mkdir()
    done = step("main", folder, **{**SMALL, "workers": 2, "scheduler": scheduler})
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    return settled(inventory(MlflowClient(f"sqlite:///{folder / 'mlflow.db'}"), EXPERIMENT))


def test_everything_is_the_same_but_the_scheduler(dask_cluster: Cluster, tmp_path: Path) -> None:
    local = study(tmp_path / "here", "local")
    on_cluster = study(tmp_path / "there", dask_cluster.address)
    # The parameters of all runs hold the address; as a tag they are one text.
    named = (dask_cluster.address, "> tags > parameters is ")
    assert [line for line in differences(local, on_cluster) if not any(text in line for text in named)] == []
