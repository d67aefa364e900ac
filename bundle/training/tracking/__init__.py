"""What a training run leaves in an MLflow store."""

import os

# MLflow reports usage to its makers unless told otherwise; training works without a network.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

from bundle.training.tracking.panel import PhantomPanel  # noqa: E402
from bundle.training.tracking.store import store_of  # noqa: E402
from bundle.training.tracking.tracker import RunTracker  # noqa: E402

__all__ = ["PhantomPanel", "RunTracker", "store_of"]
