from __future__ import annotations
import numpy as np
DEFAULT_TIMESTEPS = 101
def percent_axis(timesteps: int) -> tuple[float, ...]:
    return tuple((100.0 * np.arange(timesteps) / (timesteps - 1)).tolist())
