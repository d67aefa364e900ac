"""What a page holds."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
from PIL import Image


def pictures_of(page: str) -> list[tuple[str, np.ndarray]]:
    """Names and pictures of a page, in their order."""
    found = re.findall(r'src="data:image/png;base64,([^"]+)" alt="([^"]*)"', page)
    return [(name, np.asarray(Image.open(io.BytesIO(base64.b64decode(c))))) for c, name in found]
