"""NRRD and MetaImage: what ITK writes is read as ITK reads it; what it would guess is asked for."""

from __future__ import annotations

import bz2
import gzip

import numpy as np
import pytest
import SimpleITK as sitk

from bundle.errors import InputError
from bundle.images.volumes import read_volume
from tests.images.oblique_head import AFFINE, T1, TO_LPS, codes, require_right

STEPS = np.linalg.norm(AFFINE[:3, :3], axis=0)
RAW = T1.tobytes(order="F")


def itk():
    lps = TO_LPS @ AFFINE
    image = sitk.GetImageFromArray(np.ascontiguousarray(T1.T))
    image.SetSpacing(STEPS.tolist())
    image.SetOrigin(lps[:3, 3].tolist())
    image.SetDirection((lps[:3, :3] / STEPS).ravel().tolist())
    return image


def vectors(columns):
    return " ".join("(" + ",".join(f"{v:.12g}" for v in column) + ")" for column in columns)


def nrrd(path, values=RAW, encoding="raw", space="left-posterior-superior", more=(), **fields):
    """Write an NRRD header for the phantom, with what follows it."""
    lps = TO_LPS @ AFFINE
    said = {
        "type": "int16",
        "dimension": "3",
        "space": space,
        "sizes": " ".join(map(str, T1.shape)),
        "space directions": vectors(lps[:3, :3].T),
        "space origin": vectors([lps[:3, 3]]),
        "endian": "little",
        "encoding": encoding,
        **{key.replace("_", " "): value for key, value in fields.items()},
    }
    lines = ["NRRD0005", *(f"{key}: {value}" for key, value in said.items() if value), *more]
    path.write_bytes("\n".join(lines).encode() + b"\n\n" + values)
    return path


def metaimage(path, values=RAW, **fields):
    """Write a MetaImage header for the phantom, with what follows it."""
    lps = TO_LPS @ AFFINE
    said = {
        "NDims": "3",
        "DimSize": " ".join(map(str, T1.shape)),
        "ElementType": "MET_SHORT",
        "ElementSpacing": " ".join(f"{v:.12g}" for v in STEPS),
        "Offset": " ".join(f"{v:.12g}" for v in lps[:3, 3]),
        "TransformMatrix": " ".join(f"{v:.12g}" for v in (lps[:3, :3] / STEPS).T.ravel()),
        "BinaryData": "True",
        **fields,
        "ElementDataFile": fields.get("ElementDataFile", "LOCAL"),
    }
    lines = [f"{key} = {value}" for key, value in said.items() if value]
    path.write_bytes("\n".join(lines).encode() + b"\n" + values)
    return path


def refused(path, message, **options):
    with pytest.raises(InputError, match=rf"{path.name}: .*{message}") as raised:
        read_volume(path, **options)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("suffix", [".nrrd", ".mha", ".mhd"])
def test_what_itk_writes_is_read_without_a_word(suffix, packed, tmp_path):
    path = tmp_path / f"head{suffix}"
    sitk.WriteImage(itk(), str(path), packed)
    volume = read_volume(path)
    require_right(volume)
    assert volume.remarks == ()


SWAPPED = T1.astype(">i2").tobytes(order="F")
TEXT = " ".join(map(str, T1.ravel(order="F"))).encode()
PACKED = {"gzip": gzip.compress(RAW, 1), "bzip2": bz2.compress(RAW, 1), "text": TEXT,
          "hex": RAW.hex().encode()}  # fmt: skip


@pytest.mark.parametrize("encoding", PACKED)
def test_numbers_of_every_encoding_are_the_same(encoding, tmp_path):
    require_right(read_volume(nrrd(tmp_path / "a.nrrd", PACKED[encoding], encoding)))


def test_bytes_in_the_other_order(tmp_path):
    require_right(read_volume(nrrd(tmp_path / "a.nrrd", SWAPPED, endian="big")))
    path = metaimage(tmp_path / "a.mha", SWAPPED, BinaryDataByteOrderMSB="True")
    require_right(read_volume(path))
    require_right(read_volume(metaimage(tmp_path / "t.mha", TEXT, BinaryData="False")))


@pytest.mark.parametrize(
    ("space", "signs"), [("right-anterior-superior", (-1, -1, 1)), ("LAS", (1, -1, 1))]
)
def test_the_space_of_an_nrrd_counts(space, signs, tmp_path):
    lps = np.diag([*signs, 1]) @ TO_LPS @ AFFINE
    placed = {"space_directions": vectors(lps[:3, :3].T), "space_origin": vectors([lps[:3, 3]])}
    volume = read_volume(nrrd(tmp_path / "a.nrrd", space=space, **placed))
    require_right(volume)
    assert volume.remarks == ()


def test_a_space_that_is_no_anatomical_one_is_warned_of(tmp_path):
    assert codes(read_volume(nrrd(tmp_path / "a.nrrd", space="scanner-xyz"))) == [
        "orientation_missing"
    ]


def test_a_place_that_is_missing_is_warned_of(tmp_path):
    nowhere = (nrrd(tmp_path / "a.nrrd", space_origin=""), metaimage(tmp_path / "a.mha", Offset=""))
    for path in nowhere:
        volume = read_volume(path)
        assert codes(volume) == ["position_missing"] and volume.remarks[0].warning
        assert volume.image.GetOrigin() == (0, 0, 0)


def test_data_that_lie_beside_the_header(tmp_path):
    (tmp_path / "a.raw").write_bytes(b"one\ntwo\n" + RAW)
    beside = {"values": b"", "more": ["data file: a.raw"]}
    require_right(read_volume(nrrd(tmp_path / "a.nrrd", **beside, byte_skip="-1")))
    require_right(read_volume(nrrd(tmp_path / "a.nrrd", **beside, line_skip="1", byte_skip="4")))
    for skipped in ("-1", "8"):
        said = {"HeaderSize": skipped, "ElementDataFile": "a.raw"}
        require_right(read_volume(metaimage(tmp_path / "a.mhd", b"", **said)))
    path = nrrd(tmp_path / "a.nrrd", **beside)
    with pytest.raises(InputError, match=r"a\.raw: holds more data than its header says"):
        read_volume(path)


@pytest.mark.parametrize("frames", ["first", "last"])
def test_an_axis_of_frames_is_told_from_those_of_space(frames, tmp_path):
    both = np.stack([T1, 2 * T1], 0 if frames == "first" else 3)
    axes = vectors((TO_LPS @ AFFINE)[:3, :3].T)
    said = {
        "dimension": "4",
        "sizes": " ".join(map(str, both.shape)),
        "space_directions": f"none {axes}" if frames == "first" else f"{axes} none",
        "kinds": "list domain domain domain" if frames == "first" else "space space space time",
    }
    path = nrrd(tmp_path / "a.nrrd", both.tobytes(order="F"), **said)
    refused(path, "is 4D with 2 frames")
    require_right(read_volume(path, frame=1), values=2 * T1)
    said["kinds"] = said["kinds"].replace("list", "vector").replace("time", "RGB-color")
    path = nrrd(tmp_path / "a.nrrd", both.tobytes(order="F"), **said)
    refused(path, "holds several values per voxel")


def test_lengths_of_a_metaimage_have_units(tmp_path):
    lps = TO_LPS @ AFFINE
    said = {
        "ElementSpacing": " ".join(f"{v / 10:.12g}" for v in STEPS),
        "Offset": " ".join(f"{v / 10:.12g}" for v in lps[:3, 3]),
        "DistanceUnits": "cm",
    }
    require_right(read_volume(metaimage(tmp_path / "a.mha", **said)))
    refused(metaimage(tmp_path / "a.mha", DistanceUnits="inch"), "units of length are inch; save")


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"sizes": "80 96"}, "lacks a usable 'sizes'"),
        ({"sizes": "80 96 -40"}, "lacks a usable 'sizes'"),
        ({"sizes": "80 96 39"}, "holds more data than its header says"),
        ({"sizes": "80 96 41"}, "is damaged or cut short"),
        ({"sizes": "80 96 999999999"}, "has 80 x 96 x 999999999 voxels"),
        ({"dimension": "99999999"}, "has 99999999 axes"),
        ({"type": "block"}, "lacks a usable 'type'"),
        ({"endian": ""}, "lacks a usable 'endian'"),
        ({"encoding": "zrl"}, "lacks a usable 'encoding'"),
        ({"encoding": "gzip"}, "is damaged or cut short"),
        ({"space_directions": "(1,0,0) (0,nan,0) (0,0,1)"}, "lacks a usable 'space directions'"),
        ({"space_directions": "(2,0,0) (0,0,0) (0,0,4)"}, "lacks a usable 'space directions'"),
        ({"byte_skip": "99999"}, "is damaged or cut short"),
        ({"byte_skip": "9" * 30}, "is damaged or cut short"),
        ({"more": [f"data file: {'a' * 5000}"]}, "but there is no such file"),
        ({"more": ["data file: nowhere.raw"]}, r"nowhere\.raw, but there is no such file"),
        ({"more": ["data file: /dev/zero"]}, "/dev/zero, but there is no such file"),
        ({"more": ["data file: s%03d.raw 1 40 1"]}, "its data lie in several files"),
        ({"more": ["sizes: 80 96 40"]}, "says two things of 'sizes'"),
    ],
)
def test_an_nrrd_that_makes_no_sense_is_refused(said, message, tmp_path):
    refused(nrrd(tmp_path / "a.nrrd", **said), message)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"NDims": "99999999"}, "has 99999999 axes"),
        ({"DimSize": "80 96 39"}, "holds more data than its header says"),
        ({"DimSize": "80 96 41"}, "is damaged or cut short"),
        ({"ElementType": "MET_STRING"}, "holds elements of type MET_STRING"),
        ({"ElementNumberOfChannels": "3"}, "holds several values per voxel"),
        ({"ElementSpacing": "2 2"}, "lacks a usable 'ElementSpacing'|'elementspacing'"),
        ({"ElementSpacing": "2 2 0"}, "has voxels of 2 x 2 x 0; correct it"),
        ({"TransformMatrix": "2 0 0 0 2 0 0 0 2"}, "not perpendicular or not of length 1"),
        ({"CompressedData": "True"}, "is damaged or cut short"),
        ({"CompressedData": "perhaps"}, "lacks a usable 'compresseddata'"),
        ({"Rotation": "1 0 0 0 1 0 0 0 1"}, "says two things of 'transformmatrix'"),
        ({"ElementDataFile": "LIST"}, "its data lie in several files"),
        ({"ElementDataFile": "/dev/zero"}, "/dev/zero, but there is no such file"),
    ],
)
def test_a_metaimage_that_makes_no_sense_is_refused(said, message, tmp_path):
    refused(metaimage(tmp_path / "a.mha", **said), message)
