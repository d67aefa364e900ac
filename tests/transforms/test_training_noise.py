"""The noise of a training pair: none that both pictures share."""

import numpy as np
import torch
from monai.bundle import ConfigParser


def test_fixed_and_moving_get_noise_of_their_own():
    config = ConfigParser()
    config.read_config("configs/train.json")
    config["train#random_transforms"] = [
        transform | {"prob": 1.0}
        for transform in config["train#random_transforms"]
        if transform["_target_"] == "RandGaussianNoised"
    ]
    noise = config.get_parsed_content("train#random_transforms")
    item = {"fixed": torch.zeros(1, 64, 64), "deformed": torch.zeros(3, 64, 64)}
    for transform in noise:
        item = transform(item)
    fixed, deformed = (item[key][0].flatten().numpy() for key in ("fixed", "deformed"))
    assert fixed.std() > 0 and deformed.std() > 0
    assert abs(np.corrcoef(fixed, deformed)[0, 1]) < 0.1
