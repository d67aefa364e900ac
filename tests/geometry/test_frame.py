"""The frame around the head in which the network sees slices."""

import torch

from bundle.geometry.frame import cut, head_frame, put_back


def test_the_frame_follows_the_head_and_not_the_field_of_view():
    head = torch.zeros(100, 90, 2, dtype=torch.bool)
    head[30:70, 20:50, 1] = True
    box = head_frame(head, (4.0, 4.0))
    assert box == (24, 10, 51, 51)  # 160 mm * 256 / 200 = 205 mm, around (50, 35)
    image = torch.rand(1, 2, 100, 90)
    part = cut(image, box)
    torch.testing.assert_close(part, image[..., 24:75, 10:61])
    back = put_back(part, box, (100, 90))
    torch.testing.assert_close(back[..., 24:75, 10:61], part)
    torch.testing.assert_close(back[..., 0, 0], part[..., 0, 0])
    wide = cut(image, (-10, 50, 120, 60))
    assert wide.shape[-2:] == (120, 60) and (wide[..., :10, :] == 0).all()
    torch.testing.assert_close(
        put_back(wide, (-10, 50, 120, 60), (100, 90))[..., 50:], image[..., 50:]
    )
