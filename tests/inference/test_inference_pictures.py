import numpy as np
import pytest
import SimpleITK as sitk
import torch
from PIL import Image

from bundle.images.color import luma
from bundle.images.pictures import read_picture
from tests.inference.images import smooth, write_color, write_grey
from tests.inference.stubs import known_field

RESULTS = ["ddf.nii.gz", "fused.png", "report.html", "warped.png"]


def resample(moving, field_path):
    """Apply the written field in SimpleITK, channel by channel: (C, H, W)."""
    field = sitk.ReadImage(str(field_path), sitk.sitkVectorFloat64)
    transform = sitk.DisplacementFieldTransform(field)
    channels = [sitk.GetImageFromArray(channel.double().numpy()) for channel in moving]
    return torch.stack(
        [
            torch.from_numpy(
                sitk.GetArrayFromImage(sitk.Resample(c, c, transform, sitk.sitkLinear, 0.0))
            )
            for c in channels
        ]
    )


@pytest.mark.parametrize("write_moving", [write_grey, write_color])
@pytest.mark.parametrize("size", [(170, 200), (60, 44), (420, 390)])
def test_results_of_a_pair(write_moving, size, infer, tmp_path):
    write_grey(tmp_path / "f.png", *size, seed=1)
    write_moving(tmp_path / "m.png", *size, seed=2)
    out = infer({"id": "a", "fixed": "f.png", "moving": "m.png"}) / "a"
    assert sorted(path.name for path in out.iterdir()) == RESULTS

    fixed, moving = read_picture(tmp_path / "f.png"), read_picture(tmp_path / "m.png")
    warped, fused = read_picture(out / "warped.png"), read_picture(out / "fused.png")
    assert warped.shape == fused.shape == moving.shape
    assert Image.open(out / "fused.png").mode == ("L" if len(moving) == 1 else "RGB")

    assert (resample(moving, out / "ddf.nii.gz") - warped).abs().max() < 0.51
    vectors = sitk.GetArrayFromImage(sitk.ReadImage(str(out / "ddf.nii.gz")))
    truth = known_field(*size)[0]
    error = np.abs(vectors[..., ::-1] - truth.movedim(0, -1).numpy())
    assert error[3:-3, 3:-3].max() < 0.03

    # the stub fuses by the maximum; at the rim it fades to 0 instead of ending
    inside = (slice(None), slice(15, -15), slice(15, -15))
    expected = torch.maximum(luma(fixed), luma(warped))[inside]
    assert (luma(fused)[inside] - expected).abs().max() < 1.6


def test_colours_of_the_fused_picture_are_those_of_the_warped_one(infer, tmp_path):
    dark = Image.new("L", (64, 64))
    dark.putpixel((3, 3), 1)  # else the fixed picture would be constant
    dark.save(tmp_path / "f.png")
    write_color(tmp_path / "m.png", 64, 64)
    out = infer({"id": "a", "fixed": "f.png", "moving": "m.png"}) / "a"
    fused, warped = read_picture(out / "fused.png"), read_picture(out / "warped.png")
    assert (fused - warped)[:, 10:-10, 10:-10].abs().max() <= 2


def test_colour_of_the_fixed_picture_counts_by_its_luminance(infer, tmp_path):
    write_color(tmp_path / "color.png", seed=1)
    grey = luma(read_picture(tmp_path / "color.png")).round()[0].byte().numpy()
    Image.fromarray(grey).save(tmp_path / "grey.png")
    write_grey(tmp_path / "m.png", seed=5)
    out = infer(
        {"id": "color", "fixed": "color.png", "moving": "m.png"},
        {"id": "grey", "fixed": "grey.png", "moving": "m.png"},
    )
    fused = [read_picture(out / name / "fused.png") for name in ("color", "grey")]
    assert fused[0].shape == fused[1].shape == (1, 60, 44)
    assert (fused[0] - fused[1]).abs().max() <= 1


def test_kinds_of_file_may_be_mixed(infer, tmp_path):
    deep = (65535 * smooth((60, 44), 1)).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "f.tif")
    palette = Image.open(write_color(tmp_path / "m.png", seed=2)).convert("P", palette=1)
    palette.save(tmp_path / "m.png")
    Image.open(write_color(tmp_path / "rgba.png", seed=3)).convert("RGBA").save(
        tmp_path / "rgba.png"
    )
    Image.open(write_grey(tmp_path / "g.png", seed=4)).save(tmp_path / "g.JPG")
    out = infer(
        {"id": "palette", "fixed": "f.tif", "moving": "m.png", "modality": "PET"},
        {"id": "rgba", "fixed": "g.JPG", "moving": "rgba.png", "modality": "SPECT"},
        {"id": "tiff", "fixed": "g.JPG", "moving": "f.tif", "modality": "CT"},
    )
    modes = {path.parent.name: Image.open(path).mode for path in out.glob("*/fused.png")}
    assert modes == {"palette": "RGB", "rgba": "RGB", "tiff": "L"}


def test_smallest_picture(infer, tmp_path):
    write_grey(tmp_path / "f.png", 32, 32)
    write_grey(tmp_path / "m.png", 32, 32, seed=1)
    out = infer({"id": "a", "fixed": "f.png", "moving": "m.png"})
    assert read_picture(out / "a" / "fused.png").shape == (1, 32, 32)
