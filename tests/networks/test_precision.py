"""bfloat16 only where a device computes in it: elsewhere it takes many times as long."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from bundle.networks import autocast, fast_in_bfloat16
from bundle.registration import slicewise

CPU = torch.device("cpu")


@pytest.fixture(params=["", "avx512_bf16", "amx_bf16"])
def flag(request, monkeypatch):
    """The one flag that this processor is made to have; "": none of those that count."""
    flags = {"avx2": True, "avx512_f": True, "avx512_bf16": False, "amx_bf16": False}
    if request.param:
        flags[request.param] = True
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: flags)
    return request.param


def test_a_processor_without_bfloat16_computes_in_float32(flag):
    layer, values = nn.Conv2d(1, 1, 3), torch.rand(1, 1, 8, 8)
    assert fast_in_bfloat16(CPU) == bool(flag)
    with autocast(CPU):
        assert layer(values).dtype == (torch.bfloat16 if flag else torch.float32)
    with autocast(CPU, wanted=False):
        assert layer(values).dtype == torch.float32


@pytest.mark.parametrize("emulated", [True, False])
def test_a_gpu_that_imitates_bfloat16_computes_in_float32(emulated, monkeypatch):
    def supported(including_emulation=True):
        return including_emulation or not emulated

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    assert fast_in_bfloat16(torch.device("cuda:0")) is not emulated


class Recorded(nn.Module):
    """Remembers what its layer computes in."""

    def __init__(self):
        super().__init__()
        self.layer, self.dtypes = nn.Conv2d(2, 2, 1), []

    def register_with_spread(self, image):
        found = self.layer(image)
        self.dtypes.append(found.dtype)
        return found, found


def test_slices_are_registered_in_what_the_processor_is_fast_in(flag):
    network = Recorded()
    with torch.no_grad():
        found = slicewise.framed_fields(torch.rand(1, 2, 160, 160), network, None)
    assert network.dtypes == [torch.bfloat16 if flag else torch.float32]
    assert found.dtype == torch.float32


def test_scripted_networks_stay_in_float32(monkeypatch):
    wanted = []
    monkeypatch.setattr(
        slicewise, "autocast", lambda device, on: wanted.append(on) or autocast(device, on)
    )

    class Scripted(nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return image

        @torch.jit.export
        def register_with_spread(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return image, image

    slicewise.framed_fields(torch.rand(1, 2, 160, 160), torch.jit.script(Scripted()), None)
    assert wanted == [False]
