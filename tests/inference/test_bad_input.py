import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.bundle import create_workflow
from PIL import Image

from tests.inference.images import smooth, write_grey, write_volume

ROOT = Path(__file__).resolve().parents[2]
GOOD = {"fixed": "f.png", "moving": "m.png"}


@pytest.fixture
def pictures(tmp_path):
    """A good pair and whatever can be wrong with a file."""
    write_grey(tmp_path / "f.png", seed=1)
    write_grey(tmp_path / "m.png", seed=2)
    write_grey(tmp_path / "large.png", 61, 44)
    write_grey(tmp_path / "tiny.png", 31, 44)
    Image.new("L", (44, 60), 9).save(tmp_path / "flat.png")
    (tmp_path / "text.png").write_text("not a picture")
    (tmp_path / "notes.md").write_text("not a picture")
    holes = np.full((60, 44), 0.5, dtype=np.float32)
    holes[3, 3] = np.nan
    Image.fromarray(holes).save(tmp_path / "holes.tif")
    write_volume(tmp_path / "v.nii.gz", smooth((4, 60, 44)))
    return tmp_path


@pytest.mark.parametrize(
    ("moving", "message"),
    [
        ("missing.png", "missing.png: no such file"),
        ("text.png", "text.png: cannot be read as a picture; save it anew"),
        ("notes.md", "notes.md: unknown kind of file"),
        ("large.png", "large.png: is 44 x 61 pixels, but"),
        ("tiny.png", "tiny.png: is 44 x 31 pixels, but"),
        ("flat.png", "flat.png: has the same value everywhere"),
        ("holes.tif", "holes.tif: holds NaN or infinite values"),
        ("v.nii.gz", "a picture and a volume"),
    ],
)
def test_bad_pair_is_reported_in_one_line_and_the_others_are_done(
    moving, message, pictures, infer, capsys
):
    with pytest.raises(SystemExit) as stop:
        infer({"id": "bad", **GOOD, "moving": moving}, {"id": "good", **GOOD})
    assert stop.value.code == 1
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error:")]
    assert len(lines) == 1
    assert lines[0].startswith("error: bad: ")
    assert message in lines[0]
    assert [path.name for path in (pictures / "out").iterdir()] == ["good"]


def test_repeated_id_is_refused_and_its_first_use_is_done(pictures, infer, capsys):
    with pytest.raises(SystemExit):
        infer({"id": "a", **GOOD}, {"id": "a", **GOOD})
    assert "error: a (entry 2): " in (said := capsys.readouterr().err)
    assert "has the id of entry 1" in said
    assert (pictures / "out" / "a" / "fused.png").exists()


def test_existing_results_are_kept_unless_overwrite_is_set(pictures, infer, capsys):
    out = infer({"id": "a", **GOOD})
    before = (out / "a" / "fused.png").read_bytes()
    with pytest.raises(SystemExit):
        infer({"id": "a", "fixed": "m.png", "moving": "f.png"})
    assert "holds results already" in capsys.readouterr().err
    assert (out / "a" / "fused.png").read_bytes() == before
    infer({"id": "a", "fixed": "m.png", "moving": "f.png"}, overwrite=True)
    assert (out / "a" / "fused.png").read_bytes() != before


def test_folder_that_cannot_be_written_to(pictures, infer, capsys):
    with pytest.raises(SystemExit):
        infer({"id": "a", **GOOD}, output_dir=str(pictures / "f.png"))
    assert "cannot be written to; choose another output_dir" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"weight": torch.ones(2)}, "belongs to another network"),
        ({"other": torch.ones(1)}, "belongs to another network"),
        (torch.ones(1), "not a checkpoint"),
        (None, "no such file; restore models/ from"),
    ],
)
def test_checkpoint_that_does_not_fit_ends_the_run(state, message, pictures, infer):
    if state is not None:
        torch.save(state, pictures / "other.pt")
    with pytest.raises(SystemExit, match=rf"error: .*other\.pt: .*{message}"):
        infer({"id": "a", **GOOD}, checkpoint=str(pictures / "other.pt"))
    assert not (pictures / "out").exists()


def test_network_that_returns_nan_is_reported(pictures, infer, capsys):
    torch.save({"weight": torch.full((1,), torch.nan)}, pictures / "nan.pt")
    with pytest.raises(SystemExit):
        infer({"id": "a", **GOOD}, checkpoint=str(pictures / "nan.pt"))
    assert "not finite; check the checkpoint" in capsys.readouterr().err
    assert not (pictures / "out").exists()


def test_no_list_at_all(infer):
    with pytest.raises(SystemExit, match="error: there are no pairs; name them with --datalist"):
        infer(datalist=None)


def test_bad_list_ends_the_run(infer):
    with pytest.raises(
        SystemExit, match=r"error: .*pairs\.json: the list under 'testing' is empty"
    ):
        infer()


def test_bad_list_ends_the_command_without_a_traceback(stub, tmp_path):
    (tmp_path / "pairs.json").write_text('{"training": []}')
    command = [sys.executable, "-m", "monai.bundle", "run"]
    command += ["--config_file", "configs/inference.json", "--output_dir", str(tmp_path / "out")]
    command += ["--datalist", str(tmp_path / "pairs.json"), "--checkpoint", stub["checkpoint"]]
    command += ["--network_def", json.dumps(stub["network_def"])]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    assert done.stderr.splitlines()[-1].startswith(f"error: {tmp_path / 'pairs.json'}: ")
    assert not (tmp_path / "out").exists()


def test_configuration_has_the_properties_of_an_inference_bundle():
    config = str(ROOT / "configs" / "inference.json")
    workflow = create_workflow(config_file=config, workflow_type="infer")
    assert workflow.check_properties() == []
