from __future__ import annotations

import pytest
import torch

from bundle.networks import BiMSRec
from scripts import benchmark


def test_table_names_every_figure(capsys):
    size = ["--image_size", "64", "--batch_size", "1", "--reduction", "4"]
    quick = ["--steps", "1", "--threads", "1", "--repeats", "1", "--num_workers", "0"]
    benchmark.main([*size, "--training", *quick, "--override", "amp=false", "cache_rate=0"])
    table = capsys.readouterr().out
    assert "training as configured (amp=false, cache_rate=0)" in table
    for name in ("parameters", "GFLOP", "median, float32, threads: 1", "median, bf16, threads: 1"):
        assert name in table
    rates = [line for line in table.splitlines() if "pairs/s" in line]
    assert [line.split(",")[0].strip() for line in rates] == 2 * ["registration", "all"]
    for line in rates[2:]:
        rate, wait, memory = (
            float(line.split(unit)[0].split()[-1]) for unit in ("pairs/s", "%", "MiB,")
        )
        assert rate > 0 and 0 <= wait <= 100 and memory > 100


def test_parameters_are_those_of_the_state():
    network = BiMSRec()
    state = network.state_dict()
    names = {name for name, _ in network.named_parameters()}
    assert benchmark.parameters() == sum(state[name].numel() for name in names)


def test_arithmetic_grows_with_the_area():
    assert benchmark.gflop(256) == pytest.approx(4 * benchmark.gflop(128), rel=0.3)


def test_threads_are_put_back():
    before = torch.get_num_threads()
    seen = []
    run = lambda: seen.append(torch.get_num_threads())  # noqa: E731
    benchmark._median_seconds(run, before + 1, repeats=3)
    assert seen == [before + 1] * 4
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("option", [["--image_size", "16"], ["--threads", "0"], ["--steps", "0"],
                                    ["--override", "amp"], ["--override", "amp=perhaps"],
                                    ["--override", "nonsense=3"], ["--override", "stage=all"],
                                    ["--config", "README.md"],
                                    ["--image_size", "100000000"]])  # fmt: skip
def test_senseless_options_are_one_line(option):
    with pytest.raises(SystemExit, match=f"^error: --.*{option[1].partition('=')[0]}.*: "):
        benchmark.main(option)
