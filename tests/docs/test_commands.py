"""Every command that a page prints exists, with its options; those of the first pages are also run.

``tests/test_readme.py`` and ``tests/test_own_data.py`` run what a new user types; here stand
trainings of hours, servers and commands with names such as ``DIR``.
"""

from __future__ import annotations

import argparse
import importlib
import json
import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*sorted((ROOT / "docs").glob("*.md")), *sorted(ROOT.glob("*.md"))]
BLOCKS = re.compile(r"```bash\n(.*?)```", re.DOTALL)
INLINE = re.compile(r"`(?:\.venv/bin/)?(python -m scripts\.[^`]+|make [^`]+)`")
LOCAL = {"config_file", "run_id", "net_id", "filepath", "ckpt_file", "meta_file", "input_shape",
         "use_trace", "converter_kwargs"}  # fmt: skip
"""Options of ``monai.bundle`` itself."""


def _commands() -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        lines = "\n".join(BLOCKS.findall(text)).replace("\\\n", " ").splitlines()
        found += [(page.name, line) for line in [*lines, *INLINE.findall(text)]]
    return found


COMMANDS = [(page, line) for page, line in _commands() if line.strip()]
ELSEWHERE = {"label_client"}
"""Runs in MONAI Label's environment, where ``make test-label`` runs it."""

SCRIPTS = {name for _, line in COMMANDS for name in re.findall(r"-m scripts\.([a-z_]+)", line)}


class Parsed(Exception):
    """Stops a command once its parser is there."""


@pytest.fixture(scope="module")
def options() -> dict[str, set[str]]:
    """The options of each script that the pages name."""
    known: dict[str, set[str]] = {}

    def stop(parser: argparse.ArgumentParser, *_: object, **__: object) -> None:
        known[name] = {word for action in parser._actions for word in action.option_strings}
        raise Parsed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(argparse.ArgumentParser, "parse_args", stop)
        for name in SCRIPTS - ELSEWHERE:
            module = importlib.import_module(f"scripts.{name}")
            with pytest.raises(Parsed):
                module.main([])
    return known


def test_scripts_have_the_options_that_pages_name(options):
    assert len(SCRIPTS) > 15
    for page, line in COMMANDS:
        for part in re.split(r"&&|;|\|", line):
            for name in re.findall(r"-m scripts\.([a-z_]+)", part):
                given = set(re.findall(r"(?<!\S)\[?(--\w+)", part.partition(f"scripts.{name}")[2]))
                assert name in ELSEWHERE or given <= options[name], f"{page}: {line}"


def test_configurations_have_the_ids_that_pages_name():
    count = 0
    for page, line in COMMANDS:
        if "monai.bundle run" not in line:
            continue
        known = set(LOCAL)
        for file in re.findall(r"configs/[\w/]+\.json", line):
            known |= set(json.loads((ROOT / file).read_text(encoding="utf-8")))
        given = re.findall(r"(?<!\S)--([\w#]+)", line.partition("monai.bundle run")[2])
        unknown = {name for name in given if name.split("#")[0] not in known}
        assert unknown <= {"tracking"}, f"{page}: {line}"
        count += 1
    assert count > 10


def test_make_has_the_targets_that_pages_name():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)[1].split())
    named = {
        word
        for _, line in COMMANDS
        if line.startswith("make ")
        for word in shlex.split(line.partition("#")[0])[1:]
        if "=" not in word and word != "..."
    }
    assert {"demo", "test", "check", "docs", "label", "weights"} <= named <= targets
