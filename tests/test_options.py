"""One definition of the options for Python, the commands and the JSON configuration."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from bundle.domain import MOVING
from bundle.errors import InputError
from bundle.options import Options, TrainingOptions, check_value, options_of
from bundle.paths import MODEL
from scripts import apply, fuse, prepare_volumes
from scripts.command import given_options

ROOT = Path(__file__).resolve().parents[1]
CONFIG = json.loads((ROOT / "configs" / "inference.json").read_text(encoding="utf-8"))
OF_A_PAIR = {
    "modality", "frame", "apply_to_all_frames", "fixed_frame", "series", "spacing", "fixed_mask",
    "moving_mask",
}  # fmt: skip
"""A list names them pair by pair; and the device is the configuration's own."""


def test_the_configuration_hands_on_every_option_it_has():
    passed = {name: value for name, value in CONFIG["options"].items() if name[0] != "_"}
    assert passed.pop("function") == "$option_values.options_of"
    assert passed == {name: f"@{name}" for name in passed}
    assert set(passed) == set(Options.model_fields) - OF_A_PAIR - {"device"}
    assert set(Options.model_fields) & set(CONFIG) == set(passed) | {"device"}


def test_the_defaults_of_the_configuration_are_those_of_python():
    given = {name: CONFIG[name] for name in Options.model_fields if name in CONFIG}
    assert eval(given.pop("checkpoint")[1:].replace("@bundle_root", repr(str(ROOT)))) == str(MODEL)
    assert "cuda:0" in given.pop("device")
    assert len(given) == 19
    assert options_of(**given) == options_of() == Options()
    for name, value in given.items():
        default = Options.model_fields[name].default
        assert value == (list(default) if isinstance(default, tuple) else default), name
        assert type(value) is (list if isinstance(default, tuple) else type(default)), name


@pytest.mark.parametrize("command", [fuse, apply, prepare_volumes])
def test_the_defaults_of_the_commands_are_those_of_python(command):
    """But of slices for training, whose pairs are aligned already."""
    parsed = {
        action.dest: action.default
        for action in command._parser()._actions
        if action.dest in Options.model_fields
    }
    assert parsed
    if command is prepare_volumes:
        assert parsed.pop("init") == "none"
    assert parsed == {name: Options.model_fields[name].default for name in parsed}


def test_the_command_knows_every_choice():
    actions = {action.dest: action for action in fuse._parser()._actions}
    assert tuple(actions["modality"].choices) == MOVING
    assert actions["init"].choices == ("rigid", "header", "center", "moments", "affine", "none")
    assert actions["plane"].choices == ("auto", "axial", "coronal", "sagittal")
    assert actions["refine"].choices == ("none", "bspline")
    assert actions["ct_window"].nargs == 2
    parsed = fuse._parser().parse_args(["--output_dir", "o", "--ct_window", "0", "80.5"])
    assert options_of(**given_options(parsed)).ct_window == (0.0, 80.5)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"init": "elastic"}, "init elastic: give one of rigid, header, center, moments"),
        ({"refine": None}, "refine None: give one of none, bspline"),
        ({"modality": "MRI"}, "modality MRI: give one of CT, PET, SPECT, MR, or none"),
        ({"guard": "maybe"}, "guard maybe: give true or false"),
        ({"through_plane": -1}, "through_plane -1: give a number, 0 or more"),
        ({"through_plane": "wide"}, "through_plane wide: give a number, 0 or more"),
        ({"through_plane": float("nan")}, "through_plane nan: give a number, 0 or more"),
        ({"ct_window": 5}, "ct_window 5: give two numbers, the lower one first"),
        ({"ct_window": None}, "ct_window None: give two numbers, the lower one first"),
        ({"ct_window": (150, -20)}, "ct_window 150,-20: give two numbers, the lower one first"),
        ({"ct_window": [1, None]}, "ct_window 1,None: give two numbers, the lower one first"),
        ({"ct_window": (1, 2, 3)}, "ct_window 1,2,3: give two numbers, the lower one first"),
        ({"percentiles": (0, 101)}, "percentiles 0,101: give two numbers from 0 to 100, the lower"),
        ({"frame": "x"}, "frame x: give its number, from 0"),
        ({"frame": -1}, "frame -1: give its number, from 0"),
        ({"frame": True}, "frame True: give its number, from 0"),
        ({"series": ["1.2", 3.5]}, "series 1.2,3.5: give UIDs in quotes"),
        ({"checkpoint": 5}, "checkpoint 5: give the path of a file"),
        ({"device": 0}, "device 0: give cpu or cuda:0"),
        ({"chekpoint": "m.pt"}, r"chekpoint: unknown option; did you mean checkpoint\?"),
        ({"zzz": 1}, "zzz: unknown option; there are modality, frame, series, fixed_frame"),
    ],
)
def test_a_wrong_option_is_one_line(given, message):
    with pytest.raises(InputError, match=f"^{message}") as raised:
        options_of(**given)
    assert "\n" not in str(raised.value)


def test_values_are_read_as_texts_too():
    given = {
        "modality": "pet",
        "frame": "3",
        "series": "1.2, 1.3",
        "guard": "false",
        "through_plane": "0",
        "ct_window": "[0, 80]",
        "percentiles": "1,99",
    }
    read = options_of(**given)
    assert (read.modality, read.frame, read.series) == ("PET", 3, ("1.2", "1.3"))
    assert (read.guard, read.through_plane) == (False, 0.0)
    assert (read.ct_window, read.percentiles) == ((0.0, 80.0), (1.0, 99.0))
    none = options_of(modality="", frame="", series="")
    assert none == Options()
    assert options_of(percentiles=np.array([1, 99])).percentiles == (1.0, 99.0)


def test_options_stay_as_they_are():
    with pytest.raises(ValueError, match="frozen"):
        options_of().init = "none"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("frame", "-3", "--frame -3: give its number, from 0, or mean"),
        ("ct_window", ["80", "x"], "--ct_window 80,x: give two numbers, the lower one first"),
        ("max_epochs", "3.0", "--max_epochs 3.0: give a whole number, 1 or more"),
        ("cache_rate", "2", "--cache_rate 2: give a number from 0 to 1"),
    ],
)
def test_a_value_of_a_command_is_named_as_the_command_has_it(name, value, message):
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        check_value(name, value)


def test_options_that_nobody_knows_pass():
    check_value("network_def", "{}")
    assert not set(Options.model_fields) & set(TrainingOptions.model_fields)
