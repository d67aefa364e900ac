"""What can be told without torch is told at once: help, wrong options, wrong paths."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.inference.images import write_grey

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ["torch", "monai", "SimpleITK", "nibabel"]

WRAPPED = """
import atexit, json, runpy, sys
kept = open(sys.argv[1], "w")
sys.argv = sys.argv[2:]
def tell():
    kept.write(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
    kept.close()
atexit.register(tell)
sys.path.insert(0, "")
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


def command(tmp_path, module, *words):
    """Exit status, stdout and stderr of a command, and the packages it had imported at its end."""
    words = [sys.executable, "-c", WRAPPED, str(tmp_path / "modules.json"), module, *words]
    done = subprocess.run(
        [*map(str, words)], cwd=ROOT, capture_output=True, encoding="utf-8", check=False
    )
    packages = json.loads((tmp_path / "modules.json").read_text(encoding="utf-8"))
    return done.returncode, done.stdout, done.stderr, packages


@pytest.fixture
def pair(tmp_path):
    return [
        word
        for side, seed in (("fixed", 1), ("moving", 2))
        for word in (f"--{side}", str(write_grey(tmp_path / f"{side}.png", seed=seed)))
    ]


@pytest.mark.parametrize("module", ["scripts.fuse", "scripts.apply"])
def test_help_is_told_at_once(module, tmp_path):
    status, said, error, packages = command(tmp_path, module, "--help")
    assert (status, error) == (0, "")
    assert said.startswith(f"usage: python -m {module} ")
    assert "scripts" in packages and not set(HEAVY) & set(packages)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--init", "elastic"], "argument --init: invalid choice: 'elastic'"),
        (["--ct_window", "150"], "argument --ct_window: expected 2 arguments"),
        (["--max_epochs", "3"], "unrecognized arguments: --max_epochs 3"),
    ],
)
def test_a_word_that_argparse_refuses(words, line, pair, tmp_path):
    out = tmp_path / "out"
    status, said, error, packages = command(
        tmp_path, "scripts.fuse", *pair, "--output_dir", out, *words
    )
    assert (status, said) == (2, "")
    assert error.splitlines()[-1].startswith(f"python -m scripts.fuse: error: {line}")
    assert not set(HEAVY) & set(packages) and not out.exists()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ["--ct_window", "150", "-20"],
            "--ct_window 150,-20: give two numbers, the lower one first",
        ),
        (["--frame", "two"], "--frame two: give its number, from 0"),
        (["--workers", "-1"], "--workers -1: give 0 or more"),
        (["--moving", "nowhere.png"], "nowhere.png: no such file; check the path"),
        (["--moving", "README.md"], "README.md: unknown kind of file; name one of .png, .jpg"),
        (
            ["--datalist", "nowhere.json"],
            "name --fixed and --moving, or --datalist, or --input_dir",
        ),
    ],
)
def test_what_is_wrong_with_a_pair_is_one_line(words, line, pair, tmp_path):
    out = tmp_path / "out"
    status, said, error, packages = command(
        tmp_path, "scripts.fuse", *pair, "--output_dir", out, *words
    )
    assert (status, said) == (1, "")
    assert error.startswith(f"error: {line}") and error.count("\n") == 1
    assert not set(HEAVY) & set(packages) and not out.exists()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--datalist", "nowhere.json"], "nowhere.json: no readable datalist (No such file"),
        (["--input_dir", "nowhere"], "nowhere: no such folder"),
        (["--input_dir", "docs"], "docs: holds no pair"),
        (["--datalist", "README.md"], "README.md: not JSON ("),
    ],
)
def test_what_is_wrong_with_a_list_is_one_line(words, line, tmp_path):
    out = tmp_path / "out"
    status, said, error, packages = command(tmp_path, "scripts.fuse", *words, "--output_dir", out)
    assert (status, said) == (1, "")
    assert error.startswith(f"error: {line}") and error.count("\n") == 1
    assert not set(HEAVY) & set(packages) and not out.exists()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ({}, "nowhere.h5: no such file; name the transform.h5 of a result"),
        ({"--moving": "nowhere.nii.gz"}, "nowhere.nii.gz: no such file; check the path"),
        ({"--reference": "nowhere.mha"}, "nowhere.mha: no such file; check the path"),
        ({"--output": "out.png"}, "out.png: is written as a volume; name it .nii.gz"),
        ({"--output": "nowhere/out.nii"}, "nowhere/out.nii: its folder does not exist; make it"),
        ({"--transform": "README.md", "--frame": "x"}, "--frame x: give its number, from 0"),
    ],
)
def test_what_is_wrong_with_a_transform_is_one_line(words, line, tmp_path):
    given = {
        "--transform": "nowhere.h5",
        "--moving": "README.md",
        "--reference": "README.md",
        "--output": tmp_path / "out.nii.gz",
    }
    flat = [word for both in (given | words).items() for word in both]
    status, said, error, packages = command(tmp_path, "scripts.apply", *flat)
    assert (status, said) == (1, "")
    assert error.startswith(f"error: {line}") and error.count("\n") == 1
    assert not set(HEAVY) & set(packages)


def test_the_package_itself_is_light(tmp_path):
    code = "import sys, bundle; from bundle import InputError, Remark; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, encoding="utf-8", check=True
    )
    assert not set(HEAVY) & set(done.stdout.split())
