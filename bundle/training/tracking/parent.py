"""The MLflow run that the stages of a recipe belong to."""

from __future__ import annotations

from mlflow.tracking import MlflowClient


def parent_run(tracking_uri: str, name: str, experiment: str = "bimsrec") -> str:
    """Make a run that others name as their parent.

    Args:
        tracking_uri: the store.
        name: of the run.
        experiment: of all of them.

    Returns:
        its id.
    """
    client = MlflowClient(tracking_uri)
    found = client.get_experiment_by_name(experiment)
    identity = found.experiment_id if found else client.create_experiment(experiment)
    return client.create_run(identity, run_name=name).info.run_id
