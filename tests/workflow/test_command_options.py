"""Options of the bundle command that no configuration knows."""

import subprocess
import sys
from pathlib import Path

import pytest

from bundle.errors import InputError
from bundle.workflow.command_options import (
    ENVIRONMENT,
    check_expression,
    check_store,
    refuse_unknown_options,
)

ROOT = Path(__file__).parents[2]
COMMAND = ["/x/monai/bundle/__main__.py", "run", "training", "--config_file"]


@pytest.mark.parametrize(
    "options",
    [
        ["configs/train.json", "--max_epochs", "3", "--resume", "true"],
        ["configs/train.json", "--experiment_name", "x", "--tracking=mlflow"],
        ["configs/train.json", "--train#trainer#max_epochs", "1"],
        ["['configs/train.json','configs/evaluate.json']", "--output_dir", "out"],
        ["configs/train.json", "--tracking", "configs/tracking.json", "--panel_interval", "2"],
        ["configs/train.json", "--train#augmentation#2#prob", "0.0"],
        ["configs/train.json", "--train::dataloader::pin_memory", "true"],
        ["configs/train.json", "--optimizer#foreach", "true", "--train#trainer#_disabled_", "0"],
        ["['configs/train.json','configs/multi_gpu_train.json']", "--train#sampler#pairs", "6"],
        ["['configs/train.json','configs/on_device.json']", "--train#step#clip", "1.0"],
        ["configs/train.json", "--epoch_pairs", "4000", "--blend_prob", "0.3"],
        ["configs/train.json", "--stacks_dir", "s", "--heads_dir", "h", "--slices_per_head", "6"],
        ["configs/train.json", "--train#ema#momentum", "0.01", "--train#validation#interval", "2"],
        ["configs/train.json", "--tracking", "configs/tracking.json", "--parent_run", "abc"],
        ["configs/inference.json", "--datalist", "pairs.json", "--bundle_root", "."],
    ],
)
def test_known_ids_and_monais_own_options_pass(options):
    refuse_unknown_options([*COMMAND, *options])


@pytest.mark.parametrize(
    ("option", "near"),
    [
        ("--max_epoch", "max_epochs"),
        ("--batchsize=4", "batch_size"),
        ("--train#trainer#max_epoch", "train#trainer#max_epochs"),
        ("--trian#trainer#max_epochs", "train"),
        ("--optimizer#weight_decy", "optimizer#weight_decay"),
        ("--loss#fusion#gradient_weigth", "loss#fusion#gradient_weight"),
        ("--train::augmentation::0::probs", "train#augmentation#0#prob"),
        ("--epoch_pair", "epoch_pairs"),
        ("--train#attach", "train#attached"),
    ],
)
def test_a_mistyped_option_names_the_nearest(option, near):
    with pytest.raises(InputError, match=rf"unknown option; did you mean --{near}\?"):
        refuse_unknown_options([*COMMAND, "configs/train.json", option, "4"])


@pytest.mark.parametrize("option", ["compile", "seconds", "validations", "epoch_repeat", "ema"])
@pytest.mark.parametrize(
    "config", ["configs/train.json", "['configs/train.json','configs/on_device.json']"]
)
def test_options_that_are_gone_are_refused(option, config):
    with pytest.raises(InputError, match=f"^--{option}: unknown option"):
        refuse_unknown_options([*COMMAND, config, f"--{option}", "1"])


def test_other_commands_are_left_alone():
    refuse_unknown_options(["/x/pytest", "--cov"])


@pytest.mark.parametrize("option", ["--train#augmentation#77#prob", "--seed#x", "--zzz"])
def test_an_option_far_from_all_others_is_refused(option):
    with pytest.raises(InputError, match="unknown option; see the configuration"):
        refuse_unknown_options([*COMMAND, "configs/train.json", option, "4"])


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("max_epochs", "0", "give a whole number, 1 or more"),
        ("val_stride", "many", "give a whole number, 1 or more"),
        ("epoch_pairs", "0", "give a whole number, 1 or more"),
        ("epoch_pairs", "1.5", "give a whole number, 1 or more"),
        ("slices_per_head", "0", "give a whole number, 1 or more"),
        ("blend_prob", "1.5", "give a number from 0 to 1"),
        ("image_size", "16", "give a whole number, 32 or more"),
        ("stage", "fuse", "give one of all, registration, fusion"),
        ("reduction", "3", "give one of 1, 2, 4"),
        ("resume", "maybe", "give true or false"),
        ("learning_rate", "-0.1", "give a number above 0"),
        ("gradient_clip", "nan", "give a number above 0"),
        ("cache_rate", "2", "give a number from 0 to 1"),
        ("cache_rate", "all", "give a number from 0 to 1"),
        ("palette_dir", "nowhere", "no such folder; check the path"),
        ("tracking", "nope.json", "no such file, and not mlflow; check the path"),
    ],
)
def test_a_value_that_cannot_be_is_one_line(option, value, message):
    with pytest.raises(InputError, match=f"^--{option} {value}: {message}$"):
        refuse_unknown_options([*COMMAND, "configs/train.json", f"--{option}", value])


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("ct_window", "[150,-20]", "give two numbers, the lower one first"),
        ("ct_window", "5", "give two numbers, the lower one first"),
        ("percentiles", "[-5,50]", "give two numbers from 0 to 100, the lower one first"),
        ("percentiles", "[99,1]", "give two numbers from 0 to 100, the lower one first"),
        ("through_plane", "-3", "give a number, 0 or more"),
    ],
)
def test_a_range_that_is_none_is_one_line(option, value, message):
    with pytest.raises(InputError) as error:
        refuse_unknown_options([*COMMAND, "configs/inference.json", f"--{option}", value])
    assert str(error.value) == f"--{option} {value}: {message}"
    refuse_unknown_options([*COMMAND, "configs/inference.json", "--percentiles", "[1,99.0]"])


@pytest.mark.parametrize("uri", ["file:///my/runs", "file:runs", "/my/runs", "runs"])
def test_a_folder_as_a_tracking_store_is_one_line(uri, monkeypatch):
    words = [*COMMAND, "configs/train.json", "--tracking", "configs/tracking.json"]
    with monkeypatch.context() as environment:
        environment.setenv(ENVIRONMENT, uri)
        with pytest.raises(InputError, match=f"^{ENVIRONMENT} {uri}: MLflow no longer"):
            check_store(uri)
    with pytest.raises(InputError, match=f"^--tracking_uri {uri}: .*; give sqlite:///FILE.db$"):
        refuse_unknown_options([*words, "--tracking_uri", uri])
    for sound in ("sqlite:////my/runs.db", "http://localhost:5000"):
        refuse_unknown_options([*words, "--tracking_uri", sound])


def test_inference_refuses_unknown_options_before_it_reads_pairs():
    config = ["configs/inference.json", "--datalist", "nowhere.json", "--dicom_outptu", "true"]
    words = [sys.executable, "-m", "monai.bundle", "run", "--config_file", *config]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, encoding="utf-8", check=False)
    last = done.stderr.splitlines()[-1]
    assert done.returncode == 1 and "did you mean --dicom_output?" in last


@pytest.mark.parametrize("name", ["gpu", "cuda:77", "$torch.device('cuda:77')", ""])
def test_a_device_that_is_not_there_is_one_line(name):
    with pytest.raises(InputError, match="cannot be used here; this machine has cpu and "):
        refuse_unknown_options([*COMMAND, "configs/train.json", "--device", name])


def test_devices_that_are_there_pass():
    for name in ("cpu", "$torch.device('cpu')", "$run_tools.torch.device('cpu')"):
        refuse_unknown_options([*COMMAND, "configs/train.json", "--device", name])


def test_a_device_whose_expression_fails_is_one_line():
    with pytest.raises(InputError, match=r"--device \$my.choice\(\): cannot be .*'my' is not def"):
        refuse_unknown_options([*COMMAND, "configs/train.json", "--device", "$my.choice()"])


@pytest.mark.parametrize("name", ["device", "batch_size", "train#augmentation#0#prob"])
def test_a_broken_expression_is_one_line(name):
    with pytest.raises(InputError, match=rf"^--{name} \$foo\(: is not a Python expression [^\n]*$"):
        refuse_unknown_options([*COMMAND, "configs/train.json", f"--{name}", "$foo("])


@pytest.mark.parametrize(
    "value", ["8", "$2 * 4", "$@image_size // 16", "$len(@train#pairs) + @a::b"]
)
def test_sound_expressions_pass(value):
    check_expression("batch_size", value)


def test_the_command_ends_on_a_broken_expression_without_a_traceback():
    command = [sys.executable, "-m", "monai.bundle", "run", "training"]
    command += ["--config_file", "configs/train.json", "--device", "$foo("]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    assert done.stderr.splitlines()[-1].startswith(
        "error: --device $foo(: is not a Python expression"
    )
