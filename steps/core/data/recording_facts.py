"""What is known of the recordings behind a dataset's trials, and kept beside it: ``recordings.parquet``.

None of it is a signal, and none of it reaches a network; the audit looks whether it gives the class away.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from steps.errors import UserError
from steps.system.private_files import private_file
from steps.system.untrusted_files import check_parquet

FACTS_FILE: Final = "recordings.parquet"
_STEPS: Final = "quantisation"
_SHOWN: Final = 200

Doubles = npt.NDArray[np.float64]
Keys = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True, eq=False)
class RecordingFacts:
    """A value per trial, in the order of the dataset's trials; NaN where it is not known.

    Attributes:
        order: place in the source, from 0, shape ``(trials,)``; NaN where files have no order but that of their names.
        samples: time points as recorded, shape ``(trials,)``.
        duration: from first to last sample, in the recordings' unit of time, shape ``(trials,)``.
        start: time of the first sample, shape ``(trials,)``.
        missing: share of the values that were missing, shape ``(trials,)``.
        quantisation: the step that all values of a feature are multiples of, 0 where there is none, shape
            ``(trials, features)``.
    """

    order: Doubles
    samples: Doubles
    duration: Doubles
    start: Doubles
    missing: Doubles
    quantisation: Doubles

    def select(self, rows: npt.NDArray[np.intp] | npt.NDArray[np.bool_]) -> RecordingFacts:
        """Those of some trials, by their numbers or a mask."""
        return RecordingFacts(**{one.name: getattr(self, one.name)[rows] for one in fields(self)})


def write_facts(facts: RecordingFacts | None, folder: Path, keys: Keys) -> None:
    """Write ``recordings.parquet`` into the folder of a dataset artifact, for the owner alone.

    Args:
        facts: None where there are none: then there is no such file.
        folder: of the artifact.
        keys: subject, trial and label of each trial, by these names.
    """
    if facts is None:
        (folder / FACTS_FILE).unlink(missing_ok=True)
        return
    columns = {name: pa.array(key.tolist()) for name, key in keys.items()}
    columns |= {one.name: pa.array(getattr(facts, one.name)) for one in fields(facts) if one.name != _STEPS}
    flat = pa.array(np.ascontiguousarray(facts.quantisation).reshape(-1))
    columns[_STEPS] = pa.FixedSizeListArray.from_arrays(flat, facts.quantisation.shape[1])
    pq.write_table(pa.table(columns), private_file(folder / FACTS_FILE))


def read_facts(folder: Path, keys: Keys, features: int) -> RecordingFacts | None:
    """What `write_facts` wrote into the folder of a dataset artifact; None where it wrote nothing.

    Args:
        folder: of the artifact.
        keys: as for `write_facts`.
        features: how many the dataset has.

    Raises:
        UserError: the file is damaged, or belongs to another dataset.
    """
    path = folder / FACTS_FILE
    if not path.is_file():
        return None
    try:
        with pq.ParquetFile(path) as file:
            check_parquet(file.metadata, path.stat().st_size, str(path))
            table = file.read(use_threads=False)
        if any(table[name].to_pylist() != key.tolist() for name, key in keys.items()):
            raise ValueError("its rows are of other trials, or in another order")
        names = [one.name for one in fields(RecordingFacts) if one.name != _STEPS]
        columns = {name: table[name].cast(pa.float64()).to_numpy() for name in names}
        steps = table[_STEPS].combine_chunks().flatten().cast(pa.float64()).to_numpy(zero_copy_only=False)
        return RecordingFacts(**columns, quantisation=steps.reshape(len(table), features))
    except (pa.ArrowException, OSError, LookupError, ValueError, OverflowError, AttributeError) as error:
        raise UserError(f"{path} does not match its dataset: {str(error)[:_SHOWN]}; prepare it again") from error
