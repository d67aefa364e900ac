"""Slices of stacks as training pairs, and the activity behind pseudo-colours."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from scipy.ndimage import gaussian_filter
from scipy.stats import spearmanr

from bundle.errors import InputError
from bundle.training.stacks.activity import activity, palette_of
from bundle.training.stacks.listing import list_stack_slices
from bundle.training.stacks.load import load_stack_slice
from bundle.training.stacks.palette import draft_palette
from bundle.training.stacks.series import read_series
from bundle.training.stacks.usable import heads_of, usable_slices

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "stacks"

HOT = np.array([[0, 0, 0], [90, 0, 110], [200, 40, 60], [255, 140, 0], [255, 255, 230]], float)
RAINBOW = np.array([[0, 0, 0], [0, 0, 220], [0, 200, 200], [250, 250, 0], [255, 0, 0]], float)
GREY = np.linspace(0, 255, 5)[:, None].repeat(3, axis=1)


def heads(radii, size=128):
    """Grey discs (D, H, W), a nose in front to tell up from down and a dot to tell the sides."""
    rows, columns = np.mgrid[:size, :size] / size - 0.5
    pictures = []
    for radius in radii:
        disc = np.hypot(rows / 1.2, columns) < radius
        picture = disc * (120.0 + 60 * np.sin(20 * rows) * np.cos(14 * columns))
        picture[(np.abs(columns) < 0.03) & (rows < 0) & (rows > -1.35 * radius)] = 200 * (
            radius > 0
        )
        picture[np.hypot(rows, columns - 0.6 * radius) < 0.2 * radius] = 250
        pictures.append(picture)
    return np.stack(pictures)


def colored(activities, stops, blur=1.0):
    """RGB (D, H, W, 3) of activities 0 to 1, chrominance blurred as by compression."""
    places = np.linspace(0, 1, len(stops))
    rgb = np.stack([np.interp(activities, places, stops[:, c]) for c in range(3)], axis=-1)
    grey = rgb.mean(axis=-1, keepdims=True)
    smooth = gaussian_filter(rgb - grey, (0, blur, blur, 0))
    noise = np.random.default_rng(1).normal(0, 2, rgb.shape) * (grey > 0)
    return (grey + smooth + noise).clip(0, 255).round().astype(np.uint8)


def activities(depth=6, size=128):
    """Smooth activity in discs, (D, H, W), 0 to 1."""
    random = np.random.default_rng(0).normal(size=(depth, size, size))
    smooth = gaussian_filter(random, (1, 6, 6))
    rows, columns = np.mgrid[:size, :size] / size - 0.5
    scaled = (smooth - smooth.min()) / np.ptp(smooth)
    return gaussian_filter(scaled * (np.hypot(rows, columns) < 0.36), (0, 1, 1))


def write(path, values, flipped=False):
    """Write (D, H, W[, 3]) as it looks; flipped: with axes that run to the right and the front."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = sitk.GetImageFromArray(values.astype(np.uint8), isVector=values.ndim == 4)
    image.SetSpacing([240 / values.shape[2], 240 / values.shape[1], 6])
    sitk.WriteImage(sitk.DICOMOrient(image, "RAS") if flipped else image, str(path))
    return str(path)


@pytest.fixture
def folder(tmp_path):
    radii = [0.05, 0.3, 0.36, 0.38, 0, 0.38, 0.34, 0.3, 0.06, 0.3]  # blanked: 4; wrapped: 9
    for patient in ("train/anna", "val/bert"):
        write(tmp_path / patient / "MR-T2_1.nii.gz", heads(radii, 256))
        write(tmp_path / patient / "MR-T1_1.nii.gz", heads(radii, 256), flipped=True)
        write(tmp_path / patient / "CT_1.nii.gz", heads([0, 0, *radii[2:]], 256))
    shown = activities(len(radii)) * (np.array(radii) > 0.1)[:, None, None]
    write(tmp_path / "train/anna/SPECT-Tc_1.nii.gz", colored(shown, HOT))
    write(tmp_path / "train/anna/SPECT-Tl_1.nii.gz", colored(shown, RAINBOW))
    return tmp_path


def test_every_mri_goes_with_every_other_series(folder):
    pairs = list_stack_slices(folder, "train")
    series = {(Path(p["fixed"]).name, Path(p["moving"]).name) for p in pairs}
    fixed = ("MR-T1_1.nii.gz", "MR-T2_1.nii.gz")
    assert series == {(f, m) for f in fixed for m in ("CT_1.nii.gz", "SPECT-Tc_1.nii.gz")}
    assert {p["kind"] for p in pairs} == {"stacks"} and {p["case"] for p in pairs} == {"anna"}
    assert {p["modality"] for p in pairs} == {"CT", "SPECT"}
    assert len({p["name"] for p in pairs}) == len(pairs)
    assert {p["modality"] for p in list_stack_slices(folder, "val")} == {"CT"}


def test_blanked_small_wrapped_and_lone_slices_are_left_out(folder):
    pairs = list_stack_slices(folder, "train")
    found = {m: {p["slice"] for p in pairs if p["modality"] == m} for m in ("CT", "SPECT")}
    assert found["CT"] == {2, 3, 5, 6, 7}
    assert found["SPECT"] == {1, 2, 3, 5, 6, 7}
    assert len(list_stack_slices(folder, "train", stride=3)) == 2 * (2 + 2)


def test_tables_and_head_holders_are_no_heads(tmp_path):
    picture = heads([0.3, 0.1], 256)
    picture[:, -20:-14, 20:-20] = 255
    path = write(tmp_path / "CT_1.nii.gz", picture)
    alone = write(tmp_path / "CT_2.nii.gz", heads([0.3, 0.1], 256))
    assert heads_of(path).shares == pytest.approx(heads_of(alone).shares)
    assert usable_slices(path) == {0}


def test_pictures_look_as_in_the_atlas_whatever_the_axes(folder):
    pairs = [p for p in list_stack_slices(folder, "train") if p["modality"] == "CT"]
    by_name = {Path(p["fixed"]).name: p for p in pairs if p["slice"] == 3}
    plain, moving = load_stack_slice(by_name["MR-T2_1.nii.gz"], 128)
    flipped, _ = load_stack_slice(by_name["MR-T1_1.nii.gz"], 128)
    assert plain.shape == moving.shape == (1, 128, 128) and plain.dtype == torch.float32
    torch.testing.assert_close(plain, flipped)
    torch.testing.assert_close(plain, moving)
    assert plain[0, 3, 64] > 100 > plain[0, -4, 64]  # the nose is in front
    assert plain[0, 64, 93] > plain[0, 64, 35]  # the dot is on the patient's left, at the right


def test_colours_come_with_their_activity(folder):
    pairs = [p for p in list_stack_slices(folder, "train") if p["modality"] == "SPECT"]
    fixed, moving = load_stack_slice(pairs[2], 256)
    assert fixed.shape == (1, 256, 256) and moving.shape == (4, 256, 256)
    truth = activities(10)[pairs[2]["slice"]]
    found = torch.nn.functional.avg_pool2d(moving[3:], 2)[0].numpy()
    assert moving.min() >= 0 and moving.max() <= 255
    assert spearmanr(found[truth > 0.1], truth[truth > 0.1])[0] > 0.98


@pytest.mark.parametrize("stops", [HOT, RAINBOW, GREY])
def test_the_order_of_the_colours_is_found(tmp_path, stops):
    truth = activities()
    path = write(tmp_path / "SPECT-Tc_1.nii.gz", colored(truth, stops))
    pictures = read_series(path).pictures.transpose(0, 2, 3, 1)
    found = activity(ycbcr(pictures[3]), palette_of(path))
    inside = truth[3] > 0.1
    assert spearmanr(found[inside], truth[3][inside])[0] > 0.98
    assert np.abs(found - truth[3])[inside].mean() < 0.12  # steps of a palette differ in length
    assert found[0, 0] == 0


def ycbcr(picture):
    matrix = [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]]
    return picture.astype(np.float32) @ np.array(matrix, np.float32).T


def test_a_movie_of_one_colour_has_no_palette():
    picture = np.zeros((3, 64, 64, 3), np.float32)
    picture[:, 16:48, 16:48] = (120, 30, 20)
    with pytest.raises(InputError, match="m: shows too few colours to find its palette"):
        draft_palette(picture, 0.4, 16, "m")


def test_small_heads_are_shown_as_large_as_others(tmp_path):
    for name, radius in (("small", 0.2), ("usual", 0.33)):
        for series, size in (("MR-T2_1", 256), ("CT_1", 128)):
            write(tmp_path / f"train/{name}/{series}.nii.gz", heads([radius] * 3, size))
    for pair in list_stack_slices(tmp_path, "train")[::3]:
        fixed, moving = load_stack_slice(pair, 128)
        rows = (fixed[0] > 30).any(dim=1).sum() / 128
        assert 0.72 < rows < 0.9, pair["name"]
        away = (fixed - moving).abs()
        assert away.mean() < 4  # both are cropped alike, whatever their grids


def test_unusable_folders_and_files_are_one_line(folder, tmp_path):
    with pytest.raises(InputError, match="train: holds no stacks; expected PATIENT/MR-T2_1"):
        list_stack_slices(tmp_path / "none", "train")
    write(folder / "train/anna/CT_1.nii.gz", heads([0.3, 0.3], 256))
    read_series.cache_clear()
    with pytest.raises(InputError, match=r"CT_1.nii.gz: has 2 slices, MR-T1_1.nii.gz has 10"):
        list_stack_slices(folder, "train")
    (folder / "val/bert/CT_1.nii.gz").write_text("text")
    with pytest.raises(InputError, match=r"CT_1.nii.gz: cannot be read as a volume"):
        list_stack_slices(folder, "val")


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"the atlas's stacks are not at {SHARED}")
def test_the_stacks_of_the_atlas():
    pairs = list_stack_slices(SHARED, "val")
    assert {p["modality"] for p in pairs} == {"CT", "PET", "SPECT"}
    for pair in pairs[:: len(pairs) // 8]:
        fixed, moving = load_stack_slice(pair, 128)
        assert fixed.std() > 20 and moving[:3].std() > 20
        assert len(moving) == (1 if pair["modality"] == "CT" else 4)
