"""Everything that talks to MLflow.

``from steps.tracking import MLflowTracker`` is the door for scripts of your own (docs/tracking.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from steps.tracking.tracker import MLflowTracker

__all__ = ["MLflowTracker"]


def __getattr__(name: str) -> Any:
    # Looked up when asked for: within the package, importing it here would go round in circles.
    if name == "MLflowTracker":
        from steps.tracking.tracker import MLflowTracker

        return MLflowTracker
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
