"""Entry point ``attribute``: fold models -> the importance of features and moments, checked."""

from __future__ import annotations

import sys
from typing import Any

from steps.attribute import worker
from steps.attribute.baselines import check_method
from steps.attribute.settings import Settings
from steps.cli import door
from steps.compute import open_pool

_PROCESS_MIB = 800.0
_READY_EARLY = 4  # processes that are started before it is known how many are needed


@door("attribute")
def main(parameters: dict[str, Any]) -> None:
    """Attribute the probability of every held-out trial, under its own fold's model, to features and time."""
    settings = Settings(**{name: parameters[name] for name in Settings.__dataclass_fields__})
    check_method(settings.method, settings.baseline)
    jobs = sys.maxsize  # not known yet
    with open_pool(parameters["scheduler"], parameters["workers"], jobs, process_mib=_PROCESS_MIB) as pool:
        # TensorFlow takes as long to import as MLflow and the drawing: the pool's processes do the one, this the other.
        for _ in range(min(pool.workers, _READY_EARLY)):
            pool.submit(worker.get_ready)
        from steps.attribute.recording import attribute_and_record

        attribute_and_record(parameters, settings, pool)


if __name__ == "__main__":
    main()
