"""What a command shows of the stages: a bar on a terminal, lines of a single pair elsewhere."""

from __future__ import annotations

import io
import sys

import pytest
from ignite.engine import Engine
from tqdm import tqdm

from bundle.progress import Stage
from scripts.progress import Display
from scripts.streams import tell

SECONDS = {Stage.START: 10.0, Stage.NETWORK: 20.0, Stage.FUSE: 30.0}


class Terminal(io.StringIO):
    def isatty(self):
        return True


def on_terminal(monkeypatch, *given):
    """What a terminal is sent; pytest puts a stream of its own there before each test."""
    terminal = Terminal()
    tqdm._instances.clear()  # bars that other tests left open would move this one down
    monkeypatch.setattr(sys, "stderr", terminal)
    go_through(*given)
    return terminal.getvalue()


def go_through(display, names, seconds):
    """Run the stages of pairs, as the evaluator does; the pair ``bad`` fails."""

    def one(engine, name):
        progress = display(name)
        progress(Stage.READ)
        if name == "bad":
            tell("error: bad: is bad")
            return
        progress.expect(seconds)
        for stage in SECONDS:
            progress(stage)

    engine = Engine(one)
    display.attach(engine)
    engine.run(names)


def test_elsewhere_a_single_pair_has_a_line_per_stage(capsys):
    go_through(Display(False, 1), ["a"], SECONDS)
    captured = capsys.readouterr()
    assert captured.err.splitlines() == ["rigid start (about 60 s in all)", "network", "fusion"]
    assert captured.out == ""


@pytest.mark.parametrize(
    ("quiet", "names", "seconds"),
    [
        (True, ["a"], SECONDS),
        (False, ["a", "b"], SECONDS),
        (False, ["a"], {Stage.FUSE: 1.0}),
        (False, ["a"], {}),
    ],
)
def test_elsewhere_lists_and_short_and_quiet_pairs_have_none(quiet, names, seconds, capsys):
    go_through(Display(quiet, len(names)), names, seconds)
    assert capsys.readouterr().err == ""


def test_a_terminal_shows_the_stage_and_what_is_over(monkeypatch):
    shown = on_terminal(monkeypatch, Display(False, 1), ["a"], SECONDS).split("\r")
    assert any("reading" in one and "  0 %" in one for one in shown)
    assert any("network, about 60 s in all" in one and " 17 %" in one for one in shown)
    assert any("fusion, about 60 s in all" in one and " 50 %" in one for one in shown)
    assert not any("a:" in one for one in shown)
    assert shown[-2].strip() == "" and shown[-1] == ""  # nothing is left there


def test_a_terminal_shows_which_pair_and_errors_above_the_bar(monkeypatch):
    shown = on_terminal(monkeypatch, Display(False, 2), ["bad", "b"], SECONDS).split("\r")
    assert any("b: fusion" in one and " 75 %" in one and "of 2 pairs" in one for one in shown)
    assert "error: bad: is bad\n" in shown  # a line of its own


def test_quiet_shows_nothing_on_a_terminal(monkeypatch):
    assert on_terminal(monkeypatch, Display(True, 1), ["a"], SECONDS) == ""
