"""The 3D start from anywhere: other coordinates, other postures, other fields of view."""

import numpy as np
import pytest
import SimpleITK as sitk

from bundle.errors import InputError
from bundle.geometry.head import find_head
from bundle.geometry.transform import as_matrix, as_transform
from bundle.registration.initial_transform import read_initial_transform
from bundle.registration.rigid import find_start
from bundle.registration.start_candidates import angle, placements
from bundle.registration.start_volume import start_volume
from tests.registration.volumes import errors, head, like, motion_of, moved


def codes(start):
    return [remark.code for remark in start.remarks]


@pytest.mark.parametrize("padding", [0.0, 31743.0])
def test_the_head_of_the_coarse_volume_is_that_of_the_volume(padding):
    volume = sitk.Expand(head(), [3, 2, 1], sitk.sitkNearestNeighbor)  # 1 x 1.5 x 3 mm
    volume = sitk.DICOMOrient(sitk.ConstantPad(volume, [9] * 3, [5] * 3, padding), "SAR")
    expected = sitk.GetArrayFromImage(find_head(volume))
    assert 0.05 < expected.mean() < 0.5
    assert (sitk.GetArrayFromImage(start_volume(volume).head_on(volume)) == expected).all()


def test_headers_that_share_no_space_are_told_of_and_not_needed():
    moving = moved(head(invert=True), motion_of())
    moving.SetOrigin(np.add(moving.GetOrigin(), (1000.0, 300.0, -500.0)).tolist())
    truth = as_matrix(motion_of())
    truth[:3, 3] += (1000.0, 300.0, -500.0)
    found = find_start(head(), moving)
    assert errors(found.matrix, truth).mean() < 1.0
    assert codes(found) == ["no_common_space"]
    assert found.source in found.remarks[0].text


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_header_with_the_head_the_other_way_round(axis):
    angles = [np.pi if axis == n else 0.06 for n in range(3)]
    motion = motion_of(angles)
    found = find_start(head(), moved(head(invert=True), motion))
    assert errors(found.matrix, as_matrix(motion)).mean() < 1.0
    assert codes(found) == ["start_turned"]


def test_a_tilted_head_far_from_where_the_headers_say():
    motion = motion_of((0.5, -0.4, 0.5), (14.0, -16.0, 11.0))
    moving = moved(head(invert=True), motion)
    moving.SetOrigin(np.add(moving.GetOrigin(), (40.0, -50.0, 60.0)).tolist())
    truth = as_matrix(motion)
    truth[:3, 3] += (40.0, -50.0, 60.0)
    assert errors(find_start(head(), moving).matrix, truth).mean() < 2.0


def test_one_hot_spot_60_times_as_bright_as_the_head():
    moving = sitk.GetArrayFromImage(moved(head(invert=True), motion_of()))
    moving[:3, :3, :3] = 60.0
    hot = like(moving, (3.0,) * 3, (-60.0,) * 3)
    assert errors(find_start(head(), hot).matrix, as_matrix(motion_of())).mean() < 1.0


@pytest.mark.parametrize("padding", [31743.0, 62512.0])
def test_bright_padding_outside_a_scan_circle(padding):
    moving = sitk.GetArrayFromImage(moved(head(invert=True), motion_of()))
    hounsfield = 1040.0 * moving - 1000.0
    y, x = np.indices(hounsfield.shape[1:]) - 20.0
    hounsfield[:, np.hypot(x, y) > 20.5] = padding
    image = sitk.GetImageFromArray(hounsfield)
    image.CopyInformation(head())
    assert errors(find_start(head(), image).matrix, as_matrix(motion_of())).mean() < 1.0


@pytest.mark.parametrize("part", ["upper", "lower"])
def test_half_a_head(part):
    moving = moved(head(invert=True), motion_of())
    moving = moving[:, :, 18:] if part == "upper" else moving[:, :, :23]
    moving.SetOrigin(np.add(moving.GetOrigin(), (30.0, 0.0, -25.0)).tolist())
    truth = as_matrix(motion_of())
    truth[:3, 3] += (30.0, 0.0, -25.0)
    assert errors(find_start(head(), moving).matrix, truth).mean() < 2.0


@pytest.fixture(scope="module")
def body():
    """A trunk with lungs below the head, 3 mm, (z, y, x); and where the fixed head's points lie."""
    top = sitk.GetArrayFromImage(moved(head(invert=True, size=61), motion_of()))
    values = np.zeros((200, 61, 61))
    z, y, x = np.indices(values.shape)
    x, y = x - 30, y - 30
    trunk = ((x / 26) ** 2 + (y / 16) ** 2 < 1) & (z < 140) & (z > 2)
    values[trunk | ((np.hypot(x, y) < 8) & (z < 160) & (z > 2))] = 0.3
    values[(((abs(x) - 11) / 8) ** 2 + (y / 11) ** 2 + ((z - 100) / 25) ** 2 < 1) & trunk] = 0.05
    values[139:] = np.maximum(values[139:], top)
    truth = as_matrix(motion_of())
    truth[:3, 3] += (10.0, -20.0, 120.0)
    return values, truth


def placed(values):
    """The body where its header is wrong by 120 mm."""
    return like(values, (3.0,) * 3, (-80.0, -110.0, -507.0 + 120.0))


def test_the_head_is_found_on_a_body_that_the_headers_put_elsewhere(body):
    values, truth = body
    found = find_start(head(), placed(values))
    assert errors(found.matrix, truth).mean() < 2.0


def test_a_volume_without_the_head_is_warned_of():
    noise = np.random.default_rng(3).random((41, 41, 41))
    found = find_start(head(), like(noise, (3.0,) * 3, (-60.0,) * 3))
    assert "start_doubtful" in codes(found)


def test_every_placement_is_a_rotation_and_one_lies_near_the_truth():
    axis = np.arange(-40, 41, 4.0)
    points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    points = points[(points**2 @ [1.0, 0.6, 0.8]) < 1300]
    motion = as_matrix(motion_of((0.1, 0.2, 3.0), (90.0, -70.0, 50.0)))
    found = list(placements(points, points @ motion[:3, :3].T + motion[:3, 3]))
    for one in found:
        np.testing.assert_allclose(one.matrix[:3, :3] @ one.matrix[:3, :3].T, np.eye(3), atol=1e-9)
        assert np.linalg.det(one.matrix) == pytest.approx(1.0)
    assert min(errors(one.matrix, motion).mean() for one in found) < 5.0
    assert {round(angle(one.matrix, np.eye(4))) for one in found} >= {0, 25, 180}


def test_an_initial_transform_is_gone_on_from_or_used_as_it_is():
    moving = moved(head(invert=True), motion_of())
    given = as_matrix(motion_of((0.0, 0.0, 0.1), (5.0, -3.0, 2.0)))
    found = find_start(head(), moving, "header", given)
    np.testing.assert_array_equal(found.matrix, given)
    assert (
        errors(find_start(head(), moving, "rigid", given).matrix, as_matrix(motion_of())).mean() < 1
    )
    with pytest.raises(InputError, match="init center takes no initial transform"):
        find_start(head(), moving, "center", given)
    with pytest.raises(InputError, match="does not overlap the fixed volume"):
        find_start(head(), moving, "rigid", as_matrix(sitk.TranslationTransform(3, (900.0, 0, 0))))


def test_the_scale_of_an_initial_transform_stays():
    given = sitk.ScaleTransform(3, (1.15, 0.9, 1.05))
    truth = sitk.CompositeTransform([given, motion_of()])
    moving = moved(head(invert=True), truth)
    found = find_start(head(), moving, "rigid", as_matrix(given)).matrix
    assert errors(found, as_matrix(truth)).mean() < 1.0
    np.testing.assert_allclose(np.linalg.svd(found[:3, :3])[1], [1.15, 1.05, 0.9], atol=1e-6)


@pytest.mark.parametrize("suffix", ["tfm", "txt", "h5", "mat"])
def test_linear_itk_transforms_are_read(suffix, tmp_path):
    motion = motion_of()
    sitk.WriteTransform(motion, str(tmp_path / f"t.{suffix}"))
    found = read_initial_transform(tmp_path / f"t.{suffix}", head(), head())
    np.testing.assert_allclose(found, as_matrix(motion), atol=1e-12)


def test_linear_transforms_in_a_row_are_read(tmp_path):
    motion, other = motion_of(), sitk.ScaleTransform(3, (1.1, 1.0, 0.9))
    sitk.WriteTransform(sitk.CompositeTransform([motion, other]), str(tmp_path / "t.h5"))
    found = read_initial_transform(tmp_path / "t.h5", head(), head())
    np.testing.assert_allclose(found, as_matrix(motion) @ as_matrix(other), atol=1e-12)
    np.testing.assert_allclose(as_matrix(as_transform(found)), found, atol=1e-12)


def test_other_files_are_refused_in_one_line(tmp_path):
    field = sitk.DisplacementFieldTransform(sitk.Image([4] * 3, sitk.sitkVectorFloat64, 3))
    wrong = {
        "field.h5": (field, "DisplacementFieldTransform, which is not linear"),
        "flat.tfm": (sitk.Euler2DTransform(), "2 dimensions; give one of three"),
        "mirror.mat": (as_transform(np.diag([-1.0, 1, 1, 1])), "reflection"),
    }
    for name, (transform, message) in wrong.items():
        sitk.WriteTransform(transform, str(tmp_path / name))
        with pytest.raises(InputError, match=f"{name}: .*{message}"):
            read_initial_transform(tmp_path / name, head(), head())
    sitk.WriteTransform(as_transform(np.eye(4)), str(tmp_path / "rigid.tfm"))
    with pytest.raises(InputError, match=r"not linear; take rigid\.tfm beside it"):
        read_initial_transform(tmp_path / "field.h5", head(), head())
    for name, message in {
        "short.mat": "cannot be read as a transform; save it with ITK, ANTs, 3D Slicer or FSL",
        "short.lta": "is no linear transform array of FreeSurfer",
        "warp.nii.gz": "is no linear transform by its name",
    }.items():
        with pytest.raises(InputError, match=rf"{name}: no such file"):
            read_initial_transform(tmp_path / name, head(), head())
        (tmp_path / name).write_text("1 0 0 0\n0 1 0 0\n")
        with pytest.raises(InputError, match=rf"{name}: {message}"):
            read_initial_transform(tmp_path / name, head(), head())


@pytest.mark.parametrize("left_out", [b"FixedParameters", b" -0.2"])
def test_a_text_of_a_transform_that_is_cut_short_is_refused(left_out, tmp_path):
    path = tmp_path / "t.tfm"
    sitk.WriteTransform(sitk.Euler3DTransform((1, 2, 3), 0.1, 0.3, -0.2), str(path))
    lines = path.read_bytes().splitlines(keepends=True)
    kept = [line for line in lines if left_out != line[: len(left_out)]]
    path.write_bytes(b"".join(kept).replace(left_out, b""))
    with pytest.raises(InputError, match=r"t\.tfm: is damaged or cut short"):
        read_initial_transform(path, head(), head())


@pytest.mark.parametrize(
    ("kind", "numbers", "message"),
    [
        ("ScaleLogarithmicTransform", "0.5", "is damaged or cut short"),
        ("ComposeScaleSkewVersor3DTransform", "0 0 0 0 0 0 1 1 1 0 0 0", "cannot be read as a"),
    ],
)
def test_kinds_of_transforms_that_are_rare_are_one_line(kind, numbers, message, tmp_path):
    path = tmp_path / "t.tfm"
    lines = ["#Insight Transform File V1.0", "#Transform 0", f"Transform: {kind}_double_3_3"]
    lines += [f"Parameters: {numbers}", "FixedParameters: 0 0 0"]
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(InputError, match=rf"t\.tfm: {message}"):
        read_initial_transform(path, head(), head())


@pytest.mark.parametrize("word", ["nan", "inf", "1e400", "abc", "1,0"])
def test_a_text_of_a_transform_with_what_is_no_number_is_refused(word, tmp_path):
    path = tmp_path / "t.tfm"
    sitk.WriteTransform(sitk.Euler3DTransform((1, 2, 3), 0.1, 0.3, -0.2), str(path))
    path.write_text(path.read_text().replace(" -0.2", f" {word}"))
    with pytest.raises(InputError, match=r"t\.tfm: is damaged or cut short"):
        read_initial_transform(path, head(), head())


def test_older_texts_of_transforms_have_fewer_fixed_parameters(tmp_path):
    path = tmp_path / "t.tfm"
    sitk.WriteTransform(sitk.Euler3DTransform((1, 2, 3), 0.1, 0.3, -0.2), str(path))
    path.write_text(path.read_text().replace("FixedParameters: 1 2 3 0", "FixedParameters: 1 2 3"))
    assert read_initial_transform(path, head(), head()).shape == (4, 4)
