"""The Model Registry: the deployable model as a version of `fear-classifier`, with its evidence."""

from __future__ import annotations

from collections.abc import Mapping

import mlflow
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion

MODEL_NAME = "fear-classifier"
CHALLENGER = "challenger"
# Of a version, in characters. SQLite takes more, PostgreSQL refuses it.
DESCRIPTION_LENGTH = 5000
_PURPOSE = (
    "Probability of fear for trials of new people, (trials, timesteps, features) in the units of the training data. "
    "Every version was fitted on all subjects of a study whose cross-validated results are in its description. "
    "Not a medical device."
)


def register(run_id: str, model_uri: str, tags: Mapping[str, str], description: str) -> ModelVersion:
    """Register the model of a run, once, and make it the challenger.

    Args:
        run_id: run that made the deployable model.
        model_uri: the model, ``models:/m-...``.
        tags: evidence: cross-validated metrics, dataset digest, runs.
        description: the same in words, Markdown, of at most `DESCRIPTION_LENGTH` characters.
    """
    client = MlflowClient()
    if not client.search_registered_models(f"name = '{MODEL_NAME}'"):
        client.create_registered_model(MODEL_NAME, description=_PURPOSE)
    versions = client.search_model_versions(f"name = '{MODEL_NAME}' and run_id = '{run_id}'")
    if versions:
        version = versions[0]
    else:
        model = mlflow.get_logged_model(model_uri.removeprefix("models:/"))
        version = client.create_model_version(
            MODEL_NAME, model.artifact_location, run_id=run_id, model_id=model.model_id
        )
    for name, value in tags.items():
        client.set_model_version_tag(MODEL_NAME, version.version, name, value)
    client.update_model_version(MODEL_NAME, version.version, description=description)
    client.set_registered_model_alias(MODEL_NAME, CHALLENGER, version.version)
    return version
