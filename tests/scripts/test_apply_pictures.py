"""Applying a picture's field to other pictures."""

import re

import numpy as np
import pytest
import torch
from PIL import Image

from bundle.geometry.fields import picture_grid, to_itk, write_field
from scripts.apply import main


@pytest.fixture
def pictures(tmp_path):
    """A picture in colours, labels in 16 bits, and a field that finds them 3 px to the right."""
    labels = np.zeros((40, 48), np.uint16)
    labels[10:20, 12:30] = 700
    Image.fromarray(labels).save(tmp_path / "labels.png", dpi=(300, 300))
    color = np.random.default_rng(0).integers(0, 255, (40, 48, 3), np.uint8)
    Image.fromarray(color).save(tmp_path / "color.png")
    ddf = torch.zeros(2, 40, 48)
    ddf[1] = 3
    write_field(to_itk(ddf, picture_grid(40, 48)), tmp_path / "ddf.nii.gz")
    return tmp_path, labels, color


def apply_picture(folder, moving, *more):
    names = {"transform": "ddf.nii.gz", "moving": moving, "reference": "color.png"}
    words = [word for name, file in names.items() for word in (f"--{name}", str(folder / file))]
    main([*words, "--output", str(folder / "out.png"), *more])
    return np.asarray(Image.open(folder / "out.png"))


def test_a_picture_s_field_moves_pictures_and_labels(pictures):
    folder, labels, color = pictures
    moved = apply_picture(folder, "color.png")
    np.testing.assert_array_equal(moved[:, :-3], color[:, 3:])
    assert not moved[:, -3:].any() and moved.dtype == np.uint8
    moved = apply_picture(folder, "labels.png", "--interpolation", "nearest", "--overwrite")
    np.testing.assert_array_equal(moved[:, :-3], labels[:, 3:])


def test_of_pictures_kind_name_and_direction_are_told_in_one_line(pictures):
    folder, _, _ = pictures
    for words, told in (
        (["--inverse"], "of pictures there is no inverse"),
        (["--output", str(folder / "out.nii.gz")], "is written as a picture; name it .png"),
        (["--reference", str(folder / "ddf.nii.gz")], "a picture and a volume"),
    ):
        with pytest.raises(SystemExit, match=re.escape(told)):
            apply_picture(folder, "color.png", *words)


def test_labels_that_would_be_mixed_are_refused_where_warnings_are(pictures):
    folder, _, _ = pictures
    with pytest.raises(SystemExit, match="labels.png: looks like a label map"):
        apply_picture(folder, "labels.png", "--strict")
    assert not (folder / "out.png").exists()
