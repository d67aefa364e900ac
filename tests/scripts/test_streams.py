"""Work does not depend on who reads what a command says, and ends cleanly when it is told to."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from ignite.engine import Engine

from bundle.paths import ROOT
from bundle.progress import Stage
from scripts import streams
from scripts.command import or_report
from scripts.progress import Display


class Full(io.StringIO):
    """Leads to a full disk."""

    def __init__(self, terminal):
        super().__init__()
        self.terminal, self.asked = terminal, 0

    def isatty(self):
        return self.terminal

    def write(self, text):
        self.asked += 1
        raise OSError(28, "No space left on device")


FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full")
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_command_ends_well_whose_words_cannot_be_written(stream):
    code = "from scripts.streams import say, tell\nfor _ in range(3): say('a'); tell('b')"
    with FULL.open("w", encoding="utf-8") as full:
        process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, **{stream: full})
        assert process.wait(timeout=30) == 0


def test_a_closed_stderr_takes_nothing_and_stdout_gets_nothing_of_it(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stderr", None)
    streams.tell("warning")
    progress = Display(quiet=False, pairs=1)("pair")
    progress.expect({Stage.NETWORK: 60.0})
    progress(Stage.NETWORK)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_that_cannot_be_shown_is_given_up(terminal, monkeypatch):
    full = Full(terminal)
    monkeypatch.setattr(sys, "stderr", full)
    progress = Display(quiet=False, pairs=1)("pair")
    progress.expect({Stage.NETWORK: 60.0, Stage.FUSE: 60.0})
    progress(Stage.NETWORK)
    assert full.asked and sys.stderr is None
    progress(Stage.FUSE)


class Filling(Full):
    """A terminal that takes a few lines, and is gone then."""

    def __init__(self):
        super().__init__(terminal=True)
        self.left = 4

    def write(self, text):
        self.left -= 1
        return len(text) if self.left > 0 else super().write(text)


def test_pairs_go_on_where_the_bar_is_lost(monkeypatch):
    filling, done = Filling(), []
    monkeypatch.setattr(sys, "stderr", filling)
    display = Display(quiet=False, pairs=3)

    def one(engine, name):
        progress = display(name)
        progress.expect({Stage.NETWORK: 60.0})
        progress(Stage.NETWORK)
        filling.left = 0
        done.append(name)

    engine = Engine(one)
    display.attach(engine)
    engine.run(["a", "b", "c"])
    assert done == ["a", "b", "c"] and filling.asked


def test_letters_that_stdout_lacks_are_written_as_numbers(monkeypatch):
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="strict")
    monkeypatch.setattr(sys, "stdout", out)
    streams.say("results in Müller")
    assert out.buffer.getvalue() == b"results in M\\xfcller\n"


WAITING = """
import signal, sys, tempfile, time
from scripts.command import or_report
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests themselves may run under nohup
def work():
    with tempfile.TemporaryDirectory(dir=sys.argv[1]) as folder:
        for number in range(2000):
            open(f"{folder}/{number}", "w").close()
        print("begun", flush=True)
        time.sleep(60)
or_report(work)
"""


@pytest.mark.parametrize(
    ("names", "statuses"),
    [
        (["SIGTERM"], {143}),
        (["SIGHUP"], {129}),
        (["SIGTERM", "SIGHUP", "SIGTERM"], {143, 129}),  # schedulers send several
    ],
)
def test_a_process_that_is_ended_cleans_up(names, statuses, tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", WAITING, str(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "begun\n" and list(tmp_path.iterdir())
    for name in names:
        process.send_signal(getattr(signal, name))
    assert process.wait(timeout=30) in statuses
    assert not list(tmp_path.iterdir())
    assert process.stderr.read() == "stopped; results that are complete stay\n"


def test_a_command_runs_in_any_thread():
    found = []
    thread = threading.Thread(target=lambda: found.append(or_report(sum, [1, 2])))
    thread.start()
    thread.join()
    assert found == [3]


def test_what_nohup_ignores_stays_ignored(tmp_path):
    code = WAITING.replace("SIG_DFL", "SIG_IGN").replace("time.sleep(60)", "time.sleep(2)")
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGHUP)
    time.sleep(0.1)
    assert process.wait(timeout=30) == 0
