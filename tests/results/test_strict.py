"""With ``strict`` a result that is warned of is refused, and nothing of it is written."""

from __future__ import annotations

import numpy as np
import pytest

from bundle import InputError, api, register_and_fuse
from bundle.options import options_of
from bundle.results import write
from tests.inference.stubs import KnownField


@pytest.fixture
def strangers(monkeypatch):
    """Two pictures that have nothing in common, registered."""
    monkeypatch.setattr(api, "load_network", lambda *_: KnownField())
    rng = np.random.default_rng(0)
    return [rng.integers(30, 255, (64, 64)).astype(np.uint8) for _ in range(2)]


def test_python_refuses(strangers):
    result = register_and_fuse(*strangers)
    assert "little_information" in [one.code for one in result.report.warnings]
    with pytest.raises(InputError, match="^result: .*share little information.* leave out strict$"):
        register_and_fuse(*strangers, strict=True)


def test_nothing_is_written(strangers, tmp_path):
    result = register_and_fuse(*strangers)
    with pytest.raises(InputError, match="leave out strict"):
        write(result.pair, tmp_path / "out", options_of(strict=True))
    assert not (tmp_path / "out").exists()
    write(result.pair, tmp_path / "out", options_of())
    assert (tmp_path / "out" / "fused.png").is_file()
