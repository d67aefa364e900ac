"""Heads painted from tissue maps: known values, orientation, chance and sharpness."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from bundle.domain import MODALITIES, PLANES
from bundle.errors import InputError
from bundle.geometry.frame import HEAD_SHARE
from bundle.geometry.slices import to_slices
from bundle.phantom.pairs import write_pairs
from bundle.training.heads.contrasts import MRI, Contrast, draw_contrast
from bundle.training.heads.cut import framed, in_plane, resized, slab
from bundle.training.heads.paint import noisy, paint, paint_slice
from bundle.training.heads.pairs import list_head_slices, load_head_slice
from bundle.training.heads.sharpness import sharpness
from bundle.training.heads.smooth import blurred, grain, kernel, margin, smooth_field
from bundle.training.heads.tissues import Tissue, varied
from bundle.training.heads.volumes import head_volume_pair
from scripts.data_page import main

HEADS = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "heads"
needs_heads = pytest.mark.skipif(
    not HEADS.is_dir(), reason="the tissue maps are not there: shared/data/heads beside the project"
)
MM = (1.0, 1.0, 1.0)


def plain(fwhm: float, **figures: float) -> Contrast:
    """No chance but what is named; cortex 10, white matter 30, nothing elsewhere."""
    values = np.zeros(len(Tissue), dtype=np.float32)
    values[[Tissue.CORTEX, Tissue.WHITE_MATTER]] = 10, 30
    return Contrast("T1", values, fwhm, **figures)


def ball(shape: tuple[int, int, int] = (40, 44, 48)) -> np.ndarray:
    """Skin around bone around cortex around white matter, off the middle."""
    axes = np.ogrid[tuple(slice(n) for n in shape)]
    away = np.sqrt(sum((a - c) ** 2 for a, c in zip(axes, (18, 20, 22), strict=True)))
    labels = np.zeros(shape, dtype=np.uint8)
    for radius, tissue in (
        (17, Tissue.SKIN), (15, Tissue.BONE), (12, Tissue.CORTEX), (8, Tissue.WHITE_MATTER),
    ):  # fmt: skip
        labels[away < radius] = tissue
    return labels


@pytest.fixture
def head_file(tmp_path):
    """A ball of 4 mm voxels as big as a head, named as the maps are; axes as theirs."""
    image = sitk.GetImageFromArray(np.repeat(np.repeat(np.repeat(ball(), 4, 0), 4, 1), 4, 2))
    image.SetDirection([-1, 0, 0, 0, -1, 0, 0, 0, 1])
    for name in ("head_01", "head_15"):
        sitk.WriteImage(image, str(tmp_path / f"{name}.nii.gz"))
    return tmp_path


def test_two_tissues_without_chance_have_known_values():
    labels = np.full((21, 21, 21), Tissue.CORTEX, dtype=np.uint8)
    labels[:, :, 10:] = Tissue.WHITE_MATTER
    values = paint(labels, plain(fwhm=2.3548), np.random.default_rng(0), MM)
    line = values[10, 10]
    # half a voxel from the edge: the share of a Gaussian of sigma 1 up to half a sigma
    assert line[10] == pytest.approx(10 + 20 * 0.6915, abs=0.01)
    assert line[9] == pytest.approx(10 + 20 * 0.3085, abs=0.01)
    assert line[0] == pytest.approx(10, abs=1e-4)
    assert line[20] == pytest.approx(30, abs=1e-4)
    assert np.ptp(values, axis=(0, 1)).max() < 1e-4


@pytest.mark.parametrize("fwhm", [0.9, 6.0, 11.0])
def test_blur_keeps_the_sum(fwhm):
    values = np.zeros((51, 53, 55), dtype=np.float32)
    values[24:27, 26, 27] = 5
    assert blurred(values, fwhm, MM).sum() == pytest.approx(15, rel=1e-4)
    assert kernel(fwhm, 1.0).sum() == pytest.approx(1)
    assert len(kernel(fwhm, 1.0)) == 2 * margin(fwhm, 1.0) + 1


@pytest.mark.parametrize("fwhm", [0.9, 1.2, 6.0])
def test_an_edge_is_as_wide_as_the_blur(fwhm):
    labels = np.full((3, 3, 81), Tissue.CORTEX, dtype=np.uint8)
    labels[..., 40:] = Tissue.WHITE_MATTER
    line = (paint(labels, plain(fwhm), np.random.default_rng(0), MM)[1, 1] - 10) / 20
    places = np.interp([0.1, 0.9], line, np.arange(81))
    assert places[1] - places[0] >= 1.088 * fwhm * 0.99  # 2 x 1.2816 sigma


def test_a_thick_slice_is_the_mean_of_the_painted_volume():
    labels, contrast, rng = ball(), plain(fwhm=3.0), np.random.default_rng(0)
    head = in_plane(_image(labels), "axial")
    cut, shares = slab(head, 18, 5.0, margin(3.0, 1.0))
    found = paint_slice(cut, shares, contrast, rng, MM)
    volume = paint(head.labels, contrast, rng, MM)
    assert np.allclose(found, volume[16:21].mean(axis=0), atol=1e-3)


def test_a_slab_holds_its_thickness_in_parts_of_slices():
    head = in_plane(_image(ball()), "axial")
    for thickness, whole in ((1.0, [1]), (2.0, [0.25, 0.5, 0.25]), (3.0, [1 / 3] * 3)):
        labels, shares = slab(head, 0, thickness, 2)
        assert shares[shares > 0] == pytest.approx(whole)
        assert len(labels) == len(shares)
        assert (labels[0] == head.labels[0]).all()


@pytest.mark.parametrize("plane", PLANES)
@pytest.mark.parametrize("code", ["RAS", "LPS", "PIR"])
def test_cuts_are_oriented_like_slices_of_volumes(plane, code):
    image = sitk.DICOMOrient(_image(ball(), [-1, 0, 0, 0, -1, 0, 0, 0, 1]), code)
    head = in_plane(image, plane)
    expected = to_slices(image, plane)[0]
    assert (torch.from_numpy(head.labels).movedim(0, -1) == expected).all()
    labels, shares = slab(head, 21, 1.0, 3)
    flat = paint_slice(labels, shares, plain(0.5), np.random.default_rng(0), MM)
    middle = expected[..., 21].numpy()
    assert flat[middle == Tissue.WHITE_MATTER].min() > flat[middle == Tissue.BONE].max()


def test_the_frame_gives_the_head_its_share():
    head = in_plane(_image(np.repeat(np.repeat(ball(), 5, 1), 5, 2)), "axial")
    inside = (head.labels[18] > 0).astype(np.float32)
    shown = resized(framed(inside, head.frame, 0.0), 256)
    assert shown.shape == (1, 256, 256)
    rows = (shown[0] > 0.5).any(dim=1).sum().item()
    assert rows == pytest.approx(256 * HEAD_SHARE, abs=3)


def test_outside_of_a_map_is_what_was_named():
    picture = framed(np.full((4, 4), 7, dtype=np.float32), (-1, -1, 6, 6), -1000.0)
    assert picture[0].tolist() == [-1000] * 6
    assert (picture[1:5, 1:5] == 7).all()


@pytest.mark.parametrize("name", [*MRI, *MODALITIES])
def test_chance_follows_the_generator(name):
    def painted(seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        return paint(ball(), draw_contrast(name, rng), rng, MM)

    first = painted(1)
    assert first.dtype == np.float32
    assert np.isfinite(first).all()
    assert (first == painted(1)).all()
    assert np.abs(first - painted(2)).mean() > 1e-3


def test_ct_is_in_hounsfield_units():
    rng = np.random.default_rng(0)
    contrast = replace(draw_contrast("CT", rng), fwhm=0.8)
    values = paint(ball(), contrast, rng, MM)
    assert values.min() >= -1024
    assert values[18, 20, 22] == pytest.approx(29.5, abs=25)
    assert np.median(values[ball() == Tissue.BONE]) > 500
    assert np.median(values[ball() == 0]) == pytest.approx(-1000, abs=20)


def test_noise_of_counts_grows_with_activity():
    contrast = replace(plain(1.0, noise=0.05, noise_fwhm=4.0), name="PET")
    levels = [np.full((64, 64), value, dtype=np.float32) for value in (1.0, 4.0)]
    low, high = (noisy(v, contrast, np.random.default_rng(0), MM[:2]).std() for v in levels)
    assert low == pytest.approx(0.05, rel=0.3)
    assert high / low == pytest.approx(2, rel=0.02)


def test_noise_has_unit_deviation_and_fields_are_smooth():
    rng = np.random.default_rng(0)
    assert grain((60, 60, 60), 2.0, rng, MM).std() == pytest.approx(1, rel=0.1)
    field = smooth_field((60, 60, 60), 12.0, rng, MM)
    assert 0.6 < field.std() < 1.4
    assert np.abs(np.diff(field, axis=0)).max() < 1


def test_speckle_goes_and_the_brain_stays():
    labels = ball()
    labels[2, 2, 2] = Tissue.SOFT
    shared = varied(labels, np.random.default_rng(1), MM)
    assert shared[2, 2, 2] == 0
    brain = (ball() == Tissue.CORTEX) | (ball() == Tissue.WHITE_MATTER)
    assert ((shared != ball())[brain] <= (shared == Tissue.LESION)[brain]).all()
    assert labels[2, 2, 2] == Tissue.SOFT  # the caller's map is not changed


def test_a_blurred_picture_is_less_sharp():
    labels = ball()[18]
    sharp = labels.astype(np.float32)
    soft = blurred(sharp, 4.0, MM[:2])
    first, second = (sharpness(picture, labels > 0) for picture in (sharp, soft))
    assert first.edges > 2 * second.edges
    assert first.fine > second.fine


def test_records_are_complete_seeded_and_split(head_file):
    records = list_head_slices(head_file, "train", per_head=9, paintings=2, seed=3)
    assert len(records) == 18
    assert {r["case"] for r in records} == {"head_01"}
    assert {r["case"] for r in list_head_slices(head_file, "val", 3)} == {"head_15"}
    assert {(r["plane"], r["modality"]) for r in records} == {
        (plane, modality) for plane in PLANES for modality in MODALITIES
    }
    assert len({r["name"] for r in records}) == 18
    assert records == list_head_slices(head_file, "train", per_head=9, paintings=2, seed=3)
    assert records != list_head_slices(head_file, "train", per_head=9, paintings=2, seed=4)


@pytest.mark.parametrize("modality", MODALITIES)
def test_a_record_always_gives_the_same_pictures(head_file, modality):
    records = list_head_slices(head_file, "train", per_head=9, paintings=2)
    first, second = [r for r in records if r["modality"] == modality][:2]
    pictures = load_head_slice(first, 64)
    for picture, again in zip(pictures, load_head_slice(first, 64), strict=True):
        assert picture.shape == (1, 64, 64)
        assert picture.dtype == torch.float32
        assert 0 <= picture.min() <= picture.max() <= 255
        assert picture.std() > 5
        assert (picture == again).all()
    others = load_head_slice(second, 64)
    assert all((a - b).abs().mean() > 0.5 for a, b in zip(pictures, others, strict=True))


def test_a_folder_without_heads_is_told(tmp_path):
    with pytest.raises(InputError, match="no head_NN"):
        list_head_slices(tmp_path, "train")


@pytest.mark.parametrize(
    ("modality", "spacing"), [("CT", (1, 1, 2)), ("PET", (2, 2, 2)), ("SPECT", (4, 4, 4))]
)
def test_volumes_are_aligned_on_grids_of_their_own(tmp_path, monkeypatch, modality, spacing):
    """The same tissue is bright in both: where its weight is, must be the same point in mm."""
    where = "bundle.training.heads.volumes.draw_contrast"
    monkeypatch.setattr(where, lambda name, rng: replace(plain(1.0), name=name))
    file = tmp_path / "head_01.nii.gz"
    labels = np.repeat(np.repeat(np.repeat(ball(), 2, 0), 2, 1), 2, 2)
    image = _image(labels, [-1, 0, 0, 0, -1, 0, 0, 0, 1])
    image.SetOrigin((10.0, -20.0, 30.0))
    sitk.WriteImage(image, str(file))
    pair = head_volume_pair(file, modality, seed=0)
    assert pair.moving.GetSpacing() == pytest.approx(spacing)
    assert pair.fixed.GetSize() == pair.brain.GetSize()
    found = sitk.GetArrayFromImage(sitk.Resample(pair.brain, image))
    assert (found[labels == Tissue.WHITE_MATTER] == 1).all()
    assert (found[labels == Tissue.BONE] == 0).all()
    assert _middle(pair.moving) == pytest.approx(_middle(pair.fixed), abs=0.1)


def _middle(image: sitk.Image) -> np.ndarray:
    """Centre of the values, mm."""
    values = sitk.GetArrayFromImage(image).astype(np.float64)
    places = np.indices(values.shape)[::-1]
    index = [(axis * values).sum() / values.sum() for axis in places]
    return np.array(image.TransformContinuousIndexToPhysicalPoint(index))


@pytest.mark.parametrize("modality", MODALITIES)
def test_volumes_follow_the_seed(tmp_path, modality):
    sitk.WriteImage(_image(ball()), str(tmp_path / "head_01.nii.gz"))
    first, again, other = (
        sitk.GetArrayFromImage(head_volume_pair(tmp_path / "head_01.nii.gz", modality, s).moving)
        for s in (0, 0, 1)
    )
    assert (first == again).all()
    assert np.abs(first - other).mean() > 1
    with pytest.raises(InputError, match="US, T1"):
        head_volume_pair(tmp_path / "head_01.nii.gz", "US", 0)


def _image(labels: np.ndarray, direction: list[float] | None = None) -> sitk.Image:
    image = sitk.GetImageFromArray(labels)
    if direction:
        image.SetDirection(direction)
    return image


def test_the_page_shows_painted_beside_real_slices(head_file, tmp_path, capsys):
    write_pairs(tmp_path / "pairs", 2, size=64)
    out = tmp_path / "out"
    folders = ["--heads", str(head_file), "--pairs", str(tmp_path / "pairs")]
    main([*folders, "--count", "2", "--output_dir", str(out)])
    assert "CT axial  painted CT: edges 0." in capsys.readouterr().out
    page = (out / "index.html").read_text()
    assert page.count("<img") == 3 * 2 * 2 * 2  # modalities, kinds, pairs and pictures
    with pytest.raises(SystemExit, match="count 0"):
        main([*folders, "--count", "0"])


@needs_heads
def test_real_heads_are_painted_in_all_planes():
    records = list_head_slices(HEADS, "val", per_head=9)
    assert {r["case"] for r in records} == {"head_15", "head_16", "head_17"}
    for record in records[:9]:
        for picture in load_head_slice(record, 128):
            assert 0.05 < (picture > 15).float().mean() < 0.9
            assert picture.std() > 10


@needs_heads
def test_painted_skulls_and_brains_are_not_sharper_than_the_pictures_of_scanners():
    # the sharpest of every fourth AANLIB pair, by scripts.data_page: MRI, then the others
    highest, limits = 0.479, {"CT": 0.607, "PET": 0.121, "SPECT": 0.129}
    for record in list_head_slices(HEADS, "val", per_head=9):
        fixed, moving = (picture[0].numpy() for picture in load_head_slice(record))
        head = blurred(fixed, 5.0, MM[:2]) > 15
        assert sharpness(fixed, head).edges < highest
        assert sharpness(moving, head).edges < limits[record["modality"]]
