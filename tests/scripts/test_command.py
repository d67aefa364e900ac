"""How commands end: one line that names the files, and the trace on demand."""

from __future__ import annotations

import argparse
import importlib
import logging

import pytest

from bundle import __version__
from bundle.errors import InputError, Remark, one_line, refuse_warnings
from scripts.command import or_report, show_traces


def broken(*_):
    raise KeyError("Rows")


@pytest.fixture
def debugging():
    """Undo what ``--debug`` sets."""
    logger = logging.getLogger("bundle")
    before = logger.level
    yield
    logger.setLevel(before)


def test_what_nobody_foresaw_names_files_version_and_a_way_on(caplog):
    given = argparse.Namespace(fixed="mri.nii", moving="ct.nii", datalist=None)
    with pytest.raises(SystemExit) as stop:
        or_report(broken, given)
    line = str(stop.value.code)
    assert line == (
        f"error: mri.nii, ct.nii: cannot be done (KeyError: 'Rows'; BiMSRec {__version__}); "
        "--debug shows where it stopped: please report it"
    )
    assert not caplog.records


def test_debug_shows_where_it_came_from(caplog, debugging):
    show_traces(True)
    with pytest.raises(SystemExit):
        or_report(broken, argparse.Namespace())
    (record,) = caplog.records
    assert record.exc_info is not None and record.exc_info[0] is KeyError


def test_what_the_user_can_cure_stays_as_it_is():
    def refuse():
        raise InputError("a.nii: no such file; check the path")

    with pytest.raises(SystemExit, match="^error: a.nii: no such file; check the path$"):
        or_report(refuse)


def test_one_line_can_be_printed_whatever_it_holds():
    text = one_line(InputError("m\udcfc.nii:\nis bad"))
    assert text == "m\\udcfc.nii: is bad"


def test_notes_are_no_refusal_and_warnings_are():
    note, warning = Remark("a", "is odd", warning=False), Remark("b", "Left is right.")
    refuse_warnings("x.nii", [note])
    with pytest.raises(InputError, match="^x.nii: Left is right; correct it, or leave out strict$"):
        refuse_warnings("x.nii", [note, warning])


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried 9"),
        OSError(12, "Cannot allocate memory"),
        RuntimeError("itk::ERROR: Failed to allocate memory for image."),
    ],
)
def test_too_little_memory_is_told_as_such(error):
    line = one_line(error, "mri.nii")
    assert line == "mri.nii: not enough memory; end other programs, or give smaller images"
    on_gpu = one_line(RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"))
    assert on_gpu.startswith("not enough memory on the GPU;") and "--device cpu" in on_gpu


def test_a_package_that_is_missing_is_named():
    with pytest.raises(ModuleNotFoundError) as missing:
        importlib.import_module("no_such_package.part")
    line = one_line(missing.value, "mri.nii")
    assert line.startswith("mri.nii: the package no_such_package is missing; install")
    own = ModuleNotFoundError("No module named 'bundle.nothing'", name="bundle.nothing")
    assert "please report it" in one_line(own)
