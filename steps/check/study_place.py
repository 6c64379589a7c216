"""Can studies be recorded where they belong, and are those that were recorded still whole? What `steps.check` asks.

Nothing is changed.
"""

from __future__ import annotations

from mlflow import MlflowClient
from mlflow.entities import LifecycleStage
from mlflow.exceptions import MlflowException

from steps.check.checklist import CheckError
from steps.parameters import STEPS
from steps.tracking.session import ENTRY_POINT_TAG
from steps.tracking.store.tracking_uri import without_credentials_in
from steps.tracking.store.trouble import is_forbidden

_DEFAULT = "0"
# No store accepts a tag name as long as this. A server checks permissions first, so nothing is ever written.
_IMPOSSIBLE_TAG = "may_this_account_write_here_" * 20
_UNSUITABLE = ("INVALID_PARAMETER_VALUE", "BAD_REQUEST")
_LOOKED_AT = 20


def default_experiment(is_chosen: bool) -> str:
    """State of MLflow's ``Default`` experiment, where ``mlflow run`` begins that is given no name.

    Args:
        is_chosen: whether the environment names another experiment.

    Raises:
        CheckError: it was deleted or is somebody else's, and no other is chosen.
    """
    try:
        default = MlflowClient().get_experiment(_DEFAULT)
    except MlflowException as error:
        if is_forbidden(error):
            state, mend = "is not this account's", "name one of your own: mlflow run . --experiment-name …"
        elif error.error_code == "RESOURCE_DOES_NOT_EXIST":
            state, mend = "is gone for good", "name an experiment: mlflow run . --experiment-name …"
        else:
            raise
    else:
        if default.lifecycle_stage != LifecycleStage.DELETED:
            return "there, for mlflow run without a name"
        state, mend = "is deleted", "restore it: mlflow experiments restore -x 0, or name one: --experiment-name …"
    if is_chosen:
        return f"Default {state}; not needed, another experiment is chosen"
    raise CheckError(f"MLflow's experiment Default {state}, and mlflow run without a name begins there", mend)


def may_write(experiment_id: str) -> str:
    """Whether this account may write to an experiment.

    Raises:
        MlflowException: it may not.
    """
    client = MlflowClient()
    try:
        client.set_experiment_tag(experiment_id, _IMPOSSIBLE_TAG, "")
    except MlflowException as error:
        if error.error_code not in _UNSUITABLE:
            raise
    else:
        client.delete_experiment_tag(experiment_id, _IMPOSSIBLE_TAG)
    return "this account may"


def look_for_artifacts(experiment_id: str) -> str:
    """Whether the newest finished run of a study still has its files: every step records some.

    Raises:
        CheckError: it has none.
    """
    client = MlflowClient()
    runs = client.search_runs(
        [experiment_id],
        f"tags.{ENTRY_POINT_TAG} != 'check' and attributes.status = 'FINISHED'",
        order_by=["attributes.start_time DESC"],
        max_results=_LOOKED_AT,
    )
    # Runs of folds at log level `experiment`, and runs that `mlflow run` made, may have no files.
    steps = [run for run in runs if run.data.tags[ENTRY_POINT_TAG] in STEPS]
    for run in steps[:1]:
        place = without_credentials_in(run.info.artifact_uri)
        if not client.list_artifacts(run.info.run_id):
            raise CheckError(
                f"run {run.info.run_name} ({run.info.run_id}) recorded files in {place}, and none are there",
                "put the folder back where it was; for new studies: --experiment-name with a new name",
            )
        return f"those of the newest run are in {place}"
    return "none yet"
