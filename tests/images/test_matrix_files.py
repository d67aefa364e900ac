"""FSL's and FreeSurfer's matrices: by their definitions, and as nitransforms reads and writes them.

Grids are oblique and anisotropic, with affines of either sign: FSL counts the first axis backwards
where the determinant is positive.
"""

from __future__ import annotations

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from bundle.errors import InputError
from bundle.geometry.transform import as_matrix
from bundle.images.matrix_files import LPS, read_fsl, read_lta, write_fsl, write_lta
from bundle.images.nifti_write import affine_of

nitransforms = pytest.importorskip("nitransforms.linear")

VOXELS = np.array([(0, 0, 0), (11, 3, 2), (4, 9, 7), (30, 1, 5)], float)


def grid(size, spacing, origin, axis, left_handed):
    """An empty oblique volume; left-handed: its first axis runs the other way."""
    direction = np.reshape(sitk.VersorTransform(axis, 0.4).GetMatrix(), (3, 3))
    image = sitk.Image(size, sitk.sitkUInt8)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    image.SetDirection((direction * [-1.0 if left_handed else 1.0, 1, 1]).ravel().tolist())
    assert (np.linalg.det(affine_of(image)[:3, :3]) < 0) == left_handed
    return image


@pytest.fixture(params=[(False, False), (False, True), (True, False), (True, True)], ids=str)
def grids(request):
    fixed, moving = request.param
    return (
        grid((40, 24, 16), (0.9, 1.3, 4.0), (-20.0, 35.0, 7.5), (0.3, -0.5, 1.0), fixed),
        grid((33, 20, 18), (1.1, 0.7, 2.5), (12.0, -8.0, 30.0), (-0.4, 0.2, 1.0), moving),
    )


@pytest.fixture
def start():
    """Fixed to moving points, mm, LPS: a motion with a little scale and shear."""
    matrix = as_matrix(sitk.Euler3DTransform((3.0, 1.0, -2.0), 0.2, -0.1, 0.15, (5.0, -7.0, 3.0)))
    return matrix @ np.array([[1.05, 0.02, 0, 0], [0, 0.97, 0, 0], [0, 0, 1.01, 0], [0, 0, 0, 1]])


def points(image, voxels):
    return np.array([image.TransformContinuousIndexToPhysicalPoint(v) for v in voxels.tolist()])


def homogeneous(places):
    return np.c_[places, np.ones(len(places))]


def fsl(image, voxels):
    """FSL's coordinates of voxels by their definition."""
    scaled = voxels * image.GetSpacing()
    if np.linalg.det(affine_of(image)[:3, :3]) > 0:
        scaled[:, 0] = (image.GetSize()[0] - 1 - voxels[:, 0]) * image.GetSpacing()[0]
    return scaled


def voxels_there(fixed, moving, start):
    """Voxels of the moving grid that lie at those of the fixed one by the start."""
    places = (homogeneous(points(fixed, VOXELS)) @ start.T)[:, :3]
    return np.array([moving.TransformPhysicalPointToContinuousIndex(p) for p in places.tolist()])


def nifti(image, path):
    nibabel.save(nibabel.Nifti1Image(np.zeros(image.GetSize(), np.uint8), affine_of(image)), path)
    return path


def test_fsls_matrix_brings_scaled_voxels_of_the_moving_image_to_those_of_the_fixed(
    grids, start, tmp_path
):
    fixed, moving = grids
    write_fsl(start, fixed, moving, tmp_path / "m.mat")
    matrix = np.loadtxt(tmp_path / "m.mat")
    found = homogeneous(fsl(moving, voxels_there(fixed, moving, start))) @ matrix.T
    np.testing.assert_allclose(found[:, :3], fsl(fixed, VOXELS), atol=1e-6)
    np.testing.assert_allclose(read_fsl(tmp_path / "m.mat", fixed, moving), start, atol=1e-8)


def test_freesurfers_array_brings_ras_of_the_moving_image_to_that_of_the_fixed(
    grids, start, tmp_path
):
    fixed, moving = grids
    write_lta(start, fixed, moving, tmp_path / "m.lta")
    lines = (tmp_path / "m.lta").read_text().splitlines()
    matrix = np.array([line.split() for line in lines[5:9]], float)
    source = points(moving, voxels_there(fixed, moving, start)) * [-1, -1, 1]
    found = homogeneous(source) @ matrix.T
    np.testing.assert_allclose(found[:, :3], points(fixed, VOXELS) * [-1, -1, 1], atol=1e-9)
    (said, _) = (line.split("=")[1].split() for line in lines if line.startswith("cras"))
    middle = points(moving, np.array(moving.GetSize())[None] / 2)[0] * [-1, -1, 1]
    np.testing.assert_allclose(np.array(said, float), middle, atol=1e-9)
    np.testing.assert_allclose(read_lta(tmp_path / "m.lta", fixed, moving), start, atol=1e-9)


@pytest.mark.parametrize(("kind", "write"), [("fsl", write_fsl), ("fs", write_lta)])
def test_nitransforms_reads_what_is_written(kind, write, grids, start, tmp_path):
    files = [nifti(one, tmp_path / f"{n}.nii.gz") for n, one in zip("fm", grids, strict=True)]
    write(start, *grids, tmp_path / "m.x")
    found = nitransforms.Affine.from_filename(
        tmp_path / "m.x", fmt=kind, reference=files[0], moving=files[1]
    )
    np.testing.assert_allclose(LPS @ found.matrix @ LPS, start, atol=1e-5)


@pytest.mark.parametrize(("kind", "read"), [("fsl", read_fsl), ("fs", read_lta)])
def test_what_nitransforms_writes_is_read(kind, read, grids, start, tmp_path):
    """Its arrays name the volumes the other way round than FreeSurfer; the matrix is the same."""
    files = [nifti(one, tmp_path / f"{n}.nii.gz") for n, one in zip("fm", grids, strict=True)]
    transform = nitransforms.Affine(LPS @ start @ LPS, reference=files[0])
    transform.to_filename(tmp_path / "m.x", fmt=kind, moving=files[1])
    if kind == "fs":
        with pytest.raises(InputError, match="goes from the fixed image to the moving one"):
            read(tmp_path / "m.x", *grids)
        text = (tmp_path / "m.x").read_text().replace("src volume", "x volume")
        text = text.replace("dst volume", "src volume").replace("x volume", "dst volume")
        (tmp_path / "m.x").write_text(text)
    np.testing.assert_allclose(read(tmp_path / "m.x", *grids), start, atol=1e-4)


def test_an_array_from_voxels_to_voxels(grids, start, tmp_path):
    fixed, moving = grids
    write_lta(start, fixed, moving, tmp_path / "m.lta")
    voxels = np.linalg.inv(affine_of(fixed)) @ LPS @ np.linalg.inv(start) @ LPS @ affine_of(moving)
    lines = (tmp_path / "m.lta").read_text().splitlines()
    lines[0] = "type      = 0 # LINEAR_VOX_TO_VOX"
    lines[5:9] = [" ".join(map(repr, row)) for row in voxels.tolist()]
    (tmp_path / "v.lta").write_text("\n".join(lines))
    np.testing.assert_allclose(read_lta(tmp_path / "v.lta", fixed, moving), start, atol=1e-9)
    (tmp_path / "v.lta").write_text("\n".join(lines).replace("valid = 1", "valid = 0"))
    with pytest.raises(
        InputError, match=r"v\.lta: is from voxels to voxels and lacks the geometry"
    ):
        read_lta(tmp_path / "v.lta", fixed, moving)


def test_arrays_that_cannot_be_used_are_refused_in_one_line(grids, start, tmp_path):
    fixed, moving = grids
    write_lta(start, moving, fixed, tmp_path / "back.lta")
    with pytest.raises(InputError, match=r"back\.lta: goes from the fixed image to the moving one"):
        read_lta(tmp_path / "back.lta", fixed, moving)
    write_lta(start, fixed, moving, tmp_path / "m.lta")
    text = (tmp_path / "m.lta").read_text()
    for old, new, message in (
        ("type      = 1", "type      = 14", "has type 14 and 1 transform"),
        ("nxforms   = 1", "nxforms   = 2", "has type 1 and 2 transform"),
        ("1 4 4\n", "1 4 4\n x ", "is no linear transform array of FreeSurfer"),
    ):
        (tmp_path / "m.lta").write_text(text.replace(old, new))
        with pytest.raises(InputError, match=rf"m\.lta: {message}"):
            read_lta(tmp_path / "m.lta", fixed, moving)
    (tmp_path / "flat.mat").write_text("0 0 0 0\n" * 3 + "0 0 0 1\n")
    with pytest.raises(InputError, match=r"flat\.mat: flattens space"):
        read_fsl(tmp_path / "flat.mat", fixed, moving)
    (tmp_path / "last.mat").write_text("1 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 2\n")
    with pytest.raises(InputError, match=r"last\.mat: its last row is not 0 0 0 1"):
        read_fsl(tmp_path / "last.mat", fixed, moving)
    (tmp_path / "rows.mat").write_text("1 0 0\n" * 3)
    assert read_fsl(tmp_path / "rows.mat", fixed, moving) is None
