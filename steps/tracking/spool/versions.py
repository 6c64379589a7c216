"""Registered versions of models, from a spool to its server, with their evidence and aliases."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from steps.tracking.spool.copy import Names
from steps.tracking.spool.marks import COPY_OF, STATE, SYNC, VERSION, digest_of, model_of
from steps.tracking.spool.spool import Spool
from steps.tracking.store.paging import pages
from steps.tracking.store.tracking_uri import show_uri
from steps.tracking.store.trouble import is_forbidden


class NotOursError(Exception):
    """A registered model belongs to another account of the server."""


# Does something and notes a refusal under a name.
Refusable = Callable[[str, Callable[[], None]], None]


@dataclass(frozen=True)
class Versions:
    """The registered versions of a spool and those of its server.

    Attributes:
        local: client of the spool.
        server: client of the server.
        names: how the server calls what has been copied.
        gives_way: whether an alias that the server has given to another version stays there.
    """

    local: MlflowClient
    server: MlflowClient
    names: Names
    gives_way: bool = False

    def waiting(self, deleted_models: Callable[[], set[str]]) -> int:
        """How many the server does not have, but for those whose models were deleted there."""
        new = [version for _, version in self._all() if VERSION not in version.tags]
        gone = deleted_models() if new else set()
        return len([version for version in new if model_of(version) not in gone])

    def review(self, changed: bool) -> list[str]:
        """Forget which versions the server has forgotten; returns what has to be said.

        Args:
            changed: whether runs or models have got other IDs, which versions may mention.
        """
        lost = []
        for registered in self.local.search_registered_models():
            noted = [version for version in self._of(registered.name) if VERSION in version.tags]
            known = self._on_server(registered.name) if noted else {}
            aliases = self.server.get_registered_model(registered.name).aliases if known else {}
            for version in noted:
                if not self._is_ours(version, known.get(version.tags[VERSION])):
                    lost.append(f"{registered.name}/{version.tags[VERSION]}")
                    self._drop(version, VERSION, STATE)
                elif changed or set(_aliases(registered, version)) - aliases.keys():
                    self._drop(version, STATE)
        if not lost:
            return []
        return [f"{show_uri(self.server.tracking_uri)} no longer has {', '.join(lost)}; registered again"]

    def push(self, refusable: Refusable) -> int:
        """Register what is new, and send evidence and aliases that have changed; returns how many were registered."""
        made: list[str] = []
        for registered, version in self._all():
            name = f"version {registered.name}/{version.version}"
            refusable(name, partial(self._push, registered, version, made))
        return len(made)

    def recognise(self) -> None:
        """Note which versions the server has already, whoever brought them, so that they are not written again."""
        for registered, version in self._all():
            name = registered.name
            copy = next((one for one in self._on_server(name).values() if self._is_ours(version, one)), None)
            if copy is None:
                continue
            self.local.set_model_version_tag(name, version.version, VERSION, str(copy.version))
            aliases, tags = _aliases(registered, version), self._tags(version)
            taken = self.server.get_registered_model(name).aliases.keys()
            if tags.keys() <= copy.tags.keys() and set(aliases) <= taken:
                state = digest_of([tags, version.description, aliases])
                self.local.set_model_version_tag(name, version.version, STATE, state)

    def numbers(self) -> dict[str, str]:
        """How the server calls the versions that it has, both as ``models:/name/3``."""
        return {
            f"models:/{registered.name}/{version.version}": f"models:/{registered.name}/{version.tags[VERSION]}"
            for registered, version in self._all()
            if VERSION in version.tags
        }

    def kept_aliases(self) -> list[str]:
        """Which aliases were left with other versions of the server, a line each."""
        notes = []
        for registered, version in self._all() if self.gives_way else ():
            number, wanted = version.tags.get(VERSION), _aliases(registered, version)
            taken = self.server.get_registered_model(registered.name).aliases if number and wanted else {}
            notes += [
                f"alias {alias} of {registered.name} stays with version {taken[alias]} on "
                f"{show_uri(self.server.tracking_uri)}; what was {alias} here is version {number} there"
                for alias in wanted
                if alias in taken and str(taken[alias]) != number
            ]
        return notes

    def missing(self) -> Iterator[str]:
        """What the server does not hold of the versions, a line each."""
        for registered, version in self._all():
            name, number = registered.name, version.tags.get(VERSION)
            copy = self._on_server(name).get(number or "")
            if copy is None or not self._is_ours(version, copy):
                yield f"registered version {name}/{version.version} is not there"
                continue
            wanted = self._tags(version)
            if lacking := [key for key, value in wanted.items() if copy.tags.get(key) != value]:
                yield f"registered version {name}/{version.version} has another tag {lacking[0]} there"
            aliases = self.server.get_registered_model(name).aliases
            if lacking := [alias for alias in _aliases(registered, version) if alias not in aliases]:
                yield f"registered version {name}/{version.version} has no alias {lacking[0]} there"

    def _push(self, registered: Any, version: Any, made: list[str]) -> None:
        name = registered.name
        tags = self._tags(version)
        aliases = _aliases(registered, version)
        state = digest_of([tags, version.description, aliases])
        if version.tags.get(STATE) == state or model_of(version) not in self.names.identifiers:
            return
        try:
            self._send(registered, version, tags, aliases, made)
        except MlflowException as error:
            if not is_forbidden(error):
                raise
            raise self._not_ours(name) from error
        self.local.set_model_version_tag(name, version.version, STATE, state)

    def _send(
        self, registered: Any, version: Any, tags: Mapping[str, str], aliases: list[str], made: list[str]
    ) -> None:
        name = registered.name
        number = version.tags.get(VERSION) or self._register(registered, version, made)
        for key, value in tags.items():
            self.server.set_model_version_tag(name, number, key, value)
        self.server.update_model_version(name, number, description=self.names.translate(version.description or ""))
        # Where the server has forgotten some, the others may belong to newer versions by now.
        is_reviewed = VERSION in version.tags and STATE not in version.tags
        taken = self.server.get_registered_model(name).aliases if is_reviewed or self.gives_way else {}
        for alias in aliases:
            if alias not in taken:
                self.server.set_registered_model_alias(name, alias, number)
        self.local.set_model_version_tag(name, version.version, VERSION, number)

    def _register(self, registered: Any, version: Any, made: list[str]) -> str:
        name, original = registered.name, model_of(version)
        if not self._is_there(name):
            try:
                self.server.create_registered_model(name, description=registered.description)
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS" or self._is_there(name):  # another process was faster
                    raise
                raise self._not_ours(name) from error
        for known in self._on_server(name).values():
            if self._is_ours(version, known):
                return str(known.version)
        model_id = self.names.identifiers[original]
        registered_version = self.server.create_model_version(
            name,
            self.server.get_logged_model(model_id).artifact_location,
            run_id=self.names.identifiers.get(version.run_id),
            tags={COPY_OF: version.tags.get(COPY_OF, original)},
            model_id=model_id,
            await_creation_for=0,  # MLflow's own stores make it at once
        )
        made.append(str(registered_version.version))
        return made[-1]

    def _is_there(self, name: str) -> bool:
        return bool(self.server.search_registered_models(f"name = '{name}'"))

    def _not_ours(self, name: str) -> NotOursError:
        return NotOursError(
            f"registered model {name} is another account's on {show_uri(self.server.tracking_uri)}, which has to let "
            "this one EDIT it"
        )

    def _tags(self, version: Any) -> dict[str, str]:
        """A version's tags as they are on the server."""
        own = {k: v for k, v in version.tags.items() if not k.startswith(SYNC) and k != COPY_OF}
        return {k: self.names.translate(v) for k, v in own.items()}

    def _is_ours(self, version: Any, copy: Any) -> bool:
        """Whether a version of the server is the copy of one of the spool: its number alone says nothing."""
        original = model_of(version)
        return copy is not None and (
            copy.tags.get(COPY_OF) == version.tags.get(COPY_OF, original)
            or model_of(copy) == self.names.identifiers.get(original, original)
        )

    def _on_server(self, name: str) -> Mapping[str, Any]:
        versions = pages(partial(self.server.search_model_versions, f"name = '{name}'"))
        return {str(version.version): version for version in versions}

    def _all(self) -> Iterator[tuple[Any, Any]]:
        for registered in self.local.search_registered_models():
            for version in self._of(registered.name):
                yield registered, version

    def _of(self, name: str) -> list[Any]:
        versions = pages(partial(self.local.search_model_versions, f"name = '{name}'"))
        return sorted(versions, key=lambda version: int(version.version))

    def _drop(self, version: Any, *tags: str) -> None:
        for tag in tags:
            if tag in version.tags:
                self.local.delete_model_version_tag(version.name, version.version, tag)


def not_registered_yet(spool: Spool, name: str) -> list[str]:
    """The versions of a registered model that a spool has and its server has not been given yet."""
    client = spool.client()
    versions = pages(partial(client.search_model_versions, f"name = '{name}'"))
    return [str(version.version) for version in versions if VERSION not in version.tags]


def _aliases(registered: Any, version: Any) -> list[str]:
    return sorted(alias for alias, of in registered.aliases.items() if int(of) == int(version.version))
