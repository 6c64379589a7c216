"""How parameters become the typed values of a step's configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

from steps.compute.where import Compute
from steps.parameters import PARAMETERS, Value


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """Parameters of a step as typed values.

    A field is a parameter of its name, or what several mean together: ``compute``, ``choice``, ``label_choice``,
    ``simulation``.

    Attributes:
        given: all of them as numbers, switches and text: what is recorded, compared and handed on.
        files: recorded with the run as they are: where parameters came from.
    """

    given: Mapping[str, Value] = field(repr=False, compare=False)
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, given: Mapping[str, Value], files: Mapping[str, bytes] | None = None) -> Self:
        """The values that parameters mean.

        Raises:
            UserError: one of them is malformed, or two of them do not go together.
        """
        typed = {one.name: _value(one.name, given) for one in fields(cls) if one.name not in ("given", "files")}
        return cls(given=dict(given), files=files or {}, **typed)


def _value(name: str, given: Mapping[str, Value]) -> Any:
    if name == "compute":
        return Compute.of(str(given["scheduler"]), str(given["workers"]))
    if name == "choice":
        from steps.core.readers.choice import Choice  # imports NumPy

        return Choice.of(str(given["features"]), str(given["ignore"]), str(given["columns"]))
    if name == "label_choice":
        from steps.core.readers.label_choice import LabelChoice  # imports NumPy

        return LabelChoice.of(*(str(given[key]) for key in ("label_kind", "label_order", "cut_off")))
    if name == "simulation":
        from steps.core.readers.simulate import SimulationSize  # imports NumPy

        sizes: dict[str, Any] = {one.name: given[f"simulated_{one.name}"] for one in fields(SimulationSize)}
        return SimulationSize(**sizes)
    name = name.removesuffix("_")  # of `from`, which is a word of Python
    return PARAMETERS[name].value(given[name])
