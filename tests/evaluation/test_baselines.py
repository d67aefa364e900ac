"""Baselines: fields that pull back, fusion rules with known results, the evaluation's pairs."""

from __future__ import annotations

import csv

import pytest
import SimpleITK as sitk
import torch
from monai.networks.blocks import Warp
from torch.utils.data import default_collate

from bundle.evaluation.baselines import ants, simpleitk
from bundle.evaluation.baselines.compare import compare, evaluation_data, no_registration
from bundle.evaluation.baselines.fusion_rules import laplacian_pyramid
from bundle.evaluation.baselines.simpleitk import affine_bspline
from bundle.evaluation.reference_rows import picture_pair
from bundle.metrics.endpoint_error import endpoint_error
from bundle.phantom.pairs import make_pairs, write_pairs
from scripts.baselines import main


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """One pair of 96 x 96 pixels per modality."""
    folder = tmp_path_factory.mktemp("data")
    write_pairs(folder, 1, size=96, split="val")
    return folder


def mri_and_shift(rows: float, columns: float) -> tuple[torch.Tensor, ...]:
    """An MRI slice of the phantom, the same slice moved, and the field that takes it back."""
    fixed = torch.tensor(next(make_pairs(1, size=96))[2].copy())[None, None].float()
    ddf = torch.empty(1, 2, 96, 96)
    ddf[:, 0], ddf[:, 1] = rows, columns
    return fixed, Warp("bilinear", "zeros")(fixed, -ddf), ddf


def test_simpleitk_finds_a_shift_with_rows_before_columns():
    fixed, moving, true_ddf = mri_and_shift(4.0, -2.0)
    error, _ = endpoint_error(affine_bspline(fixed, moving), true_ddf, fixed)
    assert float(error) < 0.5


def test_simpleitk_adds_up_on_one_thread_so_that_equal_pictures_give_equal_fields(monkeypatch):
    process, counts = sitk.ProcessObject, []
    make, before = simpleitk._method, process.GetGlobalDefaultNumberOfThreads()

    def method(mask):
        counts.append(process.GetGlobalDefaultNumberOfThreads())
        return make(mask)

    monkeypatch.setattr(simpleitk, "_method", method)
    process.SetGlobalDefaultNumberOfThreads(4)  # these add up in the order in which they end
    try:
        fixed, moving, _ = mri_and_shift(4.0, -2.0)
        first, second = (affine_bspline(fixed, moving) for _ in range(2))
        assert process.GetGlobalDefaultNumberOfThreads() == 4
    finally:
        process.SetGlobalDefaultNumberOfThreads(before)
    assert counts == [1] * 4
    assert torch.equal(first, second)


def test_simpleitk_gives_up_on_a_blank_picture():
    fixed, _, _ = mri_and_shift(0.0, 0.0)
    assert not affine_bspline(fixed, torch.zeros_like(fixed)).isnan().any()


def test_ants_finds_a_shift_with_rows_before_columns():
    pytest.importorskip("ants", reason="antspyx is not installed")
    fixed, moving, true_ddf = mri_and_shift(4.0, -2.0)
    before, _ = endpoint_error(torch.zeros_like(true_ddf), true_ddf, fixed)
    error, _ = endpoint_error(ants.syn(fixed, moving), true_ddf, fixed)
    assert float(error) < 0.5 * float(before)


def test_pyramid_of_equal_pictures_is_the_picture_and_keeps_the_stronger_detail():
    picture = torch.rand(1, 1, 37, 50, generator=torch.Generator().manual_seed(0)) * 255
    torch.testing.assert_close(laplacian_pyramid(picture, picture), picture.double())
    flat = torch.full_like(picture, float(picture.mean()))
    fused = laplacian_pyramid(picture, flat)
    detail = lambda image: image - image.mean()  # noqa: E731
    share = (detail(fused) * detail(picture)).mean() / (detail(picture) ** 2).mean()
    assert float(share) > 0.9
    tiny = torch.tensor([[[[10.0, 20.0, 30.0]]]])  # too small to be halved: the mean
    assert laplacian_pyramid(tiny, tiny + 10).flatten().tolist() == [15, 25, 35]


def test_pairs_are_those_of_the_evaluation_whatever_the_stride(data):
    every, some = (evaluation_data(str(data), 96, stride) for stride in (1, 2))
    assert (len(every), len(some)) == (12, 8)
    kept = {(item["modality"], item["level"]): item for item in some}
    assert {modality for modality, _ in kept} == {"CT", "SPECT"}
    for item in every:
        twin = kept.get((item["modality"], item["level"]))
        if twin:
            assert torch.equal(item["ddf"], twin["ddf"])


def test_rows_without_registration_are_the_reference_row(data):
    item = next(i for i in evaluation_data(str(data), 96) if i["level"] == "large")
    first, second = compare([item], {"none": no_registration})
    assert (first["row"], second["row"]) == ("none + maximum", "none + Laplacian pyramid")
    pair = picture_pair(default_collate([item]))
    expected = pair.fusion(torch.maximum(pair.fixed, pair.deformed))
    assert {name: first[name] for name in expected} == expected
    assert first["EPE"] == second["EPE"] > 1


@pytest.mark.parametrize("joined", [False, True])
def test_the_command_says_what_it_measured_without_the_place_of_the_data(data, tmp_path, joined):
    words = [f"--dataset_dir={data}"] if joined else ["--dataset_dir", str(data)]
    words += ["--image_size", "64", "--stride", "3", "--levels", "small", "--methods", "none"]
    main([*words, "--output_dir", str(tmp_path / "out"), "--page", str(tmp_path / "page.md")])
    text = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert f"--dataset_dir{'=' if joined else ' '}DIR --image_size" in text
    assert str(data) not in text
    assert "EPE and RES in px of 64;" in text


def test_the_command_writes_table_and_page(data, tmp_path):
    options = ["--dataset_dir", str(data), "--image_size", "128", "--stride", "3"]
    options += ["--output_dir", str(tmp_path), "--page", str(tmp_path / "page.md")]
    main([*options, "--methods", "none", "simpleitk"])
    with (tmp_path / "baselines.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert len(rows) == 4 * 2 * 2  # levels, methods, rules
    assert all(float(row["seconds"]) >= 0 and row["EPE"] and row["VIF_B"] for row in rows)
    text = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert "| SimpleITK affine + B-spline | large | 1 |" in text
    assert "\n\nCT: 1 pair of 1 case. Nothing here says how" in text and "PET" not in text
    with pytest.raises(SystemExit, match="exists already"):
        main(options)


def test_missing_antspyx_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "ants", None)
    with pytest.raises(SystemExit, match=r"error: antspyx: not installed; .*requirements-base"):
        main(["--methods", "ants", "--output_dir", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()
