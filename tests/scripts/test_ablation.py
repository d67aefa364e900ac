"""The ablation: one variant through training and evaluation, and the table's figures."""

import argparse

import pytest

from bundle.phantom import write_pairs
from scripts.ablation import VARIANTS, main, page


def test_one_variant_is_trained_measured_and_not_done_twice(tmp_path, capsys):
    for split in ("train", "val"):
        write_pairs(tmp_path / "pairs", 1, size=64, split=split)
    options = ["--dataset_dir", str(tmp_path / "pairs"), "--output_dir", str(tmp_path / "out")]
    options += ["--variants", "single scale", "--max_epochs", "1", "--batch_size", "1"]
    main(options)
    metrics = tmp_path / "out" / "single_scale" / "evaluation" / "metrics.csv"
    assert "EPE_flow2" in metrics.read_text() and "EPE_flow3" not in metrics.read_text()
    before = metrics.stat().st_mtime_ns
    main(options)
    assert metrics.stat().st_mtime_ns == before
    table = (tmp_path / "out" / "ablation.md").read_text(encoding="utf-8")
    assert "1 epochs each, batches of 1, seed 0, 64 px" in table
    assert "| single scale | large |" in table


def test_means_are_in_px_of_256():
    rows = [
        {"level": "small", "row": "BiMSRec", "SD": sd, "Q": "", "VIF": "", "SSIM": "", "EPE": epe}
        for sd, epe in (("50", "1.0"), ("60", "2.0"))
    ]
    options = argparse.Namespace(max_epochs=1, batch_size=8, seed=0, image_size=64, dataset_dir="x")
    assert "| full | small | 55.00 | nan | nan | nan | 6.00 |" in page({"full": rows}, options)


def test_variants_are_those_of_the_paper():
    assert list(VARIANTS) == ["full", "forward only", "reverse only", "single scale"]
    with pytest.raises(SystemExit, match="--max_epochs 0: give 1 or more"):
        main(["--max_epochs", "0"])
