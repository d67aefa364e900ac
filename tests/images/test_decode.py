import numpy as np
import pytest
from PIL import Image

from bundle.errors import InputError
from bundle.images.decode import decode

RAMP = np.arange(6, dtype=np.uint8).reshape(2, 3) * 50


def test_plain_pictures_stay_as_they_are():
    for mode in ("L", "RGB"):
        picture = Image.new(mode, (4, 3), 7)
        np.testing.assert_array_equal(np.asarray(decode(picture)), np.asarray(picture))


def test_palette_becomes_its_colours():
    picture = Image.fromarray(RAMP // 50, "P")
    picture.putpalette([value for k in range(6) for value in (10 * k, 0, 255 - k)])
    decoded = decode(picture)
    assert decoded.mode == "RGB"
    assert decoded.getpixel((2, 1)) == (50, 0, 250)


def test_sixteen_bit_grey_keeps_its_depth():
    deep = np.array([[0, 257, 65535], [1, 300, 32768]], dtype=np.uint16)
    decoded = np.asarray(decode(Image.fromarray(deep)))
    np.testing.assert_allclose(decoded, deep / 257.0, atol=1e-4)


def test_twelve_bits_of_a_scanner_in_sixteen_are_not_nearly_black():
    deep = np.array([[0, 819, 4095], [1638, 2457, 3276]], dtype=np.uint16)
    decoded = np.asarray(decode(Image.fromarray(deep)))
    np.testing.assert_allclose(decoded, [[0, 51, 255], [102, 153, 204]], atol=1e-3)


@pytest.mark.parametrize(
    ("kind", "full"), [(np.uint16, 4095), (np.float32, 1.0), (np.float32, 255.0)]
)
def test_a_value_just_above_the_scale_is_white(kind, full):
    values = np.array([[0, 0.2 * full, 1.02 * full]]).astype(kind)
    decoded = np.asarray(decode(Image.fromarray(values)))
    np.testing.assert_allclose(decoded, [[0, 51, 255]], atol=0.1)


@pytest.mark.parametrize("kind", [np.int32, np.float32])
def test_hounsfield_units_in_a_picture_are_refused(kind):
    values = np.array([[-1000, 40], [0, 500]], dtype=kind)
    with pytest.raises(InputError, match="holds negative values; window it"):
        decode(Image.fromarray(values))


@pytest.mark.parametrize("peak", [1.0, 255.0, 4095.0, 65535.0])
def test_float_grey_is_scaled_by_its_kind_of_range(peak):
    values = np.linspace(0, peak, 6, dtype=np.float32).reshape(2, 3)
    decoded = np.asarray(decode(Image.fromarray(values)))
    np.testing.assert_allclose(decoded, [[0, 51, 102], [153, 204, 255]], atol=1e-3)


@pytest.mark.parametrize("values", [[0, 1000, 65535], [0, 1000, 4095]])
def test_a_deep_tiff_that_counts_from_white_is_turned(values, tmp_path):
    Image.fromarray(np.array([values], np.uint16)).save(tmp_path / "w.tif", tiffinfo={262: 0})
    with Image.open(tmp_path / "w.tif") as picture:
        decoded = np.asarray(decode(picture))
    np.testing.assert_allclose(decoded[0], 255 - 255 * np.array(values) / values[-1], atol=1e-3)


@pytest.mark.parametrize(("mode", "white"), [("L", 255), ("RGB", (255, 255, 255))])
def test_a_colour_that_stands_for_transparency_is_black(mode, white, tmp_path):
    picture = Image.new(mode, (4, 3), white)
    picture.putpixel((1, 1), 90 if mode == "L" else (90, 80, 70))
    picture.save(tmp_path / "t.png", transparency=white)
    with Image.open(tmp_path / "t.png") as read:
        decoded = decode(read)
    assert decoded.mode == mode
    assert decoded.getpixel((0, 0)) == (0 if mode == "L" else (0, 0, 0))
    assert decoded.getpixel((1, 1)) == (90 if mode == "L" else (90, 80, 70))


def test_transparent_pixels_are_black():
    rgba = np.full((2, 2, 4), 200, dtype=np.uint8)
    rgba[..., 3] = [[255, 0], [0, 255]]
    decoded = np.asarray(decode(Image.fromarray(rgba)))
    np.testing.assert_array_equal(decoded[..., 0], [[200, 0], [0, 200]])


def test_grey_with_transparency_is_grey():
    la = np.array([[[90, 255], [90, 0]]], dtype=np.uint8)
    decoded = decode(Image.fromarray(la))
    assert decoded.mode == "L"
    assert np.asarray(decoded).tolist() == [[90, 0]]


def test_bilevel_uses_the_whole_range():
    assert np.asarray(decode(Image.fromarray(RAMP > 100))).max() == 255


def test_exif_orientation_is_applied():
    picture = Image.fromarray(RAMP)
    picture.getexif()[0x0112] = 6  # the camera was turned by 90 degrees
    assert decode(picture).size == (2, 3)
