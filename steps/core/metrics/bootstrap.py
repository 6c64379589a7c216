"""Resampled subjects, for the bands around curves.

The subject is what is drawn: with replacement, with all its trials (the cluster bootstrap; Field & Welsh 2007,
"Bootstrapping clustered data", J. R. Stat. Soc. B 69:369-390). A resample is then nothing but a weight per subject
(`steps.core.metrics.sample`). Numbers have intervals of another kind: `steps.core.metrics.intervals`.
"""

from __future__ import annotations

import numpy as np

from steps.core.metrics.names import CONFIDENCE
from steps.core.metrics.sample import Array


def resample_weights(subjects: int, resamples: int, seed: int) -> Array:
    """How often each subject is drawn, shape ``(resamples, subjects)``; each row sums to ``subjects``."""
    generator = np.random.default_rng(seed)
    draws = generator.multinomial(subjects, np.full(subjects, 1.0 / subjects), size=resamples)
    return draws.astype(np.float64)


def percentile_interval(resampled: Array) -> tuple[Array, Array]:
    """Percentile interval over the first axis (Efron & Tibshirani 1993, ch. 13); what is not a number is left out."""
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.nanpercentile(resampled, [tail, 100 - tail], axis=0)
    return low, high
