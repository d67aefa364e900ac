"""How commands end on what the user can mend, and on Ctrl-C."""

import pytest

from bundle.errors import InputError
from scripts.command import or_exit


def raiser(error: BaseException):
    def function() -> None:
        raise error

    return function


def test_bad_input_is_one_line():
    with pytest.raises(SystemExit) as stop:
        or_exit(raiser(InputError("a.png: is\nblank; hand over another")))
    assert stop.value.code == "error: a.png: is blank; hand over another"


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(SystemExit, match=r"nowhere: No such file or directory; check the path"):
        or_exit(open, tmp_path / "nowhere")


def test_ctrl_c_ends_with_one_line_and_the_shell_s_status(capsys):
    with pytest.raises(SystemExit) as stop:
        or_exit(raiser(KeyboardInterrupt()))
    assert stop.value.code == 130
    assert capsys.readouterr().err == "stopped; results that are complete stay\n"
