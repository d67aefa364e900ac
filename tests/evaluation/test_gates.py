"""The gate: it trains both networks on the same pairs, and fails a network that has not learnt."""

import pytest

from bundle.phantom.pairs import write_pairs
from scripts.gates import main


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs")
    write_pairs(folder, 1, size=64, split="val")
    return folder


def test_a_few_steps_are_not_enough_and_the_table_says_so(pairs, capsys):
    options = ["--dataset_dir", str(pairs), "--pairs", "2", "--steps", "3", "--every", "1"]
    with pytest.raises(SystemExit, match="not passed"):
        main(options)
    lines = capsys.readouterr().out.splitlines()
    assert "| step | BiMSRec | U-Net |" in lines
    rows = [line.strip("| ").split(" | ") for line in lines if line[:3] in ("| 0", "| 3")]
    assert rows[0][1] == rows[0][2] and float(rows[0][1]) > 2  # no registration
    assert rows[1][1] != rows[1][2]


def test_more_pairs_than_there_are_is_one_line(pairs):
    with pytest.raises(SystemExit, match="--pairs 9: there are only 3"):
        main(["--dataset_dir", str(pairs), "--pairs", "9"])
