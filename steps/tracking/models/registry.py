"""The Model Registry: the final model as a version of `fear-classifier`, with its evidence."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from steps.commands import called, command
from steps.errors import UserError, shown
from steps.system.source_address import is_address
from steps.tracking.spool import current
from steps.tracking.store.allowed import PlaceError
from steps.tracking.store.artifact_places import place_of_model
from steps.tracking.store.digests import digests_among
from steps.tracking.store.tracking_uri import is_remote, show_uri
from steps.tracking.store.trouble import FAILURES, failed, reachable, trouble_with

MODEL_NAME = "fear-classifier"
CHALLENGER, CHAMPION = "challenger", "champion"
# Of a version, in characters. SQLite takes more, PostgreSQL refuses it.
DESCRIPTION_LENGTH = 5000
THRESHOLD_TAG = "threshold"
_FORMS = f"models:/{MODEL_NAME}@<alias>, models:/{MODEL_NAME}/<version>, models:/m-<id> or runs:/<run id>/model"
_ADDRESSES = "or the address of its folder, as s3://bucket/model"
_PURPOSE = (
    "Probability of fear for trials of new people, (trials, timesteps, features) in the units of the training data. "
    "Every version was fitted on all subjects of a study whose cross-validated results are in its description. "
    "Not a medical device."
)


def register(run_id: str, model_uri: str, tags: Mapping[str, str], description: str) -> ModelVersion:
    """Register the model of a run, once, and make it the challenger.

    Args:
        run_id: run that made the final model.
        model_uri: the model, ``models:/m-...``.
        tags: evidence: cross-validated metrics, dataset digest, runs.
        description: the same as text, in Markdown, of at most `DESCRIPTION_LENGTH` characters.
    """
    client = MlflowClient()
    if not client.search_registered_models(f"name = '{MODEL_NAME}'"):
        client.create_registered_model(MODEL_NAME, description=_PURPOSE)
    versions = client.search_model_versions(f"name = '{MODEL_NAME}' and run_id = '{run_id}'")
    model = mlflow.get_logged_model(model_uri.removeprefix("models:/"))
    if versions:
        version = versions[0]
    else:
        version = client.create_model_version(
            MODEL_NAME, model.artifact_location, run_id=run_id, model_id=model.model_id
        )
    for name, value in {**digests_among(model.tags), **tags}.items():
        client.set_model_version_tag(MODEL_NAME, version.version, name, value)
    client.update_model_version(MODEL_NAME, version.version, description=description)
    client.set_registered_model_alias(MODEL_NAME, CHALLENGER, version.version)
    return version


@dataclass(frozen=True)
class ModelReference:
    """A model that is there.

    Attributes:
        uri: names it for good: ``models:/name/3`` where it is registered, never an alias; an address with the digest
            of what was fetched.
        name: its registered name, "" where it is not registered.
        version: its version, "" where it is not registered.
        model_id: its ``m-...``, "" where MLflow knows none.
        tags: the version's tags: the evidence.
        tracking_uri: the store it is in; None for the one in use.
        location: where its files are in that store; "" where ``uri`` leads there.
        digests: of its files (`steps.tracking.store.digests`): tags of the version, or else of the model; may be empty.
    """

    uri: str
    name: str = ""
    version: str = ""
    model_id: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    tracking_uri: str | None = None
    location: str = ""
    digests: dict[str, str] = field(default_factory=dict)


def resolve(uri: str) -> ModelReference:
    """Find the model at ``uri``.

    Args:
        uri: ``models:/name@alias``, ``models:/name/version`` (or ``latest``), ``models:/m-...``,
            ``runs:/<run id>/<path>``, or the address of a folder (`steps.system.source_address`), which is not looked
            at before `steps.tracking.models.loading.fetch` does.

    Raises:
        UserError: it is none of these, nothing is there, the server fails, or keeps its files where it may not send
            us; the message says what is.
    """
    if is_address(uri):
        if "'" in uri:  # runs are looked for by it, and MLflow's searches cannot quote it
            raise UserError(f"model_uri is {shown(uri)}, which holds an apostrophe; give its folder another name")
        return ModelReference(uri=uri)
    spool = current()
    if spool is None or not reachable(spool.target):
        return _resolve(MlflowClient(), uri)
    # The server is asked, because aliases are set there.
    client = spool.target_client()
    try:
        model = _resolve(client, uri)
        return replace(model, tracking_uri=spool.target, location=_location(client, model))
    except FAILURES as error:
        reason = failed(show_uri(spool.target), trouble_with(error))
        raise UserError(f"which model {uri} is, the server has to say, and {reason}") from error


def commit_of(model: ModelReference) -> str:
    """The commit of this project that a model was trained with; "" where nobody has recorded it."""
    client = MlflowClient(model.tracking_uri, model.tracking_uri)
    try:
        run_id = client.get_logged_model(model.model_id).source_run_id
        return str(client.get_run(run_id).data.tags.get("git_commit", ""))
    except FAILURES:
        return ""


def _location(client: MlflowClient, model: ModelReference) -> str:
    """Where the files are: MLflow would look a name up in the registry of this process, which is another one."""
    uri = client.get_model_version_download_uri(model.name, model.version) if model.name else model.uri
    try:
        return place_of_model(client, uri)
    except PlaceError as error:
        raise UserError(str(error)) from error


def _resolve(client: MlflowClient, uri: str) -> ModelReference:
    if parts := re.fullmatch(r"models:/([^/@]+)@([^/@]+)", uri):
        return _by_alias(client, parts[1], parts[2])
    if parts := re.fullmatch(r"models:/([^/@]+)/(\d+|latest)", uri):
        return _by_version(client, parts[1], parts[2])
    if parts := re.fullmatch(r"models:/(m-\w+)", uri):
        return _by_model_id(client, parts[1])
    if parts := re.fullmatch(r"runs:/(\w+)/(.+)", uri):
        return _by_run(client, parts[1], uri)
    raise UserError(f"model_uri is {shown(uri)}, expected {_FORMS}, {_ADDRESSES}")


def _by_alias(client: MlflowClient, name: str, alias: str) -> ModelReference:
    versions = _versions(client, name)
    try:
        return _reference(client, client.get_model_version_by_alias(name, alias))
    except MlflowException as error:
        refusal = f"model {name} has no alias {shown(alias)}; it has {_versions_and_aliases(client, name, versions)}"
        if alias == CHAMPION and name == MODEL_NAME:
            raise UserError(f"{refusal}; first run: {command('promote')}") from error
        if not re.fullmatch(r"[\w-]{1,100}", alias):
            raise UserError(refusal) from error
        # Names and aliases hold no characters that a shell changes within double quotes.
        raise UserError(
            f"{refusal}; set it with: {shlex.quote(called().python)} -c "
            f"\"import mlflow; mlflow.MlflowClient().set_registered_model_alias('{name}', '{alias}', "
            f"'{versions[-1].version}')\""
        ) from error


def _by_version(client: MlflowClient, name: str, wanted: str) -> ModelReference:
    versions = _versions(client, name)
    for version in reversed(versions):
        if wanted in (str(version.version), "latest"):
            return _reference(client, client.get_model_version(name, version.version))
    raise UserError(f"model {name} has no version {wanted}; it has {_versions_and_aliases(client, name, versions)}")


def _by_model_id(client: MlflowClient, model_id: str) -> ModelReference:
    try:
        model = client.get_logged_model(model_id)
    except MlflowException as error:
        raise UserError(f"there is no model {model_id} in this store; expected {_FORMS}") from error
    return ModelReference(uri=f"models:/{model_id}", model_id=model_id, digests=digests_among(model.tags))


def _by_run(client: MlflowClient, run_id: str, uri: str) -> ModelReference:
    try:
        run = client.get_run(run_id)
    except MlflowException as error:
        raise UserError(f"there is no run {run_id} in this store; expected {_FORMS}") from error
    registered = client.search_model_versions(f"run_id = '{run_id}'")
    if len(registered) == 1 and _model_of(run):
        return _reference(client, registered[0])
    model_id = _model_of(run)
    return ModelReference(uri=uri, model_id=model_id, digests=_digests(client, {}, model_id))


def _versions(client: MlflowClient, name: str) -> list[ModelVersion]:
    """The versions of a registered model, oldest first, at least one."""
    versions = client.search_model_versions(f"name = '{name}'") if re.fullmatch(r"[\w .\-]+", name) else []
    if not versions:
        names = sorted(model.name for model in client.search_registered_models())
        seen = " or this account may see none" if is_remote(client.tracking_uri) else ""
        others = (
            f"registered are {', '.join(names)}" if names else f"none is registered{seen}; first run: {command('main')}"
        )
        raise UserError(f"there is no registered model {shown(name)}: {others}")
    return sorted(versions, key=lambda version: int(version.version))


def _versions_and_aliases(client: MlflowClient, name: str, versions: list[ModelVersion]) -> str:
    aliases = client.get_registered_model(name).aliases
    numbers = ", ".join(str(version.version) for version in versions)
    named = ", ".join(f"{alias} (version {number})" for alias, number in sorted(aliases.items()))
    return f"version{'s' if len(versions) > 1 else ''} {numbers} and alias{'es' if len(aliases) > 1 else ''} " + (
        named or "none"
    )


def _model_of(run: Run) -> str:
    """ID of the model a run logged, "" unless it is exactly one."""
    logged = {output.model_id for output in run.outputs.model_outputs} if run.outputs else set()
    return str(logged.pop()) if len(logged) == 1 else ""


def _reference(client: MlflowClient, version: ModelVersion) -> ModelReference:
    model_id = version.model_id or ""
    if not model_id and version.run_id:  # a registry in SQL does not keep it
        with suppress(MlflowException):  # and the run may be gone as well
            model_id = _model_of(client.get_run(version.run_id))
    return ModelReference(
        uri=f"models:/{version.name}/{version.version}",
        name=version.name,
        version=str(version.version),
        model_id=model_id,
        tags=dict(version.tags),
        digests=_digests(client, version.tags, model_id),
    )


def _digests(client: MlflowClient, tags: Mapping[str, str], model_id: str) -> dict[str, str]:
    """Of a version, where its tags hold them; else of the model."""
    digests = digests_among(tags)
    if not digests and model_id:
        with suppress(MlflowException):  # a registry may outlive its models
            digests = digests_among(client.get_logged_model(model_id).tags)
    return digests
