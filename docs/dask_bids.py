"""Register a BIDS dataset with the workers of a Dask cluster.

From the repository root::

    python -m docs.dask_bids BIDS OUT [options of scripts.bids]

Here the cluster is two processes of this machine; replace ``LocalCluster`` by what your site has
(``dask_jobqueue.SLURMCluster``, ``dask_kubernetes``, a scheduler's address).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from dask.distributed import Client, LocalCluster, as_completed


def register(words: Sequence[str]) -> bool:
    """Register one subject in the worker's own process, which takes all with it if it dies.

    Args:
        words: the command line of ``scripts.bids``.

    Returns:
        whether all its images are done.
    """
    from scripts import bids

    try:
        bids.main(words)
    except SystemExit as stop:
        return stop.code in (None, 0)
    return True


def register_all(
    client: Client,
    bids: str,
    out: str,
    options: Sequence[str] = (),
    task: Callable[[Sequence[str]], bool] = register,
) -> list[str]:
    """Register every subject; that of a worker that died goes to another one.

    Args:
        client: of the cluster.
        bids: the dataset.
        out: folder for the derivatives.
        options: of ``scripts.bids``.
        task: what is done for each subject.

    Returns:
        the subjects of which an image failed; ``OUT/logs`` says why.
    """
    subjects = sorted(path.name for path in Path(bids).glob("sub-*") if path.is_dir())
    futures = {}
    for subject in subjects:
        words = [bids, out, "participant", "--participant_label", subject, *options]
        futures[client.submit(task, words, key=f"register-{subject}", pure=False)] = subject
    failed = []
    for future in as_completed(futures):
        good = future.status == "finished" and future.result()
        failed += [] if good else [futures[future]]
        print(f"{futures[future]}: {'done' if good else 'failed'}", flush=True)
    return sorted(failed)


def main() -> None:
    """Run the command."""
    bids, out, *options = sys.argv[1:]
    with LocalCluster(n_workers=2, threads_per_worker=1) as cluster, Client(cluster) as client:
        failed = register_all(client, bids, out, options)
    from scripts import bids as app

    app.main([bids, out, "group"])
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}; see {out}/logs")


if __name__ == "__main__":
    main()
