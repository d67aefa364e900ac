"""The learning curve out of a training log."""

import pytest

from scripts import learning_curve
from scripts.learning_curve import joined, main, read_curves

LOG = """\
epoch 1/2:  50%|  | 1/2 [00:01, flows=5.0]\r2026 - INFO - epoch 1: flows 5.0 ddf 4.25 loss 9.9
2026 - INFO - epoch 2: flows 4.0 ddf 3.5 loss 8.9
2026 - INFO - EPE 1.018 px over 88 pairs
"""


def test_epochs_and_validations_are_read(tmp_path):
    log = tmp_path / "train.log"
    log.write_text(LOG, encoding="utf-8")
    assert read_curves(log) == ([(1, 4.25), (2, 3.5)], [(2, 1.018)])
    main([str(log), str(log), "--output", str(tmp_path / "images" / "curve.png")])
    assert (tmp_path / "images" / "curve.png").stat().st_size > 1000


def test_the_axis_says_that_the_loss_is_more_than_an_error(tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(learning_curve.plt, "close", figures.append)
    (tmp_path / "train.log").write_text(LOG, encoding="utf-8")
    main([str(tmp_path / "train.log"), "--output", str(tmp_path / "curve.png")])
    labels = [axis.get_ylabel() for axis in figures[0].axes]
    assert "weighted L1 in px of 256, and SSIM" in labels[0] and "EPE" in labels[1]


def test_a_resumed_run_goes_on_in_its_curve(tmp_path):
    logs = [tmp_path / f"{number}.log" for number in range(3)]
    logs[0].write_text(LOG, encoding="utf-8")
    logs[1].write_text("epoch 2: ddf 3.25 loss 9\nepoch 3: ddf 3.0 loss 8\n", encoding="utf-8")
    logs[2].write_text("epoch 1: ddf 2.0 loss 7\n", encoding="utf-8")  # another run
    assert joined(logs) == ([(1, 4.25), (2, 3.25), (3, 3.0), (4, 2.0)], [(2, 1.018)])


def test_an_unknown_kind_of_picture_is_one_line(tmp_path):
    (tmp_path / "train.log").write_text(LOG, encoding="utf-8")
    with pytest.raises(SystemExit, match=r"curve.xyz: not a kind of picture; name it .png"):
        main([str(tmp_path / "train.log"), "--output", str(tmp_path / "curve.xyz")])


def test_epochs_without_pairs_are_one_line(tmp_path):
    (tmp_path / "train.log").write_text(LOG, encoding="utf-8")
    with pytest.raises(SystemExit, match="--pairs_per_epoch 0: give 1 or more"):
        words = [str(tmp_path / "train.log"), "--output", str(tmp_path / "curve.png")]
        main([*words, "--pairs_per_epoch", "0"])


@pytest.mark.parametrize("content", [None, "no epoch here"])
def test_a_log_without_epochs_is_one_line(tmp_path, content):
    log = tmp_path / "train.log"
    if content is not None:
        log.write_text(content, encoding="utf-8")
    with pytest.raises(SystemExit) as error:
        main([str(log), "--output", str(tmp_path / "curve.png")])
    assert str(log) in str(error.value.code)
    assert not (tmp_path / "curve.png").exists()
