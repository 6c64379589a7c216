"""Everything that talks to MLflow.

Your own scripts use ``from steps.tracking import MLflowTracker`` (docs/tracking.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from steps.tracking.tracker import MLflowTracker

__all__ = ["MLflowTracker"]


def __getattr__(name: str) -> Any:
    # Imported at its first use: importing it here would be a circular import.
    if name == "MLflowTracker":
        from steps.tracking.tracker import MLflowTracker

        return MLflowTracker
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
