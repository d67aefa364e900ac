"""The B-spline step against known displacements, and the guard that judges it."""

import sys

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from bundle.errors import InputError
from bundle.geometry.fields import to_itk
from bundle.geometry.transform import displacement_field, field_transform
from bundle.images.pair import read_pair
from bundle.options import options_of
from bundle.phantom.pairs import make_head
from bundle.registration import PictureRegistration, VolumeRegistration, register
from bundle.registration import bspline as module
from bundle.registration.bspline import judge, refine
from tests.inference.images import smooth
from tests.inference.stubs import KnownField, constant

SPACING = (4.0, 4.0, 5.0)


STILL = sitk.Transform(3, sitk.sitkIdentity)


@pytest.fixture(scope="module")
def volumes():
    """T1 and PET of a small phantom in [0, 1], upright, and its head."""
    head = make_head(1, (48, 56, 20), SPACING, (0.0, 0.0, 0.0))
    upright = [part[::-1, ::-1] for part in (head.contrast("T1"), head.contrast("PET"))]
    values = [(part / part.max()).clip(0, 1).astype(np.float64) for part in upright]
    values[0] = upright[0].clip(0, 1).astype(np.float64)
    return *map(volume, values), volume((head.labels[::-1, ::-1] > 0).astype(np.uint8))


def volume(values):
    """An array (x, y, z) along LPS."""
    image = sitk.GetImageFromArray(np.ascontiguousarray(values.T))
    image.SetSpacing(SPACING)
    return image


def bump(grid):
    """A smooth displacement of 6, 8 and -6 mm at most across slices, rows and columns."""
    axes = [torch.linspace(-1, 1, n) for n in grid.GetSize()[::-1]]
    k, i, j = torch.meshgrid(*axes, indexing="ij")
    shape_of_it = torch.exp(-2 * (i**2 + j**2 + 0.5 * k**2)).double()
    return to_itk(
        torch.stack([6 / 5 * shape_of_it, 8 / 4 * shape_of_it, -6 / 4 * shape_of_it]), grid
    )


def moved_by(image, field):
    """``moved(x + field(x)) = image(x)``, to first order in the displacement's gradient."""
    exact = sitk.Cast(field, sitk.sitkVectorFloat64)
    inverse = sitk.InvertDisplacementField(exact, maximumNumberOfIterations=30)
    transform = sitk.DisplacementFieldTransform(inverse)
    return sitk.Resample(image, image, transform, sitk.sitkLinear, 0.0)


def lengths(field, head):
    """Of the displacements in the head, mm."""
    vectors = sitk.GetArrayFromImage(field).astype(np.float64)
    return np.linalg.norm(vectors, axis=-1)[sitk.GetArrayFromImage(head) > 0]


@pytest.mark.parametrize("orientation", ["LPS", "PIR"])
def test_a_smooth_displacement_is_found_across_contrasts_and_slices(
    orientation, volumes, monkeypatch
):
    monkeypatch.setattr(module, "MESH", 60.0)
    monkeypatch.setattr(module, "SAMPLES", 8000)
    fixed, _, head = (sitk.DICOMOrient(part, orientation) for part in volumes)
    true = sitk.DICOMOrient(bump(volumes[0]), orientation)
    inverted = sitk.Mask(1.1 - fixed, head)
    found = refine(fixed, moved_by(inverted, true), head, STILL)
    assert found.kept and found.information[1] > found.information[0]
    assert found.field.GetSize() == fixed.GetSize()
    assert found.field.GetDirection() == fixed.GetDirection()
    difference = sitk.Cast(found.field, sitk.sitkVectorFloat32) - true
    assert lengths(difference, head).mean() < 0.5 * lengths(true, head).mean()
    again = refine(fixed, moved_by(inverted, true), head, STILL)
    arrays = [sitk.GetArrayFromImage(one.field) for one in (found, again)]
    assert (arrays[0] == arrays[1]).all()


def test_a_spline_goes_on_from_the_field_found_so_far(volumes, monkeypatch):
    """A shift of 8 mm, of which 4 are found."""
    monkeypatch.setattr(module, "MESH", 90.0)
    monkeypatch.setattr(module, "SAMPLES", 2000)
    monkeypatch.setattr(module, "SMOOTHED", (4.0,))
    fixed, _, head = volumes
    moving = sitk.GetImageFromArray(np.roll(sitk.GetArrayFromImage(fixed), 2, axis=2))
    moving.CopyInformation(fixed)
    half, whole = (constant(0, 0, columns)(fixed) for columns in (1, 2))
    assert lengths(whole, head).mean() == pytest.approx(8.0)
    found = refine(fixed, moving, head, field_transform(half))
    assert found.kept
    total = sitk.CompositeTransform([field_transform(half), field_transform(found.field)])
    assert lengths(displacement_field(total, fixed) - whole, head).mean() < 1.0


def test_a_spline_that_makes_it_worse_is_dropped(volumes, monkeypatch):
    monkeypatch.setattr(module, "spline_field", constant(0, 3, 3))
    found = refine(*volumes, STILL)
    assert found.reason.startswith("mutual information in the head went from")
    assert found.information[1] < found.information[0]


def test_a_spline_that_folds_is_dropped(volumes, monkeypatch):
    def folded(image, *_):
        steps = torch.zeros(3, *image.GetSize()[::-1])
        steps[1] = -2.0 * torch.arange(image.GetSize()[1]).view(1, -1, 1)  # x to -x
        return to_itk(steps, image)

    monkeypatch.setattr(module, "spline_field", folded)
    values = iter([0.1, 0.2])
    monkeypatch.setattr(module, "mutual_information", lambda *_: next(values))
    found = refine(*volumes, STILL)
    assert found.folding == 1.0
    assert found.reason == "its field folds in 100.00 % of the head"


def test_a_search_that_leaves_the_volume_is_dropped(volumes, monkeypatch):
    def lost(*_):
        raise RuntimeError("all samples map outside moving image buffer")

    monkeypatch.setattr(module, "spline_field", lost)
    found = refine(*volumes, STILL)
    assert not found.kept and found.field is None


@pytest.mark.parametrize(
    ("before", "after", "folding", "dropped"),
    [(0.2, 0.3, 0.0, False), (0.2, 0.21, 0.0, True), (0.2, 0.3, 0.002, True),
     (0.2, 0.3, 0.001, False), (0.2, float("nan"), 0.0, True)],
)  # fmt: skip
def test_what_is_kept(before, after, folding, dropped):
    assert bool(judge(before, after, folding)) == dropped


def test_the_displacement_of_the_rim_goes_on_around_the_head(volumes):
    image = volumes[0]
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
    asked = options_of(refine="bspline", init="none", plane="axial", guard=False)
    pictures = [np.uint8(255 * smooth((40, 40), seed)) for seed in (1, 2)]
    found = register(read_pair(*pictures, asked), KnownField(), asked)
    assert isinstance(found, PictureRegistration) and (found.ddf != 0).any()
    given = [sitk.GetImageFromArray(smooth((5, 40, 40), seed)) for seed in (1, 2)]
    pair = read_pair(*given, asked)
    found = register(pair, KnownField(), asked.model_copy(update={"refine": "none"}))
    assert isinstance(found, VolumeRegistration)
    assert (sitk.GetArrayFromImage(found.field) != 0).any()
    assert found.refinement is None
    assert found.transform.GetNumberOfTransforms() == 2  # start and field
    with pytest.raises(AssertionError, match="a B-spline is sought"):
        register(pair, KnownField(), asked)
    with pytest.raises(InputError, match="refine demons: give one of none, bspline"):
        options_of(refine="demons")


def test_a_search_that_found_no_way_leaves_the_result_of_the_network(monkeypatch):
    def lost(*_):
        raise RuntimeError("all samples map outside moving image buffer")

    monkeypatch.setattr(module, "spline_field", lost)
    asked = options_of(refine="bspline", init="none", plane="axial", guard=False)
    pair = read_pair(*(sitk.GetImageFromArray(smooth((5, 40, 40), seed)) for seed in (1, 2)), asked)
    found = register(pair, KnownField(), asked)
    plain = register(pair, KnownField(), asked.model_copy(update={"refine": "none"}))
    assert found.refinement is not None and found.refinement.reason == "it found no way"
    for one, other in ((found.field, plain.field), (found.warped, plain.warped)):
        assert (sitk.GetArrayFromImage(one) == sitk.GetArrayFromImage(other)).all()
