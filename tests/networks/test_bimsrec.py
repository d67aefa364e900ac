"""The whole network: shapes, sizes, batches, switches, export."""

import pytest
import torch

from bundle.geometry.warp import warp_tokens
from bundle.networks import BiMSRec


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return jolt(BiMSRec()).eval()


def jolt(network):
    """Heads start near zero; give every parameter a value that shows."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.01 * torch.randn_like(parameter))
    return network


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (64, 100), (96, 160)])
def test_any_size_gives_one_tensor(network, size):
    image = torch.rand(2, 2, *size)
    with torch.no_grad():
        output = network(image)
    assert output.shape == (2, 3, *size)
    assert output.dtype == torch.float32
    assert torch.isfinite(output).all()
    assert output[:, 0].min() >= 0 and output[:, 0].max() <= 1


def test_an_item_does_not_depend_on_its_batch(network):
    images = torch.rand(8, 2, 64, 64)
    with torch.no_grad():
        alone, together = network(images[3:4]), network(images)[3:4]
    torch.testing.assert_close(alone, together, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("directions", "scales", "fields"), [
    ("both", 5, 10), ("forward", 5, 5), ("reverse", 5, 5), ("both", 1, 2), ("forward", 1, 1),
])  # fmt: skip
def test_ablations_predict_their_fields(directions, scales, fields):
    network = BiMSRec(directions=directions, scales=scales)
    outputs = network.train()(torch.rand(1, 2, 64, 64))
    assert outputs["flows"].shape == (1, fields, 2, 64, 64)
    assert outputs["fused"].shape == (1, 1, 64, 64)
    assert network.eval()(torch.rand(1, 2, 64, 64)).shape == (1, 3, 64, 64)


@pytest.mark.parametrize("arguments", [{"scales": 3}, {"stage": "x"}, {"directions": "up"},
                                       {"reduction": 3}])  # fmt: skip
def test_unknown_switches_are_refused(arguments):
    with pytest.raises(ValueError, match="must be"):
        BiMSRec(**arguments)


@pytest.mark.parametrize("stage", ["registration", "fusion"])
def test_a_stage_trains_its_parts_and_no_others(stage):
    network = BiMSRec(stage=stage)
    parts = {name for name, _ in network.named_children()}
    trained = parts - {"reconstruction"} if stage == "registration" else {"reconstruction"}
    outputs = network.train()(torch.rand(1, 2, 64, 64))
    assert outputs.pop("padded") == [128, 128]  # twice the coarsest token at least
    values = [*outputs.pop("windows"), *outputs.values()]
    loss = sum(value.square().sum() for value in values if value.requires_grad)
    loss.backward()
    used = {name.split(".")[0] for name, p in network.named_parameters() if p.grad is not None}
    assert used == trained
    assert all(p.grad is not None for p in network.parameters() if p.requires_grad)


def test_eval_output_agrees_with_register_and_all_fields(network):
    image = torch.rand(1, 2, 70, 90)
    with torch.no_grad():
        ddf = network(image)[:, 1:]
        torch.testing.assert_close(network.register(image), ddf)
        fields = network.all_fields(image)
    torch.testing.assert_close(fields["ddf"], ddf)
    assert fields["flows"].shape == (1, 10, 2, 70, 90)


def test_the_spread_is_how_far_the_fields_differ(network):
    image = torch.rand(2, 2, 70, 90)
    with torch.no_grad():
        ddf, spread = network.register_with_spread(image)
        fields = network.all_fields(image)
    torch.testing.assert_close(ddf, fields["ddf"])
    flows = fields["flows"]
    apart = (flows - flows.mean(dim=1, keepdim=True)).square().mean(dim=1).sqrt()
    assert spread.shape == (2, 2, 70, 90) and apart.mean() > 0.01
    # of the fields on the finest tokens, not at full size: interpolated, hence nearly the same
    assert (spread - apart).abs().mean() < 0.1 * apart.mean()


def test_rounds_start_from_the_mean_of_the_fields(network):
    image = torch.rand(1, 2, 128, 128)
    plain = BiMSRec(refinements=0).eval()
    plain.load_state_dict(network.state_dict())
    with torch.no_grad():
        refined, mean = network.all_fields(image), plain.all_fields(image)
    assert refined["rounds"].shape == (1, 3, 2, 128, 128)
    assert "rounds" not in mean
    torch.testing.assert_close(refined["rounds"][:, 0], mean["ddf"])
    torch.testing.assert_close(refined["flows"], mean["flows"])
    assert (refined["ddf"] - mean["ddf"]).abs().max() > 1e-3


def test_without_rounds_nothing_of_them_is_trained():
    network = BiMSRec(refinements=0, stage="registration").train()
    outputs = network(torch.rand(1, 2, 64, 64))
    del outputs["padded"]
    sum(value.square().sum() for value in (*outputs.pop("windows"), *outputs.values())).backward()
    assert all(p.grad is not None for p in network.parameters() if p.requires_grad)


def test_fuse_without_misalignment_starts_from_a_blend_of_both_sources():
    network = BiMSRec().eval()
    image = torch.rand(1, 2, 64, 64)
    with torch.no_grad():
        fused = network.fuse(image, torch.zeros(1, 2, 64, 64))
    blend = 0.8 * image.amax(dim=1, keepdim=True) + 0.2 * image[:, :1]
    assert (fused - blend).abs().max() < 0.05


def test_fuse_hands_the_given_field_to_every_scale_in_its_tokens():
    network, seen = BiMSRec().eval(), []
    network.reconstruction.align.register_forward_hook(lambda _, inputs, __: seen.append(inputs[1]))
    with torch.no_grad():
        network.fuse(torch.rand(1, 2, 128, 128), torch.full((1, 2, 128, 128), 16.0))
    found = [{(flow.shape[-1], *flow.unique().tolist()) for flow in flows} for flows in seen]
    assert found == [{(2, 0.25)}, {(2, 0.25)}, {(4, 0.5)}, {(8, 1.0)}, {(16, 2.0)}]


def test_fuse_shows_the_moving_picture_where_the_field_pulls_it_from():
    network = constant(BiMSRec().eval(), [0.0, 1.0, 0.0, 0.0])
    image, ddf = torch.rand(1, 2, 64, 64), torch.zeros(1, 2, 64, 64)
    ddf[:, 0], ddf[:, 1] = 4.0, -3.0
    with torch.no_grad():
        fused = network.fuse(image, ddf)
    expected = image[0, 1].roll((-4, 3), dims=(0, 1))
    torch.testing.assert_close(fused[0, 0, :60, 3:], expected[:60, 3:], atol=1e-4, rtol=0)


@pytest.mark.parametrize("coefficients", [[3.0, 3.0, 3.0, 1.0], [-3.0, 0.0, 0.0, -1.0]])
def test_fused_stays_between_its_sources(coefficients):
    network = constant(BiMSRec().eval(), coefficients)
    image = torch.rand(1, 2, 70, 90)
    with torch.no_grad():
        fused = network.fuse(image, torch.zeros(1, 2, 70, 90))[:, 0]
    bound = image.amax(dim=1) if coefficients[0] > 0 else image.amin(dim=1)
    torch.testing.assert_close(fused, bound)


def constant(network, coefficients):
    """The same coefficients everywhere."""
    with torch.no_grad():
        network.reconstruction.out.weight.zero_()
        network.reconstruction.out.bias.copy_(torch.tensor(coefficients))
    return network


def test_reduced_pictures_see_the_same_token_grid():
    full, half, quarter = (BiMSRec(reduction=r).eval() for r in (1, 2, 4))
    for network, size in ((full, 256), (half, 128), (quarter, 64)):
        tokens = network._tokens(torch.rand(1, 2, size, size))[0]
        assert [scale.shape[-1] for scale in tokens] == [32, 16, 8, 4, 4]
    assert full.state_dict().keys() == quarter.state_dict().keys()


def test_warping_pulls_back_along_rows_then_columns():
    moving = torch.zeros(1, 1, 64, 64)
    moving[..., 30, 40] = 1.0
    ddf = torch.zeros(1, 2, 64, 64)
    ddf[:, 0], ddf[:, 1] = 4.0, -3.0
    assert warp_tokens(moving, ddf, "zeros")[0, 0, 26, 43] == pytest.approx(1.0, abs=1e-4)


def test_traced_network_agrees(network):
    with torch.no_grad():
        traced = torch.jit.trace(network, torch.rand(1, 2, 64, 64), check_trace=False)
        image = torch.rand(1, 2, 64, 64)
        torch.testing.assert_close(traced(image), network(image), atol=1e-4, rtol=1e-4)


def test_scripted_network_agrees_at_any_size(network):
    scripted = torch.jit.script(network)
    with torch.no_grad():
        for size in ((64, 64), (96, 130)):
            image = torch.rand(1, 2, *size)
            torch.testing.assert_close(scripted(image), network(image), atol=1e-5, rtol=1e-5)


def test_bfloat16_keeps_fields_in_float32(network):
    image = torch.rand(1, 2, 64, 64)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        output = network(image)
        fields = network.all_fields(image)
        found, spread = network.register_with_spread(image)
    assert output.dtype == torch.float32 and torch.isfinite(output).all()
    for field in (*fields.values(), found, spread, output[:, 1:]):
        assert field.dtype == torch.float32
        assert not torch.equal(field, field.bfloat16().float())  # nor were they on the way


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_agrees_with_cpu(network):
    image = torch.rand(1, 2, 128, 128)
    with torch.no_grad():
        expected = network(image)
        actual = network.to("cuda")(image.cuda()).cpu()
    network.to("cpu")
    torch.testing.assert_close(actual, expected, atol=5e-2, rtol=1e-2)
