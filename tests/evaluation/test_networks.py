"""MONAI's networks: one interface, the field scales with the picture, the bundle trains them."""

from pathlib import Path

import pytest
import torch
from monai.bundle import create_workflow

from bundle.evaluation.baselines.networks import ARCHITECTURES, MonaiRegistration
from bundle.phantom.pairs import write_pairs

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_any_size_gives_a_field_and_a_fusion_of_that_size(name):
    network = MonaiRegistration(name)
    outputs = network.train()(torch.rand(2, 2, 70, 90))
    assert outputs["ddf"].shape == (2, 2, 70, 90) and outputs["flows"].shape == (2, 1, 2, 70, 90)
    with torch.no_grad():
        assert network.eval()(torch.rand(1, 2, 70, 90)).shape == (1, 3, 70, 90)


def test_displacements_grow_with_the_picture():
    small, large = MonaiRegistration("RegUNet", reduction=4), MonaiRegistration("RegUNet")
    for parameter in small.parameters():
        torch.nn.init.normal_(parameter, 0.0, 0.05)
    large.load_state_dict(small.state_dict())
    image = torch.rand(1, 2, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        at_64 = small.eval().register(image)
        at_256 = large.eval().register(image.repeat_interleave(4, 2).repeat_interleave(4, 3))
    torch.testing.assert_close(at_256[..., 2::4, 2::4].mean(), 4 * at_64.mean(), rtol=0.1, atol=0.1)


def test_unknown_architectures_are_named():
    with pytest.raises(ValueError, match="LocalNet, RegUNet, BasicUNet"):
        MonaiRegistration("VoxelMorph")


@pytest.mark.parametrize("overlay", ["localnet", "regunet"])
def test_the_bundle_trains_them(tmp_path, overlay):
    for split in ("train", "val"):
        write_pairs(tmp_path / "pairs", 1, size=64, split=split)
    run = create_workflow(
        config_file=[str(ROOT / "configs" / f"{name}.json") for name in ("train", overlay)],
        workflow_type="train",
        bundle_root=str(ROOT),
        dataset_dir=str(tmp_path / "pairs"),
        ckpt_dir=str(tmp_path / "run"),
        image_size=64,
        reduction=4,
        batch_size=1,
        num_workers=0,
        max_epochs=1,
        val_interval=1,
        device="$torch.device('cpu')",
    )
    run.run()
    saved = torch.load(tmp_path / "run" / "model.pt", weights_only=True)
    MonaiRegistration({"localnet": "LocalNet"}.get(overlay, "RegUNet")).load_state_dict(saved)
