"""The final model's files: read, never run."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import mlflow
import numpy as np
import pytest
import yaml
from mlflow.exceptions import MlflowException

from steps.core.data.dataset import Dataset
from steps.core.data.normalise import within_subjects
from steps.core.models.keras_file import as_bytes
from steps.core.models.refit import refit_fold, training_summary
from steps.errors import UserError
from steps.system.file_digests import digest_of_path
from steps.tracking.models import loading, registry
from steps.tracking.models.final_model import log_final_model
from steps.tracking.models.registry import ModelReference
from steps.tracking.session import step_run
from tests.conftest import ROOT
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


def test_mlflow_loads_the_model_and_nothing_in_it_names_folders_of_this_machine(
    logged: ModelReference, network: Any, small_study: Dataset, tmp_path: Path
) -> None:
    values = small_study.values[:3]
    answer = mlflow.pyfunc.load_model(logged.uri).predict(values, params={"threshold": 0.2})
    np.testing.assert_allclose(answer["probability"], np.asarray(network(values))[:, 0], rtol=1e-6)
    assert answer["decision"].tolist() == (answer["probability"] >= 0.2).astype(int).tolist()
    folder = Path(mlflow.artifacts.download_artifacts(logged.uri, dst_path=str(tmp_path)))
    described = yaml.safe_load((folder / "MLmodel").read_text())
    store = described.pop("artifact_path")
    assert "m-" in store, "where the store keeps it, MLflow notes of every model"
    text = json.dumps(described)
    for place in (tempfile.gettempdir(), str(ROOT), str(Path.home())):
        assert place not in text
    requirements = (folder / "requirements.txt").read_text().splitlines()
    assert {line.split("==")[0] for line in requirements} == {"mlflow", "tensorflow", "keras", "numpy", "pandas"}


def test_a_model_of_normalise_subject_takes_the_recordings_of_one_person(
    store: Path, network: Any, within_study: Dataset
) -> None:
    summary = training_summary(within_study, refit_fold(within_study, "exclude", seed=0), "subject")
    with step_run("train", {}) as run:
        logged = registry.resolve(log_final_model(run, as_bytes(network), summary))
    served = mlflow.pyfunc.load_model(logged.uri)
    assert "recordings of ONE person" in served.metadata.metadata["request"]
    own = within_study.of_subjects(["S02"])
    values = own.values.copy()
    values[:, :, 1] = 0.1  # a constant
    trained = loading.fetch(logged).training
    assert (trained.normalise, trained.format_version) == ("subject", 2)
    standardised = within_subjects(values, own.subjects)
    answer = served.predict(values)
    np.testing.assert_allclose(answer["probability"], np.asarray(network(standardised))[:, 0], rtol=1e-6)
    np.testing.assert_allclose(answer["distance"], trained.distances(standardised), rtol=1e-6)
    assert len(served.predict(values[:0])) == 0
    with pytest.raises(MlflowException, match="the request holds one trial, expected at least 2") as error:
        served.predict(values[:1])
    assert error.value.get_http_status_code() == 400
    assert len(served.predict(served.input_example)) == 2


def test_a_model_of_a_store_elsewhere_is_fetched_and_named_by_its_digest(
    logged: ModelReference, network: Any, tmp_path: Path
) -> None:
    folder = Path(mlflow.artifacts.download_artifacts(logged.uri, dst_path=str(tmp_path)))
    digest, store = digest_of_path(folder), fsspec.filesystem("memory")
    store.pipe(
        {f"/lab/model/{one.relative_to(folder)}": one.read_bytes() for one in folder.rglob("*") if one.is_file()}
    )
    try:
        for uri in ("memory://lab/model", f"memory://lab/model#sha256={digest}"):
            model = loading.fetch(registry.resolve(uri))
            assert model.reference == ModelReference(uri=f"memory://lab/model#sha256={digest}")
            assert model.archive == loading.fetch(logged).archive
        with pytest.raises(UserError, match=r"^model_uri memory://lab/model has the SHA-256 .*, expected 0{64}"):
            loading.fetch(registry.resolve(f"memory://lab/model#sha256={'0' * 64}"))
        store.rm("/lab/model/artifacts/training.json")
        with pytest.raises(UserError, match=r"^memory://lab/model#sha256=\w+ is not a final model of this project: it"):
            loading.fetch(registry.resolve("memory://lab/model"))
        with pytest.raises(UserError, match=r"^model_uri memory://lab/none cannot be fetched: there is no such file"):
            loading.fetch(registry.resolve("memory://lab/none"))
        with pytest.raises(UserError, match="holds an apostrophe"):
            registry.resolve("memory://lab/it's")
    finally:
        store.store.clear()
        store.pseudo_dirs[:] = [""]


def test_a_model_that_kept_no_scores_says_so_when_it_is_asked_for_an_answer(
    logged: ModelReference, small_study: Dataset
) -> None:
    model = mlflow.pyfunc.load_model(logged.uri)
    assert "answer" not in model.predict(small_study.values[:1])
    with pytest.raises(MlflowException, match="this model cannot say when it does not know"):
        model.predict(small_study.values[:1], params={"error_rate": 0.1})


def fetched(archive: bytes, summary: dict[str, Any]) -> loading.FinalModel:
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
    model = loading.fetch(logged)
    values = small_study.values[:3]
    np.testing.assert_allclose(loading.load_network(model)(values), network(values), rtol=1e-6)
    assert model.training.features == list(small_study.features)
    assert model.training.subjects == sorted(set(small_study.subjects[~small_study.is_control]))
    assert model.training.dataset_digest == small_study.digest()


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
        ({"left_out_scores": {"subject": [0, 1], "label": [0], "probability": [0.5]}}, "columns of different lengths"),
        ({"left_out_scores": {"subject": [99], "label": [0], "probability": [0.5]}}, "names subjects that are not"),
        ({"left_out_scores": {"subject": [0], "label": [0], "probability": [1.5]}}, "less than or equal to 1"),
        ({"sd": [[0.0] * 6] * 21}, "sd is not positive"),
        ({"usual_distance": float("nan")}, "usual_distance"),
    ):
        with pytest.raises(UserError, match=f"does not say what the model was trained on: .*{named}"):
            fetched(archive, summary | change)


def test_network_and_summary_must_agree(archive: bytes, summary: dict[str, Any]) -> None:
    fewer = {name: [row[1:] for row in summary[name]] for name in ("mean", "sd", "control_mean")}
    model = fetched(archive, summary | fewer | {"features": summary["features"][1:], "by_subject": None})
    with pytest.raises(UserError, match=r"maps \(21, 6\) to \(1,\), but its artifacts/training.json says \(21, 5\)"):
        loading.load_network(model)
