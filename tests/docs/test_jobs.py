"""The pages about jobs: their commands, the array of Slurm, the workers of Dask."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import threading
import time
from pathlib import Path

import nibabel
import numpy as np
import pytest
from dask.distributed import Client, LocalCluster

from bundle.phantom.bids import write_bids
from bundle.phantom.pairs import write_volumes
from docs.dask_bids import register_all
from scripts import bids, fuse

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"<!-- tested -->\n```bash\n(.*?)```", re.DOTALL)
QUICK = ["--rigid_only", "--init", "header", "--device", "cpu"]
GRID: dict = {"shape": (40, 48, 4), "spacing": (5.0, 5.0, 30.0)}
COMMANDS = {"scripts.fuse": fuse.main, "scripts.bids": bids.main}


def commands(page):
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return [line for block in BLOCK.findall(text) for line in block.splitlines()]


def run(command):
    """Run a command of a page in this process, without registration and on small heads."""
    python, dash, module, *words = shlex.split(command)
    assert (python, dash) == (".venv/bin/python", "-m")
    if module == "scripts.make_phantom":
        assert words == ["--bids", "3", "--output_dir", "my_bids"]
        write_bids(Path("my_bids"), 2, **GRID)
        Path("dynamic.nii.gz").rename("my_bids/sub-01/pet/sub-01_trc-FDG_pet.nii.gz")
        return
    COMMANDS[module](words + ([] if "group" in words else QUICK))


@pytest.fixture(scope="module")
def head(tmp_path_factory):
    folder = tmp_path_factory.mktemp("head")
    write_volumes(folder, **GRID)
    return folder


@pytest.fixture
def files(head, tmp_path, monkeypatch):
    """The files that the pages name, in the current folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("mri_t1", "ct", "pet"):
        (tmp_path / f"{name.partition('_')[0]}.nii.gz").symlink_to(head / f"{name}.nii.gz")
    pet = nibabel.load(head / "pet.nii.gz")
    frames = np.stack([k * pet.get_fdata() for k in (1, 2)], axis=3).astype(np.float32)
    nibabel.save(nibabel.Nifti1Image(frames, pet.affine), tmp_path / "dynamic.nii.gz")
    return tmp_path


def test_the_page_on_several_images(files):
    for command in commands("many.md"):
        run(command)
    assert (files / "out/several/ct/report.html").is_file()
    assert (files / "out/several/pet/report.html").is_file()
    page = (files / "out/several/summary.html").read_text(encoding="utf-8")
    assert page.count("report.html") == 2
    assert nibabel.load(files / "out/dynamic/warped_4d.nii.gz").shape == (40, 48, 4, 2)


def test_the_page_on_bids(files):
    for command in commands("bids.md"):
        run(command)
    out = files / "my_bids/derivatives/bimsrec"
    mean = out / "sub-01/pet/sub-01_trc-FDG_space-T1w_desc-registeredmean_pet.nii.gz"
    whole = out / "sub-01/pet/sub-01_trc-FDG_space-T1w_desc-registered_pet.nii.gz"
    assert nibabel.load(mean).ndim == 3 and nibabel.load(whole).shape[3] == 2
    assert nibabel.load(out / "sub-02" / "pet" / whole.name.replace("01", "02")).ndim == 3
    table = (out / "group_registration.tsv").read_text(encoding="utf-8").splitlines()
    assert [line.split("\t")[2] for line in table[1:]] == ["done"] * 4


def test_each_task_of_an_array_takes_a_subject(tmp_path):
    for name in ("sub-b", "sub-a", "sourcedata"):
        (tmp_path / "my data" / name).mkdir(parents=True)
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/bash\nprintf "%s\\n" "$@"\n')
    python.chmod(0o755)
    command = ["bash", str(ROOT / "docs" / "slurm_bids.sbatch"), "my data", "out", "--rigid_only"]
    for task, subject in (("1", "sub-a"), ("2", "sub-b")):
        done = subprocess.run(
            command, cwd=tmp_path, env=os.environ | {"SLURM_ARRAY_TASK_ID": task},
            capture_output=True, encoding="utf-8", check=True,
        )  # fmt: skip
        words = ["-m", "scripts.bids", "my data", "out", "participant", "--participant_label"]
        assert done.stdout.splitlines() == [*words, subject, "--rigid_only"]


def slowly(words):
    """In place of a registration: says who began it, and later that it ended."""
    began = Path(words[1], words[4])
    began.with_suffix(f".{os.getpid()}").touch()
    time.sleep(0.5)
    began.with_suffix(".done").touch()
    return words[4] != "sub-3"


def kill_one_at_work(pids, out):
    """End the worker that first began something; its own process, by its id."""
    while not (at_work := [pid for pid in pids if list(out.glob(f"*.{pid}"))]):
        time.sleep(0.01)
    os.kill(at_work[0], signal.SIGKILL)


def test_a_worker_that_is_killed_loses_nothing(tmp_path):
    data, out = tmp_path / "data", tmp_path / "out"
    out.mkdir()
    for number in range(6):
        (data / f"sub-{number}").mkdir(parents=True)
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        pids = sorted(client.run(os.getpid).values())
        killer = threading.Thread(target=kill_one_at_work, args=(pids, out))
        killer.start()
        failed = register_all(client, str(data), str(out), task=slowly)
        killer.join()
    assert failed == ["sub-3"]
    assert sorted(path.stem for path in out.glob("*.done")) == [f"sub-{n}" for n in range(6)]
    begun = [path.stem for path in out.iterdir() if path.suffix != ".done"]
    assert len(begun) > 6  # what was under way was begun once more
