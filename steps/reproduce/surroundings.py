"""What a run was computed with, then and now: code, interpreter, packages, machine."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

NOT_RECORDED = "not recorded"
_VERSION = "version."
_COMMITS = ("git_commit", "mlflow.source.git.commit")
_CODE = "code"
# A new kernel changes no result; everything else may.
_HARMLESS = {"operating system", "commit", "uncommitted changes"}


@dataclass(frozen=True)
class Surroundings:
    """Then and now, by name: ``(recorded, now)``."""

    values: Mapping[str, tuple[str, str]]

    @property
    def different(self) -> dict[str, tuple[str, str]]:
        """What differs, or was not recorded."""
        return {name: pair for name, pair in self.values.items() if pair[0] != pair[1]}

    @property
    def unknown(self) -> list[str]:
        """What was not recorded then, or cannot be told now."""
        return [name for name, pair in self.different.items() if NOT_RECORDED in pair]

    @property
    def code_differs(self) -> bool:
        """Whether the results come from other code; by its hash, or by the commit where no hash was recorded."""
        name = _CODE if self.values[_CODE][0] != NOT_RECORDED else "commit"
        return name in self.different

    @property
    def exact(self) -> bool:
        """Whether results must agree to the last bit: same code, interpreter, packages and processor."""
        return not set(self.different) - _HARMLESS

    @property
    def commit(self) -> str:
        """The recorded commit; empty where there is none."""
        recorded = self.values["commit"][0]
        return "" if recorded == NOT_RECORDED else recorded


def surroundings(
    recorded: Mapping[str, str], now: Mapping[str, str], packages: Mapping[str, str], packages_now: Mapping[str, str]
) -> Surroundings:
    """Compare the tags of a run, and the packages it lists, with those of this process.

    Args:
        recorded: tags of the run.
        now: tags a run would get now.
        packages: name -> version at the time; empty where not recorded.
        packages_now: the same now.
    """
    values = {
        _CODE: _pair(recorded, now, "code_sha256"),
        "commit": (next((recorded[name] for name in _COMMITS if name in recorded), NOT_RECORDED),
                   now.get("git_commit", NOT_RECORDED)),
        "uncommitted changes": _pair(recorded, now, "git_dirty"),
        "Python": _pair(recorded, now, "python"),
        "operating system": _pair(recorded, now, "os"),
        "processor": _pair(recorded, now, "cpu"),
    }  # fmt: skip
    for name in sorted(key for key in {*recorded, *now} if key.startswith(_VERSION)):
        values[name.removeprefix(_VERSION)] = _pair(recorded, now, name)
    if packages:
        others = sorted(({*packages} & {*packages_now}) - {*values}, key=str.lower)
        values |= {name: (packages[name], packages_now[name]) for name in others}
    return Surroundings(values)


def _pair(recorded: Mapping[str, str], now: Mapping[str, str], name: str) -> tuple[str, str]:
    return recorded.get(name, NOT_RECORDED), now.get(name, NOT_RECORDED)


def command(run_id: str, commit: str, repository: str, env_manager: str = "uv") -> str:
    """What to type to reproduce a run with the code it was made with.

    Args:
        run_id: the run.
        commit: its code.
        repository: a git URL; empty = the clone at hand.
        env_manager: of ``mlflow run``.
    """
    words = ["mlflow", "run", repository or ".", "-v", commit, "--env-manager", env_manager]
    return shlex.join([*words, "-e", "reproduce", "-P", f"run_id={run_id}"])
