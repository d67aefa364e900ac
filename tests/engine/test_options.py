"""Options of the bundle command that no configuration knows."""

import pytest

from bundle.engine.options import refuse_unknown_options
from bundle.errors import InputError

COMMAND = ["/x/monai/bundle/__main__.py", "run", "training", "--config_file"]


@pytest.mark.parametrize(
    "options",
    [
        ["configs/train.json", "--max_epochs", "3", "--resume", "true"],
        ["configs/train.json", "--train#trainer#max_epochs", "1", "--tracking=mlflow"],
        ["['configs/train.json','configs/evaluate.json']", "--output_dir", "out"],
        ["configs/inference.json", "--datalist", "pairs.json", "--bundle_root", "."],
    ],
)
def test_known_ids_and_monais_own_options_pass(options):
    refuse_unknown_options([*COMMAND, *options])


@pytest.mark.parametrize(
    ("option", "near"), [("--max_epoch", "max_epochs"), ("--batchsize=4", "batch_size")]
)
def test_a_mistyped_option_names_the_nearest(option, near):
    with pytest.raises(InputError, match=rf"unknown option; did you mean --{near}\?"):
        refuse_unknown_options([*COMMAND, "configs/train.json", option, "4"])


def test_other_commands_are_left_alone():
    refuse_unknown_options(["/x/pytest", "--cov"])
