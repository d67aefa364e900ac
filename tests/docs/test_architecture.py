"""The figure of the network names what the code has."""

from __future__ import annotations

import inspect
import re
from itertools import accumulate
from operator import mul
from pathlib import Path

from bundle.networks import BiMSRec
from bundle.networks.patch_embedding import SCALE_STRIDES

ROOT = Path(__file__).resolve().parents[2]
FIGURE = (ROOT / "docs" / "images" / "architecture.svg").read_text(encoding="utf-8")
SOURCE = "".join(p.read_text(encoding="utf-8") for p in (ROOT / "bundle/networks").glob("*.py"))


def test_every_bold_name_is_a_class():
    names = set(re.findall(r'class="code">(\w+)<', FIGURE))
    assert len(names) == 7
    assert all(f"class {name}(" in SOURCE for name in names | {"M2FReg", "FieldHead", "PFRecon"})


def test_strides_and_channels_are_those_of_the_network():
    drawn = re.findall(r">scale (\d): (\d+) px, (\d+) channels<", FIGURE)
    channels = inspect.signature(BiMSRec).parameters["channels"].default
    strides = accumulate(SCALE_STRIDES, mul, initial=BiMSRec().pool)
    scales = zip(range(1, 6), list(strides)[1:], channels, strict=True)
    assert drawn == [tuple(map(str, scale)) for scale in scales]
    assert inspect.signature(BiMSRec).parameters["refinements"].default == 3
    assert ">three rounds<" in FIGURE
