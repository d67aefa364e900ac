"""The B-spline step against known displacements, and the guard that judges it."""

import sys

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from bundle.errors import InputError
from bundle.geometry.fields import to_itk
from bundle.images.pair import read_pair
from bundle.options import options_of
from bundle.phantom.pairs import make_head
from bundle.registration import bspline as module
from bundle.registration.bspline import judge, refine
from bundle.registration.registration import PictureRegistration, VolumeRegistration, register
from tests.inference.images import smooth
from tests.inference.stubs import KnownField

SPACING = (4.0, 4.0, 5.0)


@pytest.fixture(scope="module")
def slices():
    """T1 and PET of a small phantom as slices (H, W, D), and its head."""
    head = make_head(1, (48, 56, 20), SPACING, (0.0, 0.0, 0.0))
    volumes = [torch.from_numpy(head.contrast(m)).double() for m in ("T1", "PET")]
    inside = torch.from_numpy(head.labels > 0)
    upright = [v.transpose(0, 1).flip(0, 1).contiguous() for v in (*volumes, inside)]
    return upright[0].clamp(0, 1), (upright[1] / upright[1].max()).clamp(0, 1), upright[2]


def bump(shape):
    """A smooth displacement in voxels, (3, H, W, D): slice, row, column; 6, 8 and -6 mm at most."""
    axes = [torch.linspace(-1, 1, n) for n in shape]
    i, j, k = torch.meshgrid(*axes, indexing="ij")
    shape_of_it = torch.exp(-2 * (i**2 + j**2 + 0.5 * k**2)).double()
    return torch.stack([6 / 5 * shape_of_it, 8 / 4 * shape_of_it, -6 / 4 * shape_of_it])


def moved_by(volume, voxels):
    """``moved(x + voxels(x)) = volume(x)``, to first order in the displacement's gradient."""
    image = module._image(volume, SPACING)
    field = sitk.Cast(to_itk(voxels.movedim(-1, 1), image), sitk.sitkVectorFloat64)
    inverse = sitk.InvertDisplacementField(field, maximumNumberOfIterations=30)
    transform = sitk.DisplacementFieldTransform(inverse)
    moved = sitk.Resample(image, image, transform, sitk.sitkLinear, 0.0)
    return torch.from_numpy(module._array(moved))


def mm(voxels):
    return voxels * torch.tensor([5.0, 4.0, 4.0]).view(3, 1, 1, 1)


def test_a_smooth_displacement_is_found_across_contrasts_and_slices(slices, monkeypatch):
    monkeypatch.setattr(module, "MESH", 60.0)
    monkeypatch.setattr(module, "SAMPLES", 8000)
    fixed, _, head = slices
    true, still = bump(fixed.shape), torch.zeros(2, *fixed.shape)
    moving = moved_by(torch.where(head, 1.1 - fixed, 0.0), true)
    found = refine(fixed, moving, head, still, SPACING)
    assert found.kept and found.information[1] > found.information[0]
    error = mm(found.spline - true).norm(dim=0)[head].mean()
    assert error < 0.5 * mm(true).norm(dim=0)[head].mean()
    again = refine(fixed, moving, head, still, SPACING)
    assert (again.spline == found.spline).all()


def test_a_spline_goes_on_from_the_field_of_the_network(slices, monkeypatch):
    monkeypatch.setattr(module, "MESH", 90.0)
    monkeypatch.setattr(module, "SAMPLES", 2000)
    monkeypatch.setattr(module, "SMOOTHED", (4.0,))
    fixed, _, head = slices
    ddf = torch.zeros(2, *fixed.shape)
    ddf[1] = 2.0
    found = refine(fixed, fixed.roll(2, dims=1), head, ddf, SPACING)
    assert mm(found.spline).norm(dim=0)[head].mean() < 2.0  # the network's field: 8 mm


def constant(*voxels):
    """A stand-in for ``spline_field``: one displacement everywhere; slice, row, column."""

    def field(fixed, *_):
        steps = torch.tensor(voxels, dtype=torch.float64).view(3, 1, 1, 1)
        return to_itk(steps.expand(3, *fixed.GetSize()[::-1]), fixed)

    return field


def test_a_spline_that_makes_it_worse_is_dropped(slices, monkeypatch):
    fixed, aligned, head = slices
    monkeypatch.setattr(module, "spline_field", constant(0, 3, 3))
    found = refine(fixed, aligned, head, torch.zeros(2, *fixed.shape), SPACING)
    assert found.reason.startswith("mutual information in the head went from")
    assert found.information[1] < found.information[0]


def test_a_spline_that_folds_is_dropped(slices, monkeypatch):
    fixed, aligned, head = slices

    def folded(image, *_):
        steps = torch.zeros(3, *image.GetSize()[::-1])
        steps[1] = -2.0 * torch.arange(image.GetSize()[1]).view(1, -1, 1)  # x to -x
        return to_itk(steps, image)

    monkeypatch.setattr(module, "spline_field", folded)
    values = iter([0.1, 0.2])
    monkeypatch.setattr(module, "mutual_information", lambda *_: next(values))
    found = refine(fixed, aligned, head, torch.zeros(2, *fixed.shape), SPACING)
    assert found.folding == 1.0
    assert found.reason == "its field folds in 100.00 % of the head"


def test_a_search_that_leaves_the_volume_is_dropped(slices, monkeypatch):
    def lost(*_):
        raise RuntimeError("all samples map outside moving image buffer")

    monkeypatch.setattr(module, "spline_field", lost)
    fixed, aligned, head = slices
    found = refine(fixed, aligned, head, torch.zeros(2, *fixed.shape), SPACING)
    assert not found.kept and (found.spline == 0).all()


@pytest.mark.parametrize(
    ("before", "after", "folding", "dropped"),
    [(0.2, 0.3, 0.0, False), (0.2, 0.21, 0.0, True), (0.2, 0.3, 0.002, True),
     (0.2, 0.3, 0.001, False), (0.2, float("nan"), 0.0, True)],
)  # fmt: skip
def test_what_is_kept(before, after, folding, dropped):
    assert bool(judge(before, after, folding)) == dropped


def test_the_displacement_of_the_rim_goes_on_around_the_head(slices):
    fixed, _, _ = slices
    image = module._image(fixed, SPACING)
    box = sitk.RegionOfInterest(image, [20, 24, 10], [6, 8, 4])
    affine = sitk.AffineTransform(3)
    affine.SetMatrix((1.1, 0, 0, 0, 1, 0, 0, 0, 1))
    field = module._continued(affine, box, image)
    assert field.GetPixel((6, 8, 4)) == field.GetPixel((0, 0, 0))
    assert field.GetPixel((25, 20, 8)) == field.GetPixel((47, 20, 19))
    expected = [0.1 * value for value in image.TransformIndexToPhysicalPoint((12, 20, 8))]
    np.testing.assert_allclose(field.GetPixel((12, 20, 8)), [expected[0], 0, 0], atol=1e-5)


def test_pictures_and_the_method_none_pass_through(monkeypatch):
    def sought(*_):
        raise AssertionError("a B-spline is sought")

    monkeypatch.setattr(sys.modules[register.__module__], "refine", sought)
    asked = options_of(refine="bspline", init="none", guard=False)
    pictures = [np.uint8(255 * smooth((40, 40), seed)) for seed in (1, 2)]
    found = register(read_pair(*pictures, asked), KnownField(), asked)
    assert isinstance(found, PictureRegistration) and (found.ddf != 0).any()
    volumes = [sitk.GetImageFromArray(smooth((5, 40, 40), seed)) for seed in (1, 2)]
    pair = read_pair(*volumes, asked)
    found = register(pair, KnownField(), asked.model_copy(update={"refine": "none"}))
    assert isinstance(found, VolumeRegistration) and (found.ddf != 0).any()
    assert found.refinement is None and found.refined is None
    with pytest.raises(AssertionError, match="a B-spline is sought"):
        register(pair, KnownField(), asked)
    with pytest.raises(InputError, match="refine demons: give one of none, bspline"):
        options_of(refine="demons")
