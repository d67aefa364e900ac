"""The 3D start against known rigid motions."""

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk

from bundle.errors import InputError
from bundle.geometry.transform import as_matrix, as_transform
from bundle.options import options_of
from bundle.registration import rigid as module
from bundle.registration.rigid import find_start
from bundle.registration.start_candidates import Candidate, angle, around
from tests.registration.volumes import errors, head, motion_of, moved


@pytest.fixture(scope="module")
def motion():
    return motion_of()


def test_rigid_start_finds_the_motion_across_contrasts(motion):
    matrix = find_start(head(), moved(head(invert=True), motion)).matrix
    assert errors(np.eye(4), as_matrix(motion)).mean() > 8
    assert errors(matrix, as_matrix(motion)).mean() < 1.0


def test_an_affine_start_stretches_what_a_rigid_one_cannot(motion):
    wide = sitk.AffineTransform(3)
    wide.SetMatrix((1.07, 0.02, 0, 0, 0.94, 0, 0, 0, 1.0))
    total = sitk.CompositeTransform([motion, wide])
    truth = as_matrix(motion) @ as_matrix(wide)
    moving = sitk.Resample(head(invert=True), head(), total.GetInverse(), sitk.sitkLinear, 0.0)
    rigid, affine = (find_start(head(), moving, init).matrix for init in ("rigid", "affine"))
    assert errors(affine, truth).mean() < errors(rigid, truth).mean()
    lengths = {name: np.linalg.svd(one[:3, :3])[1] for name, one in (("r", rigid), ("a", affine))}
    np.testing.assert_allclose(lengths["r"], 1.0, atol=1e-6)
    assert lengths["a"].max() > 1.02 and lengths["a"].min() < 0.98


def test_a_larger_field_of_view_does_not_change_the_start(motion):
    fixed, moving = head(), moved(head(invert=True), motion)
    wide = sitk.ConstantPad(fixed, [20, 11, 7], [12, 30, 9], 0.0)
    starts = [find_start(one, moving).matrix for one in (wide, fixed)]
    assert errors(*starts).max() < 0.5


def test_stored_orientation_does_not_change_the_start(motion):
    fixed, moving = head(), moved(head(invert=True), motion)
    expected = find_start(fixed, moving).matrix
    other = find_start(sitk.DICOMOrient(fixed, "SRA"), sitk.DICOMOrient(moving, "LAS")).matrix
    np.testing.assert_allclose(other, expected, atol=1e-6)


def test_aligned_volumes_keep_their_headers():
    found = find_start(head(), head(invert=True))
    np.testing.assert_allclose(found.matrix, np.eye(4), atol=0.05)
    assert found.remarks == ()


def test_a_start_has_to_match_clearly_better_than_the_headers(motion, monkeypatch):
    fixed, moving = head(), moved(head(invert=True), motion)
    monkeypatch.setattr(module, "GAIN", 1e6)
    found = find_start(fixed, moving)
    np.testing.assert_array_equal(found.matrix, np.eye(4))
    assert found.source == "the headers"


@pytest.mark.parametrize("slices", [2, 3])
def test_a_few_slices_are_brought_together_too(slices):
    motion = sitk.Euler3DTransform((0.0, 0.0, 0.0), 0.0, 0.0, 0.15, (9.0, -6.0, 0.0))
    few = head()[:, :, 20 : 20 + slices]
    found = as_transform(
        find_start(few, moved(head(invert=True), motion)[:, :, 20 : 20 + slices]).matrix
    )
    for point in ((20.0, 0.0, 0.0), (0.0, -30.0, 0.0)):
        apart = np.subtract(found.TransformPoint(point), motion.TransformPoint(point))
        assert np.hypot(*apart[:2]) < 1.5


@pytest.mark.parametrize("init", ["none", "header"])
def test_header_trusts_the_headers_and_center_the_middles(init):
    moving = head()
    moving.SetOrigin((-50.0, -60.0, -60.0))
    assert (find_start(head(), moving, init).matrix == np.eye(4)).all()
    expected = np.eye(4)
    expected[0, 3] = 10.0
    np.testing.assert_allclose(find_start(head(), moving, "center").matrix, expected, atol=1e-9)


def test_moments_puts_the_heads_onto_each_other_whatever_surrounds_them():
    moving = sitk.ConstantPad(head(middle=(12.0, -9.0, 6.0)), [20, 0, 0], [0, 15, 0], 0.0)
    expected = np.eye(4)
    expected[:3, 3] = (12.0, -9.0, 6.0)
    found = find_start(head(), moving, "moments").matrix
    np.testing.assert_allclose(found, expected, atol=0.5)


@pytest.mark.parametrize("init", ["none", "header"])
def test_volumes_apart_are_refused_where_the_headers_are_trusted(init):
    moving = head()
    moving.SetOrigin((1000.0, 0.0, 0.0))
    with pytest.raises(InputError, match="do not overlap .* init rigid"):
        find_start(head(), moving, init)
    assert find_start(head(), moving, "center").matrix[0, 3] == pytest.approx(1060.0)


def test_an_unknown_start_is_refused():
    with pytest.raises(
        InputError, match="init elastic: give one of rigid, header, center, moments"
    ):
        options_of(init="elastic")


@pytest.mark.parametrize("spoilt", [0, 1])
def test_of_the_last_two_the_one_counts_that_matches_better_in_the_end(motion, monkeypatch, spoilt):
    aside, ends = as_matrix(motion_of((0, 0, 0), (9.0, 0, 0))), []

    def searched(fixed, moving, begin):
        off = aside if len(ends) == spoilt else np.eye(4)
        ends.append(replace(begin, matrix=as_matrix(motion) @ off))
        return ends[-1]

    monkeypatch.setattr(module, "searched_motion", searched)
    monkeypatch.setattr(module, "PROMISING", 0.0)
    found = find_start(head(), moved(head(invert=True), motion))
    assert len(ends) == 2
    np.testing.assert_array_equal(found.matrix, as_matrix(motion))
    assert found.source == ends[1 - spoilt].name


def test_of_two_that_have_met_the_better_goes_on(motion):
    volumes = module.start_volume(head()), module.start_volume(moved(head(invert=True), motion))
    exact = module.Candidate("exact", as_matrix(motion))
    near = replace(exact, matrix=exact.matrix @ as_matrix(motion_of((0, 0, 0), (4.0, 0, 0))))
    points = module.points_of(volumes[0].coarsest().head)
    assert module._best(volumes, [near, exact], points, 2) == [exact]


@pytest.mark.parametrize("gain, source", [(1.13, "the headers"), (1.17, "aside")])
def test_a_placement_far_from_the_headers_has_to_match_clearly_better(monkeypatch, gain, source):
    """By half a percent for every mm: 30 mm, 15 %."""
    aside = Candidate("aside", as_matrix(motion_of((0, 0, 0), (30.0, 0, 0))))

    def similarity(fixed, moving, matrix):
        return (
            gain if (matrix == aside.matrix).all() else 1.0 if (matrix == np.eye(4)).all() else 0.9
        )

    for name in ("optimised_motion", "searched_motion"):
        monkeypatch.setattr(module, name, lambda *both: both[-1])
    monkeypatch.setattr(module, "placements", lambda *_: [aside])
    monkeypatch.setattr(module, "similarity", similarity)
    assert find_start(head(), head(invert=True)).source == source


@pytest.mark.parametrize("stretch, rigid", [(0.7, True), (1.3, True), (0.9, False)])
def test_an_affine_start_that_no_person_explains_is_rigid(motion, monkeypatch, stretch, rigid):
    search = module.searched_motion

    def searched(fixed, moving, begin, affine=False):
        stretched = begin.matrix @ np.diag([stretch, 1.0, 1.0, 1.0])
        return replace(begin, matrix=stretched) if affine else search(fixed, moving, begin)

    monkeypatch.setattr(module, "searched_motion", searched)
    found = find_start(head(), moved(head(invert=True), motion), "affine")
    assert (errors(found.matrix, as_matrix(motion)).mean() < 1.0) == rigid
    assert ("affine_dropped" in [one.code for one in found.remarks]) == rigid


def test_files_in_single_and_in_double_precision_have_one_start(motion):
    """NIfTI stores its grid in one of them, NRRD and DICOM in the other."""
    starts = []
    for precise in (np.float64, np.float32):
        both = [head(), moved(head(invert=True), motion)]
        for volume in both:
            tilted = sitk.VersorTransform((0.3, -0.5, 1.0), 0.1).GetMatrix()
            volume.SetDirection(np.array(tilted, precise).astype(float).tolist())
            volume.SetOrigin((np.array(volume.GetOrigin()) / 3).astype(precise).tolist())
        starts.append(find_start(*both).matrix)
    np.testing.assert_array_equal(*starts)


def test_what_gradients_make_worse_stays_as_it_was(motion, monkeypatch):
    """They raise another measure, which slabs can raise by leaving the head."""
    begun = []

    def searched(fixed, moving, begin):
        begun.append(begin.matrix)
        return begin

    away = as_matrix(motion_of((0, 0, 0), (200.0, 0, 0)))
    monkeypatch.setattr(module, "searched_motion", searched)
    monkeypatch.setattr(module, "optimised_motion", lambda f, m, one: replace(one, matrix=away))
    find_start(head(), moved(head(invert=True), motion))
    assert begun and not any((one == away).all() for one in begun)


def test_placements_around_the_headers_are_tried_where_volumes_overlap(motion):
    reference = Candidate("the headers", as_matrix(motion))
    near = [one.matrix for one in around(reference, np.array([[30.0, 0.0, 0.0]]))]
    again = [one.matrix for one in around(reference, np.array([[30.0, 0.0, 0.0]]))]
    np.testing.assert_array_equal(near, again)
    shifts = [np.linalg.inv(reference.matrix) @ one @ (30, 0, 0, 1) - (30, 0, 0, 1) for one in near]
    assert 10.0 < np.abs(shifts).max() <= 15.0
    turns = [angle(one, reference.matrix) for one in near]
    assert 10.0 < max(turns) <= 12.0 * 3**0.5 + 1.0
