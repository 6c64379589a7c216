"""Running a step as an MLflow Project run of this project, nested under the active run."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import ExecutionException
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_PROJECT_ENTRY_POINT

from steps.errors import UserError
from steps.parameter_types import as_text
from steps.parameters import PARAMETERS, Value
from steps.system.environment_variables import environment_variables
from steps.system.interpreter import this_python
from steps.system.project import ROOT
from steps.tracking.session import FAILURE_TAG

# Announce every step's command with all its parameters, and a temporary folder for each.
_CHATTER = ("mlflow.projects", "mlflow.projects.utils", "mlflow.projects.backend.local")


def run_step(entry_point: str, parameters: Mapping[str, Value], parent: Run) -> str:
    """Run an entry point of this project in this environment and return its run ID.

    Raises:
        UserError: the step failed, and has said why; what it recorded of that is the cause of this error.
    """
    values = {  # MLflow prints every value it is given, and the entry point has its defaults
        name: as_text(value) for name, value in parameters.items() if value != PARAMETERS[name].default
    }
    for name in _CHATTER:  # set here, because importing mlflow.projects resets the levels
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        # MLflow may cut off its copy of long parameters, because `parameters.json` holds them whole.
        with this_python(), environment_variables({"MLFLOW_TRUNCATE_LONG_VALUES": "true"}):
            submitted = mlflow.projects.run(
                uri=str(ROOT),
                entry_point=entry_point,
                parameters=values,
                experiment_id=parent.info.experiment_id,
                run_name=entry_point,
                env_manager="local",  # the driver already runs in the project's environment
            )
    except OSError as error:  # a command line longer than the system allows
        raise UserError(f"step {entry_point} cannot be started: {error.strerror}") from error
    except ExecutionException as error:
        failed = _newest_child(entry_point, parent)
        run_id = failed.info.run_id if failed else "unknown"
        why = failed.data.tags.get(FAILURE_TAG) if failed else None
        raise UserError(
            f"step {entry_point} failed for the reason above (run {run_id}); mend it and run the same command again: "
            "finished steps are reused"
        ) from (UserError(why) if why else error)
    return str(submitted.run_id)


def _newest_child(entry_point: str, parent: Run) -> Run | None:
    runs = MlflowClient().search_runs(
        [parent.info.experiment_id],
        f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{parent.info.run_id}' "
        f"and tags.`{MLFLOW_PROJECT_ENTRY_POINT}` = '{entry_point}'",
        order_by=["attributes.start_time DESC"],
        max_results=1,
    )
    return runs[0] if runs else None
