"""The recipe of the weights: what its stages are made of, and when one is done."""

from __future__ import annotations

import datetime
import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bundle.errors import InputError
from bundle.paths import ROOT
from bundle.training import recipe
from bundle.training.recipe import progress

LENGTH = {"max_epochs": 60, "epoch_pairs": 4000, "batch_size": 8, "slices_per_head": 24}
ON_DEVICE = ROOT / "configs" / "on_device.json"


def folder_of(path: Path, **stages) -> Path:
    """A recipe of these stages."""
    path.mkdir()
    for name, content in stages.items():
        text = content if isinstance(content, str) else json.dumps(content)
        (path / f"{name}.json").write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("scale", "epochs", "pairs", "slices", "cached"),
    [
        (1, 60, 4000, 24, 1.0),
        (2, 120, 4000, 24, 1.0),
        (0.1, 6, 4000, 24, 1.0),
        (0.05, 3, 4000, 12, 0.0),  # 12 000 pairs are not worth keeping
        (0.01, 1, 2400, 6, 0.0),
        (1e-6, 1, 16, 6, 0.0),  # two batches
    ],
)
def test_the_scale_counts_pairs(scale, epochs, pairs, slices, cached):
    assert recipe.scaled(LENGTH, scale) == {
        "max_epochs": epochs,
        "epoch_pairs": pairs,
        "slices_per_head": slices,
        "cache_rate": cached,
    }


def test_the_shipped_stages():
    found = recipe.stages(None)
    assert [stage.name for stage in found] == ["registration", "fusion", "joint"]
    assert [stage.settings["max_epochs"] for stage in found] == [30, 9, 4]
    assert all(stage.settings["epoch_pairs"] == 4000 for stage in found)
    assert not any(set(stage.settings) & set(recipe.SOURCES) for stage in found)


def test_an_epoch_fills_the_batches_of_a_gpu():
    on_cpu, on_gpu = (
        recipe.stages(None, 1e-6)[0],
        recipe.stages(None, 1e-6, overlays=[ON_DEVICE])[0],
    )
    batch = json.loads(ON_DEVICE.read_text(encoding="utf-8"))["batch_size"]
    assert (on_cpu.settings["epoch_pairs"], on_gpu.settings["epoch_pairs"]) == (16, 2 * batch)


def test_sources(tmp_path):
    for name in ("stacks", "palettes"):
        (tmp_path / name).mkdir()
    expected = {"stacks_dir": str(tmp_path / "stacks"), "palette_dir": str(tmp_path / "palettes")}
    assert recipe.sources_of(tmp_path) == expected
    assert recipe.stages(tmp_path)[2].settings.items() >= expected.items()
    (tmp_path / "PET-MRI").mkdir()
    assert recipe.sources_of(tmp_path) == expected | {"dataset_dir": str(tmp_path)}
    assert recipe.sources_of(None) == {}


def test_sources_do_not_depend_on_where_one_stands(tmp_path, monkeypatch):
    (tmp_path / "data" / "aanlib").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert recipe.sources_of(Path("data")) == {"dataset_dir": str(tmp_path / "data" / "aanlib")}


def test_the_fingerprint_knows_settings_data_and_weights_but_no_places(tmp_path):
    first, second, _ = recipe.stages(None)
    known = {"dataset_dir": "0" * 64}
    place = replace(first, settings={**first.settings, "dataset_dir": "/elsewhere"})
    longer = replace(first, settings={**first.settings, "max_epochs": 61})
    (tmp_path / "1_registration.json").write_bytes(first.config.read_bytes())
    copied = replace(first, config=tmp_path / "1_registration.json")
    prints = [
        first.fingerprint(None, known),
        first.fingerprint("1" * 64, known),
        first.fingerprint(None, {}),
        first.fingerprint(None, {"dataset_dir": "1" * 64}),
        first.fingerprint(None, known, [ON_DEVICE]),
        second.fingerprint(None, known),
        longer.fingerprint(None, known),
    ]
    assert len(set(prints)) == len(prints)
    assert place.fingerprint(None, known) == copied.fingerprint(None, known) == prints[0]
    copied.config.write_text('{"stage": "fusion"}', encoding="utf-8")
    assert copied.fingerprint(None, known) not in prints


def test_stages_are_named_by_their_files(tmp_path):
    own = folder_of(
        tmp_path / "own", **{"10_b_c": {"epoch_pairs": 8}, "09_a": {"epoch_pairs": 8}, "plain": {}}
    )
    (own / "plain.json").write_text('{"epoch_pairs": 8, "max_epochs": 2}', encoding="utf-8")
    found = recipe.stages(None, 1, own)
    assert [stage.name for stage in found] == ["a", "b_c", "plain"]
    assert [stage.settings["max_epochs"] for stage in found] == [100, 100, 2]


@pytest.mark.parametrize("scale", [0, -1, float("nan"), float("inf")])
def test_a_scale_that_is_none_is_one_line(scale):
    with pytest.raises(InputError, match=f"^--scale {scale}: give a number above 0$"):
        recipe.stages(None, scale)


def test_a_folder_without_data_is_one_line(tmp_path):
    with pytest.raises(InputError, match=r"nowhere: no such folder; name the one with aanlib"):
        recipe.stages(tmp_path / "nowhere")
    (tmp_path / "palettes").mkdir()
    with pytest.raises(InputError, match="holds none of aanlib, stacks, heads, palettes; check"):
        recipe.stages(tmp_path)


@pytest.mark.parametrize(
    ("stages", "line"),
    [
        ({}, "own: holds no stage; name a folder of configurations"),
        ({"1_a": '{"stage": '}, r"1_a.json: not JSON \(.*\); correct it"),
        ({"1_a": "[1]"}, "1_a.json: holds no ids and values; correct it"),
        ({"1_a": {}}, "1_a.json: epoch_pairs None: give a whole number, 1 or more"),
        (
            {"1_a": {"epoch_pairs": 8, "max_epochs": 0}},
            "1_a.json: max_epochs 0: give a whole number, 1 or more",
        ),
        (
            {"1_a": {"epoch_pairs": 8}, "2_a": {"epoch_pairs": 8}},
            "2_a.json: 1_a.json has the name a already",
        ),
    ],
)
def test_a_recipe_that_cannot_be_run_is_one_line(stages, line, tmp_path):
    with pytest.raises(InputError, match=f"{line}$") as raised:
        recipe.stages(None, 1, folder_of(tmp_path / "own", **stages))
    assert "\n" not in str(raised.value)


def test_bytes_that_are_no_text_are_one_line(tmp_path):
    (folder_of(tmp_path / "own") / "1_a.json").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="1_a.json: not JSON"):
        recipe.stages(None, 1, tmp_path / "own")


def test_the_command_of_a_stage(tmp_path):
    stage = recipe.stages(None)[1]
    words = recipe.command(stage, tmp_path, Path("/w/model.pt"), [ON_DEVICE], resume=True)
    assert words[:5] == ["-m", "monai.bundle", "run", "training", "--config_file"]
    assert words[5] == str([str(recipe.BASE), str(ON_DEVICE), str(stage.config)])
    given = dict(zip(words[6::2], words[7::2], strict=True))
    assert given["--ckpt_dir"] == str(tmp_path) and given["--resume"] == "true"
    assert given["--initial_weights"] == "/w/model.pt" and given["--max_epochs"] == "9"
    assert "--initial_weights" not in recipe.command(stage, tmp_path, None)


def trained(folder: Path, weights: bytes = b"weights", last: bytes = b"last") -> None:
    """What training leaves."""
    (folder / "model.pt").write_bytes(weights)
    (folder / "last.pt").write_bytes(last)


def test_a_stage_is_done_as_long_as_its_weights_are_what_they_were(tmp_path):
    assert not recipe.begin(tmp_path, "one")
    with pytest.raises(InputError, match="model.pt is gone; remove the folder"):
        recipe.mark_done(tmp_path, "one")
    trained(tmp_path)
    assert not recipe.is_done(tmp_path, "one")
    recipe.mark_done(tmp_path, "one", [ON_DEVICE])
    assert recipe.note_of(tmp_path) == {
        "fingerprint": "one",
        "sha256": hashlib.sha256(b"weights").hexdigest(),
        "overlays": ["on_device.json"],
    }
    assert recipe.is_done(tmp_path, "one") and not recipe.is_done(tmp_path, "two")
    (tmp_path / "model.pt").write_bytes(b"others")
    assert not recipe.is_done(tmp_path, "one")
    assert not recipe.begin(tmp_path, "one")  # nor is its last checkpoint trusted
    assert (tmp_path / "model.earlier.pt").read_bytes() == b"others"
    assert not (tmp_path / "last.pt").exists() and not (tmp_path / recipe.DONE).exists()


def test_half_a_note_is_none(tmp_path):
    trained(tmp_path)
    (tmp_path / recipe.DONE).write_text('{"fingerprint": "one"', encoding="utf-8")
    assert not recipe.is_done(tmp_path, "one")


def test_a_stage_goes_on_with_the_settings_that_it_was_begun_with_alone(tmp_path):
    recipe.begin(tmp_path, "one")
    trained(tmp_path)
    assert recipe.begin(tmp_path, "one")
    assert not recipe.begin(tmp_path, "two")
    assert (tmp_path / "last.earlier.pt").read_bytes() == b"last"
    assert (tmp_path / "model.earlier.pt").read_bytes() == b"weights"
    trained(tmp_path, b"second", b"second")
    assert recipe.begin(tmp_path, "two")
    recipe.mark_done(tmp_path, "two")
    assert not recipe.begin(tmp_path, "one")
    assert (tmp_path / "last.earlier2.pt").read_bytes() == b"second"
    assert not (tmp_path / recipe.DONE).exists()


def test_a_checkpoint_of_nobody_knows_what_is_not_gone_on_from(tmp_path):
    trained(tmp_path)
    assert not recipe.begin(tmp_path, "one")
    assert (tmp_path / "last.earlier.pt").is_file()


def test_a_second_run_is_kept_out_while_a_stage_lives(tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    words = [sys.executable, "-c", "input()"]
    with recipe.held(tmp_path) as descriptors:
        stage = subprocess.Popen(words, stdin=subprocess.PIPE, pass_fds=descriptors)
    with (
        pytest.raises(InputError, match="another run is at work here; wait for it"),
        recipe.held(tmp_path),
    ):
        pass
    stage.kill()
    stage.wait()
    monkeypatch.setattr(progress, "PATIENCE", 10.0)
    with recipe.held(tmp_path):
        pass


def test_the_record(tmp_path):
    (tmp_path / "aanlib").mkdir()
    (tmp_path / "aanlib" / "a.txt").write_bytes(b"picture")
    (tmp_path / "model.pt").write_bytes(b"weights")
    content = b"a.txt\n" + hashlib.sha256(b"picture").digest()
    known = {"dataset_dir": hashlib.sha256(content).hexdigest()}
    assert recipe.digests(tmp_path) == known and recipe.digests(None) == {}
    configs = sorted(recipe.RECIPE.glob("*.json"))
    record = recipe.record_of(tmp_path / "model.pt", configs, known, ["on_device.json"])
    stages = [f"recipe/{name}.json" for name in ("1_registration", "2_fusion", "3_joint")]
    assert record == {
        "sha256": hashlib.sha256(b"weights").hexdigest(),
        "configs": ["train.json", "on_device.json", *stages],
        "data": known,
        "date": datetime.date.today().isoformat(),
    }
    path = tmp_path / "weights.json"
    old = {**record, "date": "2020-01-01"}
    assert recipe.put_record(old, path) == old
    assert recipe.put_record(record, path) == old  # the day on which they were made
    other = {**record, "sha256": "0"}
    assert recipe.put_record(other, path) == other == json.loads(path.read_text(encoding="utf-8"))


def test_the_record_leaves_the_rest_of_the_metadata_as_it_is(tmp_path):
    path = tmp_path / "metadata.json"
    before = json.loads(recipe.METADATA.read_text(encoding="utf-8"))
    path.write_bytes(recipe.METADATA.read_bytes())
    recipe.into_metadata({"sha256": "0"}, path)
    assert json.loads(path.read_text(encoding="utf-8")) == {**before, "weights": {"sha256": "0"}}
    written = path.stat().st_mtime_ns
    recipe.into_metadata({"sha256": "0"}, path)
    assert path.stat().st_mtime_ns == written
