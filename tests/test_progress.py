"""The stages of a pair are told in their order, with what is over and what is to be expected."""

from __future__ import annotations

import pytest

from bundle import api, register_and_fuse
from bundle.progress import SILENT, Progress, Stage, expected_seconds
from tests.inference.images import smooth, write_grey, write_volume
from tests.inference.stubs import KnownField


@pytest.fixture
def steps(monkeypatch):
    """What is told; the known network instead of the shipped one."""
    monkeypatch.setattr(api, "load_network", lambda *_: KnownField())
    return []


def volumes(folder):
    for k, name in enumerate("fm"):
        yield write_volume(folder / f"{name}.nii.gz", smooth((24, 48, 40), k))


@pytest.mark.parametrize("refine", ["none", "bspline"])
def test_a_volume_goes_through_all_stages(refine, steps, tmp_path):
    asked = {"init": "none", "refine": refine}
    result = register_and_fuse(*volumes(tmp_path), progress=steps.append, **asked)
    stages = [stage for stage in Stage if stage != Stage.REFINE or refine == "bspline"]
    assert [one.stage for one in steps] == stages[: stages.index(Stage.FILES)]
    result.save(tmp_path / "out")
    assert [one.stage for one in steps] == stages
    assert (steps[0].share, steps[0].expected) == (0.0, None)  # nothing is read yet
    assert len({one.expected for one in steps[1:]}) == 1 and steps[1].expected > 0
    shares = [one.share for one in steps]
    assert shares == sorted(shares) and shares[1] < 0.2 and 0.5 < shares[-1] < 1


def test_a_picture_is_expected_to_take_no_time(steps, tmp_path):
    pair = [write_grey(tmp_path / f"{name}.png", seed=k) for k, name in enumerate("fm")]
    register_and_fuse(*pair, progress=steps.append).save(tmp_path / "out")
    names = ["reading", "network", "fusion", "files", "page"]
    assert [str(one.stage) for one in steps] == names
    assert all(one.expected is None and one.share == 0 for one in steps)


def test_the_share_is_what_the_stages_before_take():
    steps = []
    progress = Progress(steps.append)
    progress.expect({Stage.START: 1.0, Stage.NETWORK: 2.0, Stage.FUSE: 5.0})
    for stage in (Stage.START, Stage.NETWORK, Stage.FUSE, Stage.PAGE):
        progress(stage)
    assert [one.share for one in steps] == [0.0, 1 / 8, 3 / 8, 1.0]
    assert {one.expected for one in steps} == {8.0}
    SILENT(Stage.READ)


def test_more_voxels_take_longer_and_more_threads_less():
    def whole(size, spacing, threads):
        return sum(expected_seconds(size, size, [n * spacing for n in size], threads).values())

    small, large = (256, 256, 258), (512, 512, 300)
    refined = expected_seconds(small, small, small, 1, refined=True)
    assert sum(refined.values()) > whole(small, 1.0, 1) + 30  # docs/volumes.md: a minute more
    assert whole(small, 1.0, 1) > whole(small, 1.0, 2)
    assert whole(large, 0.5, 2) > whole(small, 1.0, 2) > whole((128, 128, 129), 2.0, 2)
