import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from bundle.errors import InputError
from bundle.images.pictures import read_picture, write_picture


@pytest.mark.parametrize("suffix", [".png", ".tif", ".TIFF"])
@pytest.mark.parametrize("channels", [1, 3])
def test_written_picture_is_read_back(suffix, channels, tmp_path):
    image = torch.randint(0, 256, (channels, 33, 47)).float()
    write_picture(image, tmp_path / f"p{suffix}")
    assert torch.equal(read_picture(tmp_path / f"p{suffix}"), image)


def test_writing_rounds_and_clips(tmp_path):
    write_picture(torch.tensor([[[-3.0, 1.5, 1.4, 254.6, 300.0]]]), tmp_path / "p.png")
    assert read_picture(tmp_path / "p.png").flatten().tolist() == [0, 2, 1, 255, 255]


def test_sixteen_bit_tiff(tmp_path):
    deep = 30 * np.arange(2000, dtype=np.uint16).reshape(40, 50)
    Image.fromarray(deep).save(tmp_path / "p.tif")
    np.testing.assert_allclose(read_picture(tmp_path / "p.tif")[0], deep / 257, atol=1e-4)


def test_jpeg_has_rows_before_columns(tmp_path):
    grey = np.zeros((40, 64), dtype=np.uint8)
    grey[:8] = 255
    Image.fromarray(grey).save(tmp_path / "p.jpg", quality=95)
    image = read_picture(tmp_path / "p.jpg")
    assert image.shape == (1, 40, 64)
    assert image[0, :8].mean() > 240
    assert image[0, 8:].mean() < 10


def test_palette_gives_colours_not_indices(tmp_path):
    picture = Image.new("P", (40, 40), 3)
    picture.putpalette([0] * 9 + [10, 200, 30])
    picture.save(tmp_path / "p.png")
    assert read_picture(tmp_path / "p.png")[:, 5, 5].tolist() == [10, 200, 30]


def broken(tmp_path, kind):
    path = tmp_path / f"{kind}.png"
    if kind == "text":
        path.write_text("not a picture")
    elif kind == "empty":
        path.touch()
    elif kind == "truncated":
        Image.effect_noise((64, 64), 50).save(path)
        path.write_bytes(path.read_bytes()[:500])
    elif kind == "folder":
        path.mkdir()
    return path


@pytest.mark.parametrize("kind", ["text", "empty", "truncated", "folder", "missing"])
def test_unreadable_file_is_named(kind, tmp_path):
    path = broken(tmp_path, kind)
    with pytest.raises(InputError, match=path.name):
        read_picture(path)


def test_stack_is_refused(tmp_path):
    pages = [Image.new("L", (40, 40), k) for k in range(3)]
    pages[0].save(tmp_path / "stack.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(InputError, match=r"stack\.tif: holds 3 pictures"):
        read_picture(tmp_path / "stack.tif")


@pytest.mark.parametrize(
    ("width", "height", "said"),
    [
        (20000, 10000, r"has too many pixels \(.*200000000"),
        (3000, 40, "is 3000 x 40 pixels in plane"),
    ],
)
def test_a_picture_that_is_too_large_is_told_before_it_is_decoded(width, height, said, tmp_path):
    path = tmp_path / "large.png"
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)), (b"IDAT", b"")]
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
            for name, data in chunks
        )
    )
    with pytest.raises(InputError, match=rf"large\.png: {said}.*32 to 2048"):
        read_picture(path)
