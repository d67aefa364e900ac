"""One run at a time in a folder of results."""

import multiprocessing
import threading
from contextlib import contextmanager

import pytest

from bundle.errors import InputError
from bundle.results.folder import staged
from bundle.results.held import held


def work(what, folder, connection):
    with what(folder) as stage:
        if stage:
            (stage / "fused.png").write_text("other")
        connection.send("there")
        connection.recv()


@contextmanager
def other_run(what, folder):
    """A process that is at work in the folder; yields it."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=work, args=(what, folder, there))
    process.start()
    try:
        assert here.recv() == "there"
        yield process
    finally:
        if process.is_alive():
            here.send("end")
        process.join()


def answer(folder):
    """What another thread is told that wants to work there."""
    said = []

    def run():
        try:
            with held(folder):
                said.append("there")
        except InputError as error:
            said.append(str(error))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return said[0]


@pytest.mark.parametrize("what", [held, staged])
def test_of_two_runs_in_one_folder_one_is_refused(what, tmp_path):
    folder = tmp_path / "out"
    with other_run(what, folder):
        with pytest.raises(InputError) as refused, staged(folder):
            pass
        assert str(refused.value) == (
            f"{folder}: another run is at work here; wait for it, or choose another output_dir"
        )
        assert [p.name[:8] for p in folder.iterdir()] == ([".result-"] if what is staged else [])
    assert (folder / "fused.png").exists() == (what is staged)
    with staged(folder) as stage:  # the other one has let go of it
        (stage / "fused.png").write_text("mine")
    assert (folder / "fused.png").read_text(encoding="utf-8") == "mine"


def test_a_run_that_is_killed_lets_go_and_leaves_no_result(tmp_path):
    folder = tmp_path / "out"
    with other_run(staged, folder) as process:
        process.kill()
        process.join()
    assert not (folder / "fused.png").exists() and len(list(folder.iterdir())) == 1
    with staged(folder) as stage:
        (stage / "fused.png").touch()
    assert [path.name for path in folder.iterdir()] == ["fused.png"]


def test_a_run_holds_its_folder_from_the_start_and_writes_to_it(tmp_path):
    folder = tmp_path / "new" / "out"
    with held(folder):
        assert "another run is at work here" in answer(folder)
        with staged(folder) as stage:
            (stage / "fused.png").touch()
        assert "another run is at work here" in answer(folder)  # still
        assert answer(tmp_path / "new") == "there"
    assert answer(folder) == "there"
    assert [path.name for path in folder.iterdir()] == ["fused.png"]


def test_a_folder_that_stayed_empty_is_removed(tmp_path):
    with pytest.raises(RuntimeError), held(tmp_path / "a" / "b"):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="b: cannot be written to"), held(tmp_path / "file" / "b"):
        pass


def test_what_another_run_wrote_meanwhile_stays_unless_it_may_go(tmp_path):
    (tmp_path / "fused.png").write_text("other")
    with pytest.raises(InputError, match="holds results already"), staged(tmp_path, False):
        pass
    assert (tmp_path / "fused.png").read_text(encoding="utf-8") == "other"
    with staged(tmp_path, overwrite=True) as stage:
        (stage / "fused.png").write_text("mine")
    assert (tmp_path / "fused.png").read_text(encoding="utf-8") == "mine"
