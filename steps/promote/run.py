"""The whole step: a challenger judged, the decision written down, and the alias moved."""

from __future__ import annotations

import getpass
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import click
import mlflow
from mlflow.entities import Run

from steps.configuration import Promote
from steps.errors import UserError
from steps.parameters import PARAMETERS, STEPS, Value
from steps.promote.evidence import Evidence
from steps.promote.gates import Candidate, Gate, judge
from steps.report.promotion import description, gate_lines, headline
from steps.tracking import promotion, record
from steps.tracking.models import registry
from steps.tracking.models.registry import ModelReference
from steps.tracking.promotion import Entry, Trail
from steps.tracking.session import step_run
from steps.tracking.spool import current, id_on_server, recording
from steps.tracking.store.opening import pin_tracking_uri
from steps.tracking.store.tracking_uri import is_remote, show_uri

# Exit status where a gate was not passed; nothing is wrong with what the user typed.
REFUSED = 3


@dataclass(frozen=True)
class Decision:
    """What came of it.

    Attributes:
        is_champion: whether the version that was asked about is the champion now.
        version: that version.
        champion: version of the champion now; "" where there is none.
        gates: what each said; empty for a rollback, and where there was nothing to decide.
    """

    is_champion: bool
    version: str
    champion: str
    gates: tuple[Gate, ...] = ()


def promote(**parameters: Value) -> Decision:
    """Judge the challenger, and make it the champion if it passes every gate: the entry point, from Python.

    Args:
        **parameters: of the entry point, those that are not at their defaults.

    Raises:
        UserError: a parameter is unknown or cannot be used, the model is not there, or the store fails. That a gate is
            not passed is no error.
    """
    defaults = {name: PARAMETERS[name].default for name in STEPS["promote"].parameters}
    if unknown := sorted(parameters.keys() - defaults.keys()):
        raise UserError(f"{unknown[0]} is no parameter of promote; expected some of {', '.join(defaults)}")
    given = {name: PARAMETERS[name].parse(value) for name, value in parameters.items()}
    return decide_and_record(Promote.of(defaults | given))


def decide_and_record(configuration: Promote) -> Decision:
    """The whole step.

    Raises:
        UserError: the model is not there, another process is deciding, or the store fails.
    """
    pin_tracking_uri()
    if current() is None and is_remote(mlflow.get_tracking_uri()):
        promotion.refuse_unreachable(mlflow.get_tracking_uri())
    with (
        recording(Path.cwd()),
        step_run("promote", configuration.given, files=configuration.files) as run,
    ):
        reference = registry.resolve(configuration.model_uri)
        if not reference.name:
            raise UserError(
                f"model_uri is {reference.uri}, which is not registered; expected "
                f"models:/{registry.MODEL_NAME}@<alias> or models:/{registry.MODEL_NAME}/<version>"
            )
        promotion.refuse_unregistered(reference.name)
        trail = promotion.trail(reference.name)
        if (entry := trail.broken_off) is not None:
            click.echo(
                f"note: the alias {registry.CHAMPION} is not where the decision of {entry.at} by {entry.by} put it "
                f"(version {entry.version}): it was set by hand, or the process was killed",
                err=True,
            )
        if configuration.rollback:
            return _roll_back(run, reference.name, trail)
        return _judge(run, reference, trail, configuration)


def _judge(run: Run, reference: ModelReference, trail: Trail, configuration: Promote) -> Decision:
    name, version = reference.name, reference.version
    record.log(run.info.run_id, tags={"model_uri": reference.uri, "champion_before": trail.champion})
    if version == trail.champion:
        said = f"{name}, version {version}, is the champion already: nothing to decide"
        record.describe(run.info.run_id, said)
        click.echo(said)
        return Decision(is_champion=True, version=version, champion=version)
    challenger = Evidence(reference)
    champion = Evidence(registry.resolve(f"models:/{name}/{trail.champion}")) if trail.champion else None
    gates = judge(Candidate(challenger, champion, trail), configuration)
    passes = all(gate.lets_pass for gate in gates)
    entry = _entry(
        run,
        promotion.PROMOTED if passes else promotion.REFUSED,
        version,
        trail.champion,
        report=challenger.report,
        dataset_digest=challenger.dataset_digest,
        gates=[
            promotion.GateEntry(gate=gate.name, outcome=gate.outcome, value=gate.value, limit=gate.limit)
            for gate in gates
        ],
    )
    document = {
        **entry.model_dump(),
        "gates": [asdict(gate) for gate in gates],
        "parameters": dict(configuration.given),
    }
    record.log_files(run.info.run_id, {"decision.json": document})
    values = {f"gate/{gate.name}": gate.value for gate in gates if gate.value is not None}
    passed = {f"gate_passed/{gate.name}": float(gate.lets_pass) for gate in gates}
    record.log(run.info.run_id, metrics={**values, **passed})
    if passes:
        promotion.appoint(name, entry)
    else:
        promotion.note(name, entry)
    _conclude(run, name, entry, gates)
    return Decision(passes, version, version if passes else trail.champion, tuple(gates))


def _roll_back(run: Run, name: str, trail: Trail) -> Decision:
    now = trail.champion
    if not now:
        raise UserError(f"rollback=true: {name} has no champion to roll back")
    by = trail.made_champion(now)
    if by is None:
        raise UserError(
            f"rollback=true: who was the champion before version {now} is not in the audit trail: the alias was set by "
            f"hand; name the version you mean: model_uri=models:/{name}/<version>, and let the gates judge it"
        )
    if not by.before:
        raise UserError(f"rollback=true: there was no champion of {name} before version {now}")
    registry.resolve(f"models:/{name}/{by.before}")  # it may have been deleted
    record.log(run.info.run_id, tags={"model_uri": f"models:/{name}/{by.before}", "champion_before": now})
    entry = _entry(run, promotion.ROLLED_BACK, by.before, now)
    record.log_files(run.info.run_id, {"decision.json": entry.model_dump()})
    promotion.appoint(name, entry)
    _conclude(run, name, entry, [])
    return Decision(is_champion=True, version=by.before, champion=by.before)


def _entry(run: Run, action: str, version: str, before: str, **more: object) -> Entry:
    return Entry.model_validate(
        {
            "action": action,
            "version": version,
            "before": before,
            "by": _who(),
            # Decisions of the same second have an order, too.
            "at": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "commit": mlflow.get_run(run.info.run_id).data.tags.get("git_commit", ""),
            "run_id": _known_run_id(run),
            **more,
        }
    )


def _who() -> str:
    """The account at the server, else the user of this machine, as MLflow names it."""
    return os.environ.get("MLFLOW_TRACKING_USERNAME") or getpass.getuser()


def _known_run_id(run: Run) -> str:
    """The ID of this run where the trail is: the server's, where there is one.

    Raises:
        UserError: the server does not take the run.
    """
    spool = current()
    if spool is None:
        return str(run.info.run_id)
    run_id = id_on_server(spool, run.info.run_id)
    if run_id is None:
        raise UserError(
            f"{show_uri(spool.target)} does not take the record of this decision, so nothing was decided; is the "
            "server there, and may this account write to it?"
        )
    return run_id


def _conclude(run: Run, name: str, entry: Entry, gates: Sequence[Gate]) -> None:
    record.log(run.info.run_id, tags={"decision": entry.action})
    record.describe(run.info.run_id, description(name, entry, gates))
    for line in gate_lines(gates):
        click.echo(line)
    click.echo(headline(name, entry, gates))
