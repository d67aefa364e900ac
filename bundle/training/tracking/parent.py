"""The MLflow run that the stages of a recipe belong to."""

from __future__ import annotations

from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

EXPERIMENT = "bimsrec"


def parent_run(
    tracking_uri: str, name: str, artifacts: str | None, before: str | None = None
) -> str:
    """Make a run that others name as their parent.

    Args:
        tracking_uri: the store.
        name: of the run.
        artifacts: place of the experiment's files, a URI; None for the store's own.
        before: id of the run that a command made earlier: it goes on, if the store has it.

    Returns:
        its id.
    """
    client = MlflowClient(tracking_uri)
    if before and _has(client, before):
        client.update_run(before, status="RUNNING")
        return before
    found = client.get_experiment_by_name(EXPERIMENT)
    identity = found.experiment_id if found else client.create_experiment(EXPERIMENT, artifacts)
    return client.create_run(identity, run_name=name).info.run_id


def end_stopped(tracking_uri: str, parent: str, name: str) -> None:
    """Close the records of a stage that was stopped and does not go on.

    Args:
        tracking_uri: the store.
        parent: id of the run that they belong to.
        name: of the stage.
    """
    client = MlflowClient(tracking_uri)
    experiment = client.get_run(parent).info.experiment_id
    theirs = f"tags.{MLFLOW_PARENT_RUN_ID} = '{parent}' and attributes.run_name = '{name}'"
    for run in client.search_runs([experiment], f"{theirs} and attributes.status = 'RUNNING'"):
        client.set_terminated(run.info.run_id, "KILLED")


def end(tracking_uri: str, parent: str) -> None:
    """Close the parent's own record, if the store has it."""
    client = MlflowClient(tracking_uri)
    if _has(client, parent):
        client.set_terminated(parent)


def _has(client: MlflowClient, run: str) -> bool:
    try:
        client.get_run(run)
    except MlflowException:
        return False
    return True
