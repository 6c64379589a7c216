"""Names that MLflow draws for runs nobody has named."""

from __future__ import annotations

from mlflow.utils import name_utils


def was_drawn(name: str) -> bool:
    """Whether MLflow drew a run's name, such as ``bright-snail-182``: an adjective and a noun of its own lists."""
    first, _, rest = name.partition("-")
    second, _, number = rest.partition("-")
    return first in name_utils._GENERATOR_PREDICATES and second in name_utils._GENERATOR_NOUNS and number.isdecimal()
