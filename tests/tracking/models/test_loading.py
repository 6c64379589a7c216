"""The final model's files: read, never run."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
import yaml

from steps.core.data.dataset import Dataset
from steps.core.models.keras_file import as_bytes
from steps.core.models.refit import refit_fold, training_summary
from steps.errors import UserError
from steps.tracking.models import final_model, fold_model, loading, registry
from steps.tracking.models.registry import ModelReference
from steps.tracking.session import step_run
from tests.final_models import log_final_model
from tests.tracking.helpers import fold_run


@pytest.fixture(scope="module")
def summary(small_study: Dataset) -> dict[str, Any]:
    return training_summary(small_study, refit_fold(small_study, "exclude", seed=0))


@pytest.fixture(scope="module")
def network(small_study: Dataset) -> Any:
    from steps.core.models import networks

    return networks.build("cnn", small_study.timesteps, len(small_study.features))


@pytest.fixture(scope="module")
def archive(network: Any, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("network") / "network.keras"
    network.save(path)
    return path.read_bytes()


@pytest.fixture
def logged(store: Path, network: Any, summary: dict[str, Any]) -> ModelReference:
    with step_run("train", {}) as run:
        return registry.resolve(log_final_model(run, as_bytes(network), summary))


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")
def test_a_model_for_new_people_is_written_as_mlflow_writes_it(
    logged: ModelReference, summary: dict[str, Any], tmp_path: Path
) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.mkdir()
    mlflow.artifacts.download_artifacts(logged.uri, dst_path=str(ours))
    network, training = tmp_path / "network.keras", tmp_path / "training.json"
    network.write_bytes((ours / "artifacts" / "network.keras").read_bytes())
    training.write_text(json.dumps(summary))
    loaded = mlflow.models.Model.load(str(ours))
    mlflow.pyfunc.save_model(
        theirs,
        python_model=str(Path(final_model.__file__).with_name("scorer.py")),
        artifacts={"network": str(network), "training": str(training)},
        signature=loaded.signature,
        input_example=np.asarray(summary["mean"], dtype=np.float32)[np.newaxis],
        pip_requirements=fold_model.model_requirements(*fold_model.PACKAGES, "pandas"),
    )

    def files(folder: Path) -> dict[str, bytes]:
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    left, right = files(ours), files(theirs)
    assert set(left) - {"registered_model_meta"} == set(right)  # which downloading adds
    same = {"scorer.py", "requirements.txt", "artifacts/network.keras", "artifacts/training.json"}
    assert {name: left[name] for name in same} == {name: right[name] for name in same}
    for name in ("input_example.json", "serving_input_example.json"):
        assert json.loads(left[name]) == json.loads(right[name])
    for name in ("conda.yaml", "python_env.yaml"):
        assert yaml.safe_load(left[name]) == yaml.safe_load(right[name])
    described, theirs_described = yaml.safe_load(left["MLmodel"]), yaml.safe_load(right["MLmodel"])
    flavor, their_flavor = (of["flavors"]["python_function"] for of in (described, theirs_described))
    # Theirs names folders of this machine; and neither a pickle nor a folder of code is involved.
    for of in (flavor, their_flavor):
        of["artifacts"] = {name: artifact["path"] for name, artifact in of["artifacts"].items()}
        of["model_code_path"] = Path(of["model_code_path"]).name
    del their_flavor["cloudpickle_version"], their_flavor["code"]
    own = {"model_uuid", "utc_time_created", "model_size_bytes", "artifact_path", "run_id", "model_id"}
    assert {k: v for k, v in described.items() if k not in own} == {
        k: v for k, v in theirs_described.items() if k not in own
    }


def fetched(archive: bytes, summary: dict[str, Any]) -> loading.Deployed:
    return loading.checked(ModelReference("models:/fear-classifier/1"), archive, json.dumps(summary).encode())


def with_config(archive: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    """The archive with another configuration of the network."""
    with zipfile.ZipFile(io.BytesIO(archive)) as old:
        files = {name: old.read(name) for name in old.namelist()}
    config = json.loads(files["config.json"])
    change(config)
    files["config.json"] = json.dumps(config).encode()
    changed = io.BytesIO()
    with zipfile.ZipFile(changed, "w") as new:
        for name, content in files.items():
            new.writestr(name, content)
    return changed.getvalue()


def test_the_network_comes_back_with_what_it_was_trained_on(
    logged: ModelReference, network: Any, small_study: Dataset
) -> None:
    found = loading.fetch(logged)
    values = small_study.values[:3]
    np.testing.assert_allclose(loading.load_network(found)(values), network(values), rtol=1e-6)
    assert found.trained.features == list(small_study.features)
    assert found.trained.subjects == sorted(set(small_study.subjects[~small_study.is_control]))
    assert found.trained.dataset_digest == small_study.digest()


def test_the_script_inside_the_model_is_never_run_and_files_must_be_there(logged: ModelReference) -> None:
    folder = Path(mlflow.get_logged_model(logged.model_id).artifact_location.removeprefix("file://"))
    (folder / "scorer.py").write_text("raise SystemExit('code of the model was run')\n")
    (folder / "python_model.pkl").write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    loading.load_network(loading.fetch(logged))
    for name in ("training.json", "network.keras"):
        (folder / "artifacts" / name).unlink()
        with pytest.raises(UserError, match=f"is not a final model of this project: it holds no artifacts/{name}"):
            loading.fetch(logged)


def test_a_model_of_a_fold_is_no_final_model(store: Path, network: Any) -> None:
    with step_run("train", {}) as train:
        run_id = fold_run(train, "S1", model=as_bytes(network))
    uri = f"runs:/{run_id}/model"
    with pytest.raises(UserError, match="is not a final model of this project"):
        loading.fetch(registry.resolve(uri))


def _lambda(config: dict[str, Any]) -> None:
    config["config"]["layers"][1] = {
        "module": "keras.layers",
        "class_name": "Lambda",
        "config": {"function": {"class_name": "__lambda__", "config": {"code": "4wEAAAA="}}},
        "registered_name": None,
    }


def _custom(config: dict[str, Any]) -> None:
    config["config"]["layers"][1] |= {"registered_name": "mine>Evil"}


def _foreign(config: dict[str, Any]) -> None:
    config["config"]["layers"][1] |= {"module": "os", "class_name": "system"}


def _saved_model(config: dict[str, Any]) -> None:
    config["config"]["layers"][1] |= {"class_name": "TFSMLayer"}


@pytest.mark.parametrize(
    ("change", "named"),
    [(_lambda, "Lambda"), (_custom, "mine>Evil"), (_foreign, "os.system"), (_saved_model, "TFSMLayer")],
)
def test_code_in_a_network_is_refused_before_it_is_loaded(
    archive: bytes, summary: dict[str, Any], change: Callable[[dict[str, Any]], None], named: str
) -> None:
    with pytest.raises(UserError, match=rf"holds .*{named}, which can run code of its own; expected layers of Keras"):
        fetched(with_config(archive, change), summary)


def test_a_broken_or_stuffed_archive_is_refused(archive: bytes, summary: dict[str, Any]) -> None:
    stuffed = io.BytesIO(archive)
    with zipfile.ZipFile(stuffed, "a") as file:
        file.writestr("../evil.py", "")
    with pytest.raises(UserError, match=r"holds \.\./evil\.py, config\.json.*expected config\.json, metadata\.json"):
        fetched(stuffed.getvalue(), summary)
    with pytest.raises(UserError, match="is not a Keras model"):
        fetched(b"\x80\x04nothing", summary)
    with pytest.raises(UserError, match=r"cannot load artifacts/network\.keras of models:/fear-classifier/1"):
        loading.load_network(fetched(with_config(archive, lambda config: config.update(config={})), summary))


def test_a_summary_that_says_too_little_or_nonsense_is_refused(archive: bytes, summary: dict[str, Any]) -> None:
    for change, named in (
        ({"subjects": None}, "subjects"),
        ({"mean": summary["mean"][1:]}, "time points"),
        ({"sd": [[0.0] * 6] * 21}, "sd is not positive"),
        ({"usual_distance": float("nan")}, "usual_distance"),
    ):
        with pytest.raises(UserError, match=f"does not say what the model was trained on: .*{named}"):
            fetched(archive, summary | change)


def test_network_and_summary_must_agree(archive: bytes, summary: dict[str, Any]) -> None:
    fewer = {name: [row[1:] for row in summary[name]] for name in ("mean", "sd", "control_mean")}
    found = fetched(archive, summary | fewer | {"features": summary["features"][1:]})
    with pytest.raises(UserError, match=r"maps \(21, 6\) to \(1,\), but its artifacts/training.json says \(21, 5\)"):
        loading.load_network(found)
