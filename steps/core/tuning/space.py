"""What a search chooses among: parameters of `train`, of one network or of several."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod
from typing import Final

from steps.core.data.tried import Value
from steps.core.models.table import MODELS, Choice, Range
from steps.errors import UserError, shown

Settings = Mapping[str, Value]

MODEL: Final = "model"
ALL: Final = "all"
_DIGITS = 3  # significant ones: nobody needs a learning rate of 17


@dataclass(frozen=True)
class Space:
    """What a search chooses among.

    Attributes:
        networks: name of each network -> parameter -> its values.
        start: what is tried first: the network, and its parameters as they would be without a search.
    """

    networks: Mapping[str, Mapping[str, Range | Choice]]
    start: Settings

    @cached_property
    def dimensions(self) -> dict[str, Range | Choice]:
        """Everything there is to choose, by the names that `named` and `settings` know.

        With several networks these are ``model``, and the parameters of each as ``cnn.epochs``: the same parameter need
        not have the same values, nor mean the same.
        """
        several = len(self.networks) > 1
        found: dict[str, Range | Choice] = {MODEL: Choice(tuple(self.networks))} if several else {}
        for network, parameters in self.networks.items():
            found |= {self._name(network, one): values for one, values in parameters.items()}
        return found

    @property
    def size(self) -> float:
        """How many different settings there are; infinite where a parameter is not of whole numbers."""
        return sum(prod(map(_count, parameters.values())) for parameters in self.networks.values())

    def every(self) -> Iterator[dict[str, Value]]:
        """All settings of a finite space, `start` first."""
        yield dict(self.start)
        for network, parameters in self.networks.items():
            for values in product(*map(_values, parameters.values())):
                one = {MODEL: network, **dict(zip(parameters, values, strict=True))}
                if one != self.start:
                    yield one

    def named(self, settings: Settings) -> dict[str, Value]:
        """Settings by the names of `dimensions`."""
        network = str(settings[MODEL])
        own = {self._name(network, one): settings[one] for one in self.networks[network]}
        return {MODEL: network, **own} if MODEL in self.dimensions else own

    def settings(self, named: Mapping[str, Value]) -> dict[str, Value]:
        """What `named` makes names of, rounded to what somebody would write."""
        network = str(named.get(MODEL, next(iter(self.networks))))
        own = {one: rounded(named[self._name(network, one)]) for one in self.networks[network]}
        return {MODEL: network, **own}

    def of_network(self, network: str) -> dict[str, Range | Choice]:
        """The `dimensions` of one network."""
        return {self._name(network, one): values for one, values in self.networks[network].items()}

    def _name(self, network: str, parameter: str) -> str:
        return f"{network}.{parameter}" if len(self.networks) > 1 else parameter


def rounded(value: Value) -> Value:
    """A number with few digits; others as they are."""
    return float(f"{value:.{_DIGITS}g}") if isinstance(value, float) else value


def space_of(
    given: Mapping[str, Value],
    defaults: Mapping[str, Value],
    *,
    networks: Collection[str],
    search: Collection[str] | None,
    normalise: bool,
) -> Space:
    """The space of a search.

    Args:
        given: parameters of `train`, as they would be without a search.
        defaults: of the same parameters.
        networks: names of networks beside ``given["model"]`` that may be chosen, too.
        search: parameters to search; None for all that are declared.
        normalise: whether the study allows ``normalise=subject``.

    Raises:
        UserError: a network is none, a parameter is not declared for a search, one that is searched was given as well,
            or there is nothing to choose.
    """
    model = str(given[MODEL])
    if unknown := [name for name in networks if name not in MODELS]:
        raise UserError(f"networks names {shown(unknown[0])}, expected 'none' or some of: {', '.join(MODELS)}")
    names = [model, *(name for name in networks if name != model)]
    declared = {
        name: {one: values for one, values in MODELS[name].search.items() if one != "normalise" or normalise}
        for name in names
    }
    known = sorted({one for parameters in declared.values() for one in parameters})
    if search is not None and (unknown := [one for one in search if one not in known]):
        hint = " (normalise takes trials of both classes of every subject)" if unknown[0] == "normalise" else ""
        raise UserError(
            f"search names {shown(unknown[0])}, which is not searched for {', '.join(names)}; expected 'all' or some "
            f"of: {', '.join(known) or 'nothing'}{hint}"
        )
    wanted = {
        name: {one: values for one, values in parameters.items() if search is None or one in search}
        for name, parameters in declared.items()
    }
    searched = {one: values for parameters in wanted.values() for one, values in parameters.items()}
    for one, values in searched.items():
        if given[one] != defaults[one]:
            others = ",".join(name for name in known if name != one and name in searched)
            instead = f", or take it out of the search: search={others}" if others else ""
            raise UserError(f"{one}={given[one]} was given, and {one} is searched ({values}); leave it out{instead}")
    space = Space(wanted, {MODEL: model, **{one: given[one] for one in wanted[model]}})
    if space.size < 2:
        able = [name for name, row in MODELS.items() if row.search]
        raise UserError(
            f"model={model} has nothing to search in this study, expected a network with declared values, such as "
            f"{' or '.join(able)}, or networks to choose among: networks={','.join(MODELS)}"
        )
    return space


def _count(values: Range | Choice) -> float:
    if isinstance(values, Choice):
        return len(values.values)
    return values.high - values.low + 1 if values.is_whole else float("inf")


def _values(values: Range | Choice) -> tuple[Value, ...]:
    return values.values if isinstance(values, Choice) else tuple(range(int(values.low), int(values.high) + 1))
