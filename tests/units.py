"""A study in other units: what was of the order of 1 becomes as small and as large as recordings come."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from steps.core.data.dataset import Dataset

# Powers of two, so that nothing is rounded: about 1e-30, 1e-13 (tesla), 2e-8 (siemens), 1, 1e6 and 1e12.
UNITS = np.ldexp(1.0, [-100, -43, -26, 0, 20, 40]).astype(np.float32)


def in_other_units(dataset: Dataset) -> Dataset:
    """The same recordings of six features, each in a unit of its own."""
    return replace(dataset, values=dataset.values * UNITS)
