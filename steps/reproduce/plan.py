"""What to run again, with which parameters, to get a recorded run back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from steps.compute.where import LOCAL
from steps.configuration import Prepare
from steps.core.data.dataset import Dataset
from steps.core.readers.described.description import names_a_file
from steps.core.readers.load import SIMULATED, load_source
from steps.errors import UserError, shown
from steps.parameters import PARAMETERS, STEPS, Value
from steps.system.fetched import at_hand
from steps.system.local_path import local_path
from steps.system.source_address import DIGEST, is_address, split_digest

# Everything is computed anew, on this machine, and nothing that others rely on is changed.
_AFRESH: dict[str, Value] = {"reuse": False, "register": False, "resume": False, "scheduler": LOCAL}


def complete(entry_point: str, recorded: Mapping[str, Value], **given: Value) -> tuple[dict[str, Value], list[str]]:
    """All parameters of an entry point: given ones, then recorded ones, then defaults; and which had to be defaults.

    A run made before a parameter existed did not record it. Where and in how many processes it ran, and what only a
    simulated study needs, changes nothing and is not counted.
    """
    parameters: dict[str, Value] = {}
    defaulted = []
    simulated = recorded.get("source", SIMULATED) == SIMULATED
    for name in STEPS[entry_point].parameters:
        known = {**recorded, **{k: v for k, v in _AFRESH.items() if k in STEPS[entry_point].parameters}, **given}
        parameters[name] = known.get(name, PARAMETERS[name].default)
        unneeded = name in ("scheduler", "workers", "cwd") or (name.startswith("simulated_") and not simulated)
        if name not in known and not unneeded and not (name == "seed" and not simulated):
            defaulted.append(name)
    return parameters, defaulted


def existing_source(source: str, folders: Sequence[Path]) -> str:
    """The recorded source: as an absolute path, as an address as it is, or ``simulated``.

    Args:
        source: as the user named it then.
        folders: where a relative path may be meant, most likely first.

    Raises:
        UserError: it is in none of them.
    """
    named, digest = split_digest(source)
    if source == SIMULATED or is_address(named):
        return source
    candidates = list(dict.fromkeys(folder / local_path(named) for folder in folders))
    for path in candidates:
        if path.exists():
            return f"{path.resolve()}{DIGEST if digest else ''}{digest}"
    places = ", ".join(str(path) for path in candidates)
    raise UserError(
        f"the recorded source {shown(source)} is no longer there (looked for {places}); put it back or run this "
        "beside it"
    )


def existing_study(study: str, folders: Sequence[Path]) -> str:
    """The recorded parameter ``study``, a path as an absolute one.

    Args:
        study: as the user gave it then.
        folders: where a relative path may be meant, most likely first.
    """
    if not names_a_file(study):
        return study
    paths = [folder / local_path(study) for folder in folders]
    return str(next((path.resolve() for path in paths if path.is_file()), study))


def dataset_again(parameters: Mapping[str, Value]) -> Dataset:
    """The dataset that ``prepare`` would make of these parameters."""
    configuration = Prepare.of(parameters)
    with at_hand(configuration.source) as here:
        return load_source(here.path, **configuration.reading())


def same_dataset(recorded: str, current: str, source: Value) -> None:
    """Refuse to train on other data than the run's.

    Raises:
        UserError: the digests differ.
    """
    if recorded != current:
        cause = "the code that simulates has changed" if source == SIMULATED else "the recordings have changed"
        raise UserError(
            f"the dataset is another one: recorded digest {recorded[:12]}…, source {str(source)!r} now gives "
            f"{current[:12]}…; {cause}"
        )


def of_one_fold(training: Mapping[str, Value], name: str, test_number: int, tested: Sequence[str]) -> dict[str, Value]:
    """Parameters of a training that trains as little as possible besides one fold.

    A fold's seed depends on the study's seed, its name and its test number alone, so leaving out other folds and later
    test numbers changes nothing.

    Args:
        training: parameters of the training the fold belongs to.
        name: of the fold.
        test_number: of the fold.
        tested: its test subjects.
    """
    subject = tested[0] if tested else name
    # A list of subjects is separated by commas; a name that holds one, or looks like `all`, cannot stand in it.
    can_be_named = "," not in subject and subject == subject.strip() and subject not in ("", "all")
    return {**training, "subjects": subject if can_be_named else training["subjects"], "repeats": test_number}
