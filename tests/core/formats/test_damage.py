"""Damaged files of every format end in a table or in one line: no traceback, no hang, no gigabytes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from scipy.io import savemat

from tests.conftest import ROOT
from tests.core.formats.helpers import write_npz
from tests.core.formats.test_c3d import write_c3d
from tests.core.formats.test_edf import write_bdf, write_edf
from tests.core.formats.test_feather_and_arff import CASES
from tests.core.formats.test_hdf5 import one_hdf5
from tests.core.formats.test_mat import VARIABLES, write_mat_73
from tests.core.formats.test_ts import HEADER, cases
from tests.core.formats.test_wfdb import write_wfdb
from tests.core.formats.test_xlsx import write_xlsx
from tests.core.readers.helpers import long_frame

WRITERS: dict[str, Callable[[Path], object]] = {
    "points.c3d": write_c3d,
    "study.npz": lambda path: write_npz(long_frame(), path),
    "study.xlsx": lambda path: write_xlsx(long_frame(), path),
    "groups.h5": one_hdf5,
    "plain.mat": lambda path: savemat(path, VARIABLES),
    "packed.mat": lambda path: savemat(path, VARIABLES, do_compression=True),
    "rates.edf": write_edf,
    "bits.bdf": write_bdf,
    "record.hea": write_wfdb,
    "cases.ts": lambda path: path.write_text(HEADER + cases(20)),
    "study.feather": lambda path: long_frame().to_feather(path, compression="zstd"),
    "cases.arff": lambda path: path.write_text(CASES),
    "new.mat": lambda path: write_mat_73(VARIABLES, path),
}


def _fuzz(folder: Path, names: Iterable[str], count: int) -> None:
    paths = []
    for name in names:
        paths.append(str(folder / name))
        WRITERS[name](folder / name)
    command = [sys.executable, "-m", "tests.core.formats.damage", str(count), "0", *paths]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1500)
    assert process.returncode == 0, f"{process.stdout[-3000:]}\n{process.stderr[-2000:]}"
    print(process.stdout.strip())


def test_a_few_damaged_files(tmp_path: Path) -> None:
    _fuzz(tmp_path, WRITERS, 50)


@pytest.mark.slow
@pytest.mark.parametrize("name", WRITERS)
def test_two_thousand_damaged_files(name: str, tmp_path: Path) -> None:
    _fuzz(tmp_path, [name], 2000)
