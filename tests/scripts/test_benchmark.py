from __future__ import annotations

import pytest
import SimpleITK as sitk
import torch

from bundle.errors import InputError
from bundle.evaluation.benchmarks import volume_cost
from bundle.evaluation.benchmarks.volume_cost import Cost, Stopwatch, write_pair
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
                                    ["--config", "README.md"], ["--size", "5", "90", "90"],
                                    ["--spacing", "0"], ["--spacing", "-1"],
                                    ["--image_size", "100000000"]])  # fmt: skip
def test_senseless_options_are_one_line(option):
    with pytest.raises(SystemExit, match=f"^error: --.*{option[1].partition('=')[0]}.*: "):
        benchmark.main(option)


def test_the_stages_of_a_volume_are_a_table(monkeypatch, capsys):
    stages = [benchmark.Cost("reading", 1.0, 1.5, 700.0), benchmark.Cost("page", 2.0, 2.5, 900.0)]
    monkeypatch.setattr(benchmark, "volume_cost", lambda fixed, moving, threads: stages)
    monkeypatch.setattr(benchmark, "ants_cost", lambda *_: stages[:1])
    monkeypatch.setattr(benchmark, "require_ants", lambda: None)
    size = ["--volume", "--size", "24", "28", "20", "--spacing", "6", "--threads", "1"]
    benchmark.main(size)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "MRI and CT of 24 x 28 x 20 voxels of 6 x 6 x 6 mm, threads: 1"
    assert [line.split() for line in lines[2:5]] == [
        ["reading", "1.0", "1.5", "700"],
        ["page", "2.0", "2.5", "900"],
        ["in", "all", "3.0", "4.0", "900"],
    ]
    assert lines[5].startswith("ANTs SyN, from the same start")
    assert lines[-1].split() == ["in", "all", "1.0", "1.5", "700"]

    def missing():
        raise InputError("antspyx: not installed")

    monkeypatch.setattr(benchmark, "require_ants", missing)
    benchmark.main(size)
    assert capsys.readouterr().out.endswith("ANTs SyN is left out: antspyx: not installed\n")


def test_the_volumes_of_the_benchmark_are_two_of_a_head_and_noisy(tmp_path, monkeypatch):
    files = write_pair(tmp_path, (30, 34, 20), (6.0, 6.0, 8.0))
    fixed, moving = (sitk.ReadImage(str(path)) for path in files)
    for image in (fixed, moving):
        assert image.GetSize() == (30, 34, 20) and image.GetSpacing() == (6.0, 6.0, 8.0)
        assert image.GetPixelID() == sitk.sitkInt16
    values = sitk.GetArrayFromImage(moving)
    assert values.min() < -1000 and values.max() > 800  # HU
    assert 5 < values[0, :, 0].std() < 15  # air
    assert sitk.GetArrayFromImage(fixed).max() > 500
    monkeypatch.setattr(volume_cost, "MISALIGNED", "none")
    _, aligned = write_pair(tmp_path, (30, 34, 20), (6.0, 6.0, 8.0))
    there = sitk.GetArrayFromImage(sitk.ReadImage(str(aligned)))
    assert ((there > 500) != (values > 500)).sum() > 0.3 * (there > 500).sum()  # bone elsewhere


def test_a_stage_lasts_until_the_next_one():
    watch = Stopwatch()
    watch.marks = [("a", 0.0, 0.0, 10.0), ("b", 2.0, 3.0, 20.0), ("end", 5.0, 4.0, 30.0)]
    assert watch.costs() == [Cost("a", 2.0, 3.0, 20.0), Cost("b", 3.0, 1.0, 30.0)]
