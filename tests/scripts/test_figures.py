"""Pictures of the phantom: by method, of the ablation, of the ten fields."""

from pathlib import Path

import numpy as np
import torch
from monai.bundle import ConfigParser
from PIL import Image

from bundle.evaluation.tables.sheets import colored
from bundle.phantom.pairs import write_pairs
from bundle.training import pairs
from scripts.ablation import VARIANTS
from scripts.figures import ROOT, main


def test_pictures_are_written_and_equal_when_made_again(tmp_path, monkeypatch):
    for split in ("train", "val"):
        write_pairs(tmp_path / "phantom", 1, size=64, split=split)
    monkeypatch.setattr(pairs, "phantom_folder", lambda: tmp_path / "phantom")
    _untrained("single scale", tmp_path / "out" / "ablation")
    monkeypatch.chdir(tmp_path)
    options = ["--image_size", "64", "--checkpoint", str(ROOT / "models" / "model.pt")]
    for folder in ("first", "second"):
        main([*options, "--output_dir", folder])
    names = sorted(path.name for path in Path("first").iterdir())
    assert names == ["ablation.png", "fields.png", "methods.png"]
    for name in names:
        assert Path("first", name).read_bytes() == Path("second", name).read_bytes()
        assert np.asarray(Image.open(Path("first", name)).convert("L")).std() > 20


def _untrained(variant: str, folder: Path) -> None:
    """Weights of one variant of the ablation, where scripts.ablation would leave them."""
    config = ConfigParser()
    names = ["train", VARIANTS[variant]]
    config.read_config([ROOT / "configs" / f"{name}.json" for name in names])
    config["reduction"] = 4
    torch.manual_seed(0)
    own = folder / variant.replace(" ", "_")
    own.mkdir(parents=True)
    torch.save(config.get_parsed_content("network_def").state_dict(), own / "model.pt")


def test_colours_move_with_the_field():
    moving = torch.zeros(1, 3, 8, 8)
    moving[:, 0], moving[:, 1, 2, 3] = 0.5, 0.2  # one pixel has colour
    ddf = torch.zeros(1, 2, 8, 8)
    ddf[:, 0], ddf[:, 1] = 1, -1  # pull-back: the picture moves up and to the right
    picture = colored(torch.full((1, 1, 8, 8), 128.0), moving, ddf).astype(int)
    spread = picture.max(axis=2) - picture.min(axis=2)
    assert np.argwhere(spread > 5).tolist() == [[1, 4]]
