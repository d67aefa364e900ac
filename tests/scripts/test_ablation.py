"""The ablation: one variant through training and evaluation, and the table's figures."""

import json

import pytest

from bundle.phantom.pairs import write_pairs
from scripts import ablation
from scripts.ablation import VARIANTS, main, page


def test_one_variant_is_trained_measured_and_not_done_twice(tmp_path, capsys):
    for split in ("train", "val"):
        write_pairs(tmp_path / "pairs", 1, size=64, split=split)
    options = ["--dataset_dir", str(tmp_path / "pairs"), "--output_dir", str(tmp_path / "out")]
    options += ["--variants", "single scale", "--max_epochs", "1", "--batch_size", "1"]
    main(options)
    metrics = tmp_path / "out" / "single_scale" / "evaluation" / "metrics.csv"
    assert "EPE_flow2" in metrics.read_text(
        encoding="utf-8"
    ) and "EPE_flow3" not in metrics.read_text(encoding="utf-8")
    before = metrics.stat().st_mtime_ns
    main(options)
    assert metrics.stat().st_mtime_ns == before
    table = (tmp_path / "out" / "ablation.md").read_text(encoding="utf-8")
    assert "1 epochs each, batches of 1, seed 0, 64 px" in table
    assert "| single scale | CT | large |" in table
    groups = json.loads((tmp_path / "out" / "ablation.json").read_text(encoding="utf-8"))
    assert {group["row"] for group in groups} == {"single scale"}
    with pytest.raises(SystemExit, match="another data set, seed or budget"):
        main([*options, "--seed", "3"])


def test_fusion_can_be_trained_after_registration(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(ablation, "_bundle", lambda *words: calls.append(words))
    options = ablation._parser().parse_args(["--max_epochs", "3", "--fusion_epochs", "1"])
    ablation._train_and_evaluate("paper", tmp_path, options)
    assert [run for run, _, _ in calls] == ["training", "training", "evaluating"]
    assert [call[2].get("stage") for call in calls] == ["registration", "fusion", None]
    assert [call[2].get("max_epochs") for call in calls] == [3, 1, None]
    assert calls[1][2]["initial_weights"] == str(tmp_path / "registration" / "model.pt")
    assert calls[2][2]["checkpoint"] == str(tmp_path / "fusion" / "model.pt")
    assert {call[1][1] for call in calls} == {"paper"}


def test_means_are_in_px_of_256():
    rows = [
        {"modality": "CT", "level": "small", "row": "BiMSRec", "SD": sd, "EPE": epe}
        | {"Q": "", "VIF": "", "SSIM": ""}
        for sd, epe in (("50", "1.0"), ("60", "2.0"))
    ]
    options = ablation._parser().parse_args(["--max_epochs", "1"])
    assert "| full | CT | small | 55.00 | – | – | – | 6.00 |" in page({"full": rows}, options)


def test_variants_are_those_of_the_paper():
    assert list(VARIANTS) == [
        "full",
        "forward only",
        "reverse only",
        "single scale",
        "paper recipe",
    ]
    with pytest.raises(SystemExit, match="--max_epochs 0: give 1 or more"):
        main(["--max_epochs", "0"])
