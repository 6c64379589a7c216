"""The step on a real store: every gate both ways, the trail, rollback, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from mlflow import MlflowClient

from steps.errors import UserError
from steps.parameter_values import GATES
from steps.promote.__main__ import main
from steps.promote.evidence import Evidence
from steps.promote.gates import Candidate, Gate, judge
from steps.promote.run import Decision, promote
from steps.tracking import promotion, record
from steps.tracking.models import registry
from tests.conftest import configured
from tests.promote.conftest import Registered, recorded

NAME = "fear-classifier"


def command(store: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["--cwd", str(store), *options])


def outcome(decision: Decision, name: str) -> Gate:
    return next(gate for gate in decision.gates if gate.name == name)


def failed(decision: Decision) -> list[str]:
    return [gate.name for gate in decision.gates if not gate.lets_pass]


def champion() -> str:
    return str(MlflowClient().get_registered_model(NAME).aliases.get("champion", ""))


def test_the_first_champion_is_promoted_and_the_trail_says_by_whom_and_why(registered: Registered, store: Path) -> None:
    version = registered()
    done = command(store)
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-1] == f"{NAME}, version {version}, is the champion now (before: none)"
    assert "passed     champion      there is no champion yet" in done.stdout
    assert champion() == version
    (entry,) = promotion.trail(NAME).entries
    client = MlflowClient()
    run = client.get_run(entry.run_id)
    assert (entry.action, entry.version, entry.before) == ("promoted", version, "")
    assert entry.by == run.data.tags["mlflow.user"]
    assert entry.commit == run.data.tags["git_commit"]
    assert entry.report == f"runs:/{'f' * 32}/report.html"
    assert entry.dataset_digest == "d" * 64
    assert [gate.gate for gate in entry.gates] == list(GATES)
    assert entry.gates[0].value == pytest.approx(run.data.metrics["gate/auc"])
    assert entry.gates[0].limit == 0.5
    document = json.loads(Path(client.download_artifacts(entry.run_id, "decision.json")).read_text())
    assert document["parameters"]["margin"] == 0.1
    assert run.data.tags["decision"] == "promoted"
    assert "is the champion now" in run.data.tags["mlflow.note.content"]
    again = command(store)
    assert (again.exit_code, len(promotion.trail(NAME).entries)) == (0, 1)
    assert "already" in again.stdout
    assert [model.name for model in client.search_registered_models()] == [NAME], "no lock is left"


def test_a_refusal_is_exit_status_3_and_in_the_trail_and_moves_nothing(registered: Registered, store: Path) -> None:
    registered()
    promote()
    version = registered(0.7, noise=3, evaluation={"audit_findings": 2, "pooled/ece": 0.5}, completeness=0.02)
    done = command(store)
    assert done.exit_code == 3, done.output
    assert (
        "was not promoted: champion, calibration, completeness, audit; the champion is still version 1" in done.stdout
    )
    assert champion() == "1"
    entry = promotion.trail(NAME).entries[-1]
    assert (entry.action, entry.version, entry.before) == ("refused", version, "1")
    assert {gate.gate: gate.value for gate in entry.gates}["audit"] == 2
    assert {gate.outcome for gate in entry.gates} == {"passed", "failed"}


def test_not_worse_takes_the_same_people_and_a_margin(registered: Registered) -> None:
    registered(noise=1)
    promote()
    registered(noise=2)  # as good
    assert "so few subjects can show nothing below 0.084" in outcome(promote(margin=0.03), "champion").said
    decision = promote(margin=0.2)
    assert decision.is_champion
    bound = outcome(decision, "champion").value
    assert bound is not None
    assert -0.2 < bound < 0
    registered(noise=4, digest="e" * 64)
    other_data = promote()
    assert failed(other_data) == ["champion"]
    gate = outcome(other_data, "champion")
    assert gate.outcome == "not judged"
    assert "expected the same data" in gate.said
    assert "skip_gates=champion" in gate.said
    allowed = promote(skip_gates="champion")
    assert allowed.is_champion
    assert outcome(allowed, "champion").outcome == "skipped"
    assert {gate.gate: gate.outcome for gate in promotion.trail(NAME).entries[-1].gates}["champion"] == "skipped"


def test_each_gate_alone_stands_in_the_way(registered: Registered, subtests: pytest.Subtests) -> None:
    registered(completeness=None)
    version = registry.resolve(f"models:/{NAME}@challenger")
    evaluation = Evidence(version).evaluation.info.run_id
    auc = Evidence(version).evaluation.data.metrics["subject/auc"]

    def gates(**limits: Any) -> list[Gate]:
        return judge(Candidate(Evidence(version), None, promotion.trail(NAME)), configured("promote", **limits))

    def only(gate: str, said: str, **limits: Any) -> None:
        with subtests.test(said):
            (one,) = (found for found in gates(**limits) if not found.lets_pass)
            assert (one.name, said in one.said) == (gate, True), one

    only("completeness", f"-m steps.attribute --train_run_id {version.tags['train_run_id']}")
    of_training = {name: version.tags[name] for name in ("train_run_id", "dataset_digest")}
    recorded("attribute", of_training, {"completeness_error_max": 0.009})
    assert all(gate.outcome == "passed" for gate in gates())
    only("completeness", "0.009 of the output change", max_completeness_error=0.008)
    only("calibration", "allowed is 0.001", max_calibration_error=0.001)
    only("auc", "its interval has to lie above 0.95", min_auc=0.95)
    for change, gate, said in (
        ({"audit_findings": 1}, "audit", "1 finding of the audit"),
        ({"audit_findings": 0, "subject/auc": 0.7}, "auc", f"AUC of its subjects is {auc:.6f}, recorded was 0.700000"),
    ):
        record.log(evaluation, metrics=change)
        only(gate, said)
    registered(noise=1, completeness=0.001, training={"units": {}})
    other = Evidence(registry.resolve(f"models:/{NAME}@challenger"))
    found = judge(Candidate(Evidence(version), other, promotion.trail(NAME)), configured("promote", skip_gates="auc"))
    assert {gate.name: gate.outcome for gate in found}["signature"] == "failed"
    assert "units changed from {} to {'" in next(gate.said for gate in found if gate.name == "signature")

    def after(params: list[Any]) -> Gate:
        """What is said of the signature where the champion's requests had these parameters."""
        before = Evidence(version)
        before.__dict__["signature"] = {**before.signature, "params": params}
        judged = judge(Candidate(Evidence(version), before, promotion.trail(NAME)), configured("promote"))
        return next(gate for gate in judged if gate.name == "signature")

    # They may become more, as each has a default, but not fewer or others.
    now: Any = Evidence(version).signature["params"]
    assert {"features", "units", "sampling_rate"} < {parameter["name"] for parameter in now}
    assert after(now[:2]).outcome == "passed"
    for changed in ([*now, {**now[0], "name": "other"}], [{**now[0], "default": 0.4}, *now[1:]]):
        assert after(changed).outcome == "failed"
        assert "params changed from" in after(changed).said


def test_a_changed_network_is_not_promoted(registered: Registered, store: Path) -> None:
    registered()
    (path,) = store.rglob("network.keras")
    path.chmod(0o600)
    path.write_bytes(path.read_bytes() + b"x")
    decision = promote()
    assert failed(decision) == ["signature"]
    assert "is not the file that was recorded" in outcome(decision, "signature").said


def appointed(*versions: str) -> None:
    """Let versions be promoted one after another; those that are not there are made."""
    client, before = MlflowClient(), ""
    (first,) = client.search_model_versions(f"name = '{NAME}'")
    for number, version in enumerate(versions):
        if version != str(first.version):
            made = client.create_model_version(NAME, first.source, run_id=first.run_id, tags=dict(first.tags))
            assert str(made.version) == version
        at, run_id = f"2026-11-0{number + 1}T00:00:00Z", str(number) * 32
        entry = promotion.Entry(action="promoted", version=version, before=before, by="Ada", at=at, run_id=run_id)
        promotion.appoint(NAME, entry)
        before = version


def test_rollback_goes_back_step_by_step_and_what_was_rolled_back_stays_out(
    registered: Registered, store: Path
) -> None:
    registered()
    assert "no champion to roll back" in command(store, "--rollback", "true").stderr
    appointed("1", "2", "3")
    done = command(store, "--rollback", "true")
    assert done.exit_code == 0, done.output
    assert done.stdout == f"{NAME}, version 2, is the champion again; version 3 no longer is\n"
    only = ",".join(gate for gate in GATES if gate != "rollback")
    assert failed(promote(model_uri=f"models:/{NAME}/3", skip_gates=only)) == ["rollback"]
    assert promote(rollback=True).champion == champion() == "1"
    assert "there was no champion of fear-classifier before version 1" in command(store, "--rollback", "true").stderr
    trail = promotion.trail(NAME)
    actions = [(entry.action, entry.version, entry.before) for entry in trail.entries if entry.action != "refused"]
    assert actions == [
        ("promoted", "1", ""), ("promoted", "2", "1"), ("promoted", "3", "2"), ("rolled back", "2", "3"),
        ("rolled back", "1", "2"),
    ]  # fmt: skip
    assert trail.broken_off is None
    tags = MlflowClient().get_model_version(NAME, "3").tags
    assert len([tag for tag in tags if tag.startswith("promotion/")]) == 3, "promoted, rolled back, refused"


def test_what_was_done_by_hand_is_noticed(registered: Registered, store: Path) -> None:
    registered()
    appointed("1", "2", "3")
    client = MlflowClient()
    *others, last = promotion.trail(NAME).entries
    foreign = last.model_copy(update={"version": "7", "at": "2027-01-01T00:00:00Z", "before": "6"})
    client.set_model_version_tag(NAME, "1", foreign.key, foreign.model_dump_json())
    assert promotion.trail(NAME).entries == (*others, last), "a version brought it along from another store"
    client.create_model_version(NAME, "file:///nowhere")
    client.set_registered_model_alias(NAME, "champion", "4")
    done = command(store, "--rollback", "true")
    assert done.exit_code == 2
    assert "note: the alias champion is not where the decision of" in done.stderr
    assert "set by hand; name the version you mean: model_uri=models:/fear-classifier/<version>" in done.stderr
    client.delete_registered_model_alias(NAME, "champion")
    version = registry.resolve(f"models:/{NAME}/2")
    gates = judge(Candidate(Evidence(version), None, promotion.trail(NAME)), configured("promote"))
    (gone,) = (gate for gate in gates if gate.name == "champion")
    assert gone.outcome == "not judged"
    assert "gave to version 3: there is nobody to compare with" in gone.said
    client.set_model_version_tag(NAME, "3", last.key, '{"action": "promoted"}')
    assert f"tag {last.key} of models:/{NAME}/3 is no entry of an audit trail" in command(store).stderr


def test_what_cannot_be_judged_at_all_is_one_line(registered: Registered, store: Path) -> None:
    assert "there is no registered model 'fear-classifier'" in command(store).stderr
    registered()
    for options, said in (
        (("--model_uri", f"models:/{NAME}/7"), "has no version 7"),
        (("--skip_gates", "auc,beauty"), "'beauty' is no gate"),
        (("--margin", "0"), "margin is '0', expected a number from 0.001 to 0.5"),
    ):
        done = command(store, *options)
        assert done.exit_code == 2
        assert said in done.stderr
        assert len(done.stderr.splitlines()) == 1
    with pytest.raises(UserError, match="margn is no parameter of promote"):
        promote(margn=0.1)
    MlflowClient().delete_model_version_tag(NAME, "1", "train_run_id")
    decision = promote()
    assert not decision.is_champion
    assert "has no tag train_run_id" in outcome(decision, "auc").said
