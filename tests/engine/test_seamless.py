# SPDX-License-Identifier: GPL-3.0-or-later
"""The law: inside `seamless`, rolling an input by the network's grid rolls the output, and nothing is left behind."""

import copy
import threading
from collections.abc import Callable
from typing import Any

import diffusers
import pytest
import torch
from diffusers.models.downsampling import Downsample2D, FirDownsample2D
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch._subclasses import FakeTensorMode
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from addon.core.errors import ErrorKind, UserError
from addon.core.requests.texture import Axes
from addon.engine.seamless import Places, seamless, wrap
from tests.engine import networks
from tests.engine import transformer_networks as transformers

LIMIT = 1e-5  # greatest error over greatest value, in float32
WRAPPED = (Axes.XY, Axes.X, Axes.Y)
Network = Callable[[torch.Tensor], torch.Tensor]


def apply_sd_unet(unet: nn.Module) -> Network:
    text = torch.randn(1, 7, networks.TEXT_WIDTH, generator=torch.Generator().manual_seed(0))
    return lambda x: unet(x, 400, encoder_hidden_states=text).sample


def apply_sdxl_unet(unet: nn.Module) -> Network:
    generator = torch.Generator().manual_seed(0)
    text = torch.randn(1, 7, 2 * networks.TEXT_WIDTH, generator=generator)
    added = {"text_embeds": torch.randn(1, networks.TEXT_WIDTH, generator=generator), "time_ids": torch.ones(1, 6)}
    return lambda x: unet(x, 400, encoder_hidden_states=text, added_cond_kwargs=added).sample


def apply_sana(transformer: nn.Module) -> Network:
    text = torch.randn(1, 7, transformers.WIDTH, generator=torch.Generator().manual_seed(0))
    return lambda x: transformer(x, text, torch.tensor([400.0])).sample


# name: (module, how to call it, grid of the input, channels of the input, output elements for one input element)
PARTS: dict[str, tuple[nn.Module, Network, int, int, float]] = {}
for _name, _unet, _apply, _grid in (
    ("SD1.5 U-Net", networks.sd_unet(), apply_sd_unet, 8),
    ("SDXL U-Net", networks.sdxl_unet(), apply_sdxl_unet, 4),
):
    PARTS[_name] = (_unet, _apply(_unet), _grid, 4, 1)
_sana = transformers.sana_transformer()
PARTS["Sana's transformer"] = (_sana, apply_sana(_sana), 1, 8, 1)
_kl, _tiny = networks.kl_autoencoder(), networks.tiny_autoencoder()
PARTS["KL decoder"] = (_kl, lambda z: _kl.decode(z).sample, 1, 4, 8)
PARTS["KL encoder"] = (_kl, lambda x: _kl.encode(x).latent_dist.parameters, 8, 3, 1 / 8)
PARTS["tiny decoder"] = (_tiny, lambda z: _tiny.decode(z).sample, 1, 4, 8)
PARTS["tiny encoder"] = (_tiny, lambda x: _tiny.encode(x).latents, 8, 3, 1 / 8)


def _list_autoencoder(name: str, vae: Any, channels: int, factor: int, frames: bool = False) -> None:
    def picture(x: torch.Tensor) -> torch.Tensor:
        return x[:, :, None] if frames else x

    def encode(x: torch.Tensor) -> torch.Tensor:
        encoded = vae.encode(picture(x))
        return encoded.latent_dist.parameters if hasattr(encoded, "latent_dist") else encoded.latent

    PARTS[f"{name} decoder"] = (vae, lambda z: vae.decode(picture(z)).sample, 1, channels, factor)
    PARTS[f"{name} encoder"] = (vae, encode, factor, 3, 1 / factor)


_list_autoencoder("KL of 16 channels", networks.kl_autoencoder(channels=16), 16, 8)
_list_autoencoder("DC", networks.dc_autoencoder(), 8, 32)
_list_autoencoder("FLUX.2", networks.flux2_autoencoder(), 4, 8)
_list_autoencoder("HunyuanImage", networks.hunyuan_autoencoder(), 8, 8)
_list_autoencoder("Qwen-Image", networks.causal_autoencoder(), 4, 8, frames=True)
_list_autoencoder("Wan 2.1", networks.causal_autoencoder(diffusers.AutoencoderKLWan), 4, 8, frames=True)
_list_autoencoder("Wan 2.2", networks.residual_autoencoder(), 4, 16, frames=True)
_list_autoencoder(
    "Qwen-Image 2.1", networks.residual_autoencoder(diffusers.AutoencoderKLQwenImage21), 4, 16, frames=True
)


def snapshot(module: nn.Module) -> list[tuple[nn.Module, dict[str, object], object]]:
    """All that a patch could leave behind: each module's attributes, and the function that its forward is."""
    return [
        (part, dict(vars(part)), (type(part), type(part).forward, getattr(type(part), "_conv_forward", None)))
        for part in module.modules()
    ]


def assert_unchanged(before: list[tuple[nn.Module, dict[str, object], object]], module: nn.Module) -> None:
    after = snapshot(module)
    assert [(id(part), attributes.keys(), code) for part, attributes, code in before] == [
        (id(part), attributes.keys(), code) for part, attributes, code in after
    ]
    for (_, old, _), (_, new, _) in zip(before, after, strict=True):
        assert all(old[name] is new[name] for name in old)


def roll_error(network: Network, x: torch.Tensor, shift: tuple[int, int], scale: float) -> float:
    rolled = network(torch.roll(x, shift, (-2, -1)))
    expected = torch.roll(network(x), [round(step * scale) for step in shift], (-2, -1))
    return float((rolled - expected).abs().max() / expected.abs().max())


def random_input(channels: int, rows: int, columns: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(1, channels, rows, columns, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", PARTS)
@pytest.mark.parametrize("axes", WRAPPED)
@settings(max_examples=3, deadline=None)
@given(
    blocks=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    shift=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    seed=st.integers(0, 99),
)
@torch.no_grad()
def test_rolling_the_input_by_the_grid_rolls_the_output(
    name: str, axes: Axes, blocks: tuple[int, int], shift: tuple[int, int], seed: int
) -> None:
    module, network, grid, channels, scale = PARTS[name]
    if grid == 1:  # a few latents are enough to be larger than a wrap, and to be smaller than one
        blocks = (blocks[0] * 3, blocks[1] * 3)
    x = random_input(channels, blocks[0] * grid, blocks[1] * grid, seed)
    rolls = (shift[0] * grid * axes.y, shift[1] * grid * axes.x)
    with seamless(module, axes):
        assert roll_error(network, x, rolls, scale) <= LIMIT


@pytest.mark.parametrize("name", PARTS)
@torch.no_grad()
def test_the_law_is_not_kept_without_the_patch_nor_on_an_axis_that_was_not_chosen(name: str) -> None:
    """Shows that the tests of the law can fail."""
    module, network, grid, channels, scale = PARTS[name]
    x = random_input(channels, 2 * max(grid, 4), 2 * max(grid, 4))
    assert roll_error(network, x, (grid, grid), scale) > 100 * LIMIT
    with seamless(module, Axes.X):
        assert roll_error(network, x, (grid, 0), scale) > 100 * LIMIT
    with seamless(module, Axes.Y):
        assert roll_error(network, x, (0, grid), scale) > 100 * LIMIT


@pytest.mark.parametrize("name", PARTS)
@torch.no_grad()
def test_with_no_axis_the_output_is_the_plain_one_bit_for_bit(name: str) -> None:
    module, network, grid, channels, _ = PARTS[name]
    x = random_input(channels, 2 * max(grid, 4), 2 * max(grid, 4))
    plain = network(x)
    with seamless(module, Axes.NONE):
        assert torch.equal(network(x), plain)
    with seamless(module, Axes.XY):
        assert not torch.equal(network(x), plain)
    assert torch.equal(network(x), plain)


@pytest.mark.parametrize("name", PARTS)
@pytest.mark.parametrize("axes", Axes)
def test_everything_is_restored(name: str, axes: Axes) -> None:
    module = PARTS[name][0]
    before = snapshot(module)
    state = {key: value.clone() for key, value in module.state_dict().items()}
    with seamless(module, axes):
        assert module.state_dict().keys() == state.keys()
    assert_unchanged(before, module)
    with pytest.raises(ZeroDivisionError), seamless(module, axes):
        raise ZeroDivisionError
    assert_unchanged(before, module)
    assert all(torch.equal(value, state[key]) for key, value in module.state_dict().items())


@torch.no_grad()
def test_frames_that_a_causal_autoencoder_remembers_are_wrapped_too() -> None:
    """The second frame of latents is decoded with what its convolutions kept of the first."""
    vae = networks.causal_autoencoder(diffusers.AutoencoderKLWan)
    z = torch.randn(1, 4, 2, 4, 6, generator=torch.Generator().manual_seed(0))
    with seamless(vae, Axes.XY):
        assert vae.decode(z).sample.shape == (1, 3, 5, 32, 48)
        assert roll_error(lambda x: vae.decode(x).sample, z, (3, 2), 8) <= LIMIT


@pytest.mark.parametrize("axes", Axes)
def test_a_pad_wraps_the_axes_that_were_chosen_and_keeps_its_own_value_on_others(axes: Axes) -> None:
    pad, x = nn.ConstantPad2d((1, 0, 2, 1), 7.0), random_input(2, 4, 5)
    reference = F.pad(x, (1, 0, 0, 0), **({"mode": "circular"} if axes.x else {"value": 7.0}))
    reference = F.pad(reference, (0, 0, 2, 1), **({"mode": "circular"} if axes.y else {"value": 7.0}))
    with seamless(pad, axes):
        assert torch.equal(pad(x), reference)
    assert torch.equal(pad(x), F.pad(x, (1, 0, 2, 1), value=7.0))


def test_everything_is_restored_when_entering_fails_half_way(monkeypatch: pytest.MonkeyPatch) -> None:
    from addon.engine import seamless as module_under_test

    vae = networks.kl_autoencoder()
    before = snapshot(vae)
    original, calls = module_under_test._put, []

    def fail_once_at_the_tenth(module: nn.Module, name: str, value: object) -> None:
        calls.append(name)
        if len(calls) == 10:
            raise KeyboardInterrupt
        original(module, name, value)

    monkeypatch.setattr(module_under_test, "_put", fail_once_at_the_tenth)
    with pytest.raises(KeyboardInterrupt), seamless(vae, Axes.XY):
        pass
    assert_unchanged(before, vae)


# One layer against an independent reference


def padded(x: torch.Tensor, conv: nn.Conv2d, axes: Axes) -> torch.Tensor:
    left, right, top, bottom = conv._reversed_padding_repeated_twice
    mode = "constant" if conv.padding_mode == "zeros" else conv.padding_mode
    x = F.pad(x, (left, right, 0, 0), mode="circular" if axes.x else mode)
    return F.pad(x, (0, 0, top, bottom), mode="circular" if axes.y else mode)


@settings(max_examples=60, deadline=None)
@given(
    kernel=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    padding=st.one_of(st.tuples(st.integers(0, 3), st.integers(0, 3)), st.sampled_from(("same", "valid"))),
    stride=st.integers(1, 2),
    dilation=st.integers(1, 2),
    groups=st.sampled_from((1, 2)),
    mode=st.sampled_from(("zeros", "reflect", "replicate", "circular")),
    axes=st.sampled_from(tuple(Axes)),
    channels_last=st.booleans(),
)
@torch.no_grad()
def test_a_convolution_equals_one_over_a_circularly_padded_input(
    kernel: tuple[int, int],
    padding: tuple[int, int] | str,
    stride: int,
    dilation: int,
    groups: int,
    mode: str,
    axes: Axes,
    channels_last: bool,
) -> None:
    if padding == "same":
        stride = 1
    conv = nn.Conv2d(4, 6, kernel, stride, padding, dilation, groups, padding_mode=mode)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    x = random_input(4, 12, 10).contiguous(memory_format=layout)
    expected = F.conv2d(padded(x, conv, axes), conv.weight, conv.bias, stride, 0, dilation, groups)
    with seamless(conv, axes):
        torch.testing.assert_close(conv(x), expected, atol=1e-6, rtol=1e-5)


@given(
    size=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    pads=st.tuples(*[st.integers(0, 12)] * 4),
    channels_last=st.booleans(),
)
def test_wrap_continues_periodically_however_often_it_goes_around(
    size: tuple[int, int], pads: tuple[int, int, int, int], channels_last: bool
) -> None:
    (height, width), (left, right, top, bottom) = size, pads
    x = torch.arange(3 * height * width).reshape(1, 3, height, width)
    if channels_last:
        x = x.contiguous(memory_format=torch.channels_last)
    wrapped = wrap(x, *pads)
    assert wrapped.shape == (1, 3, top + height + bottom, left + width + right)
    for row in range(top + height + bottom):
        for column in range(left + width + right):
            expected = x[:, :, (row - top) % height, (column - left) % width]
            assert torch.equal(wrapped[:, :, row, column], expected)


def test_wrap_turns_to_the_layout_of_the_weights_where_asked_for() -> None:
    x = random_input(4, 12, 10)
    turned = wrap(x, 1, 2, 3, 4, channels_last=True)
    assert turned.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(turned, wrap(x, 1, 2, 3, 4))


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_wrap_keeps_the_memory_layout(layout: torch.memory_format) -> None:
    x = random_input(8, 6, 6).contiguous(memory_format=layout)
    assert wrap(x, 1, 1, 1, 1).is_contiguous(memory_format=layout)


class Launched(TorchDispatchMode):
    """Counts what a graphics card would be asked to do: views and empty tensors ask for nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):  # type: ignore[no-untyped-def]
        if not function.is_view and "empty" not in str(function):
            self.names.append(function.overloadpacket.__name__)
        return function(*arguments, **(keywords or {}))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("pads", [(1, 1, 1, 1), (0, 1, 0, 1), (3, 3, 0, 0), (0, 0, 2, 1)])
@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("given_last", [True, False])
def test_a_graphics_card_gathers_small_tensors_in_one_kernel(
    dtype: torch.dtype, pads: tuple[int, int, int, int], last: bool, given_last: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same numbers, in the same layout, as by copies."""
    x = torch.randn(2, 8, 7, 9).to(dtype)
    x = x.contiguous(memory_format=torch.channels_last) if given_last else x
    copied = wrap(x, *pads, channels_last=last)
    monkeypatch.setattr(Places, "pay_for", lambda self, tensor: True)
    places = Places()
    gathered = wrap(x, *pads, channels_last=last, places=places)
    assert torch.equal(gathered, copied)
    assert torch.equal(gathered, F.pad(x, pads, mode="circular"))
    assert gathered.stride() == copied.stride()
    with Launched() as launched:
        wrap(x, *pads, channels_last=last, places=places)
    assert launched.names == ["index_select"]


def test_wrapping_by_copies_takes_one_for_each_border_and_one_for_the_rest() -> None:
    for last in (True, False):
        x = torch.randn(2, 8, 7, 9)
        with Launched() as launched:
            wrap(x, 1, 1, 1, 1, channels_last=last)
        assert launched.names == ["copy_"] * 5
        with Launched() as launched:
            wrap(x, 1, 1, 0, 0, channels_last=last)
        assert launched.names == ["copy_"] * 3


def test_only_small_tensors_on_cards_are_gathered() -> None:
    places, x = Places(), torch.zeros(1, 1, 8, 8)
    assert not places.pay_for(x)
    with FakeTensorMode():
        assert places.pay_for(torch.empty(2, 320, 64, 64, device="cuda"))
        assert not places.pay_for(torch.empty(2, 320, 128, 128, device="cuda"))


def test_gradients_pass_a_gathering_that_was_first_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Places, "pay_for", lambda self, tensor: True)
    conv = nn.Conv2d(2, 2, 3, padding=1)
    with seamless(conv, Axes.XY):
        with torch.inference_mode():
            conv(torch.randn(1, 2, 4, 4))
        x = torch.randn(1, 2, 4, 4, requires_grad=True)
        conv(x).sum().backward()
    assert x.grad is not None


def test_a_convolution_without_padding_is_not_touched() -> None:
    layers = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 2, stride=2), nn.Conv2d(3, 3, (3, 1), padding=(1, 0)))
    with seamless(layers, Axes.X):  # the last one pads, but on the other axis
        assert not any("_conv_forward" in vars(layer) for layer in layers)


# Nesting


@pytest.mark.parametrize("outer", Axes)
@pytest.mark.parametrize("inner", Axes)
@torch.no_grad()
def test_the_innermost_of_nested_blocks_decides(outer: Axes, inner: Axes) -> None:
    vae = networks.kl_autoencoder()
    x = random_input(3, 16, 16)
    expected = {}
    for axes in (outer, inner):
        with seamless(vae, axes):
            expected[axes] = vae.encode(x).latent_dist.mean
    before = snapshot(vae)
    with seamless(vae, outer):
        with seamless(vae, inner):
            assert torch.equal(vae.encode(x).latent_dist.mean, expected[inner])
        assert torch.equal(vae.encode(x).latent_dist.mean, expected[outer])
    assert_unchanged(before, vae)


@torch.no_grad()
def test_a_copy_made_inside_stays_periodic_and_the_original_does_not() -> None:
    vae = networks.kl_autoencoder()
    x = random_input(3, 16, 16)
    with seamless(vae, Axes.XY):
        inside = vae.encode(x).latent_dist.mean
        duplicate = copy.deepcopy(vae)
    assert torch.equal(duplicate.encode(x).latent_dist.mean, inside)
    assert not torch.equal(vae.encode(x).latent_dist.mean, inside)


@torch.no_grad()
def test_networks_in_other_threads_are_not_affected() -> None:
    one, other = networks.kl_autoencoder(), networks.kl_autoencoder()
    z = random_input(4, 4, 4)
    plain, results = other.decode(z).sample, []
    with seamless(one, Axes.XY):
        thread = threading.Thread(target=lambda: results.append(other.decode(z).sample))
        thread.start()
        thread.join()
    assert torch.equal(results[0], plain)


# Parts that are added, and parts that are refused


@torch.no_grad()
def test_lora_convolutions_are_periodic_too() -> None:
    from peft import LoraConfig, inject_adapter_in_model

    config = LoraConfig(r=2, target_modules=["conv1", "conv2", "conv", "conv_in"], init_lora_weights=False)
    for module, network, grid, channels, scale in (
        (unet := networks.sd_unet(), apply_sd_unet(unet), 8, 4, 1.0),
        (vae := networks.kl_autoencoder(), lambda x: vae.encode(x).latent_dist.parameters, 8, 3, 1 / 8),
    ):
        x = random_input(channels, 16, 16)
        plain = network(x)
        inject_adapter_in_model(config, module)
        assert not torch.allclose(network(x), plain)  # the adapters do something
        before = snapshot(module)
        for axes in WRAPPED:
            with seamless(module, axes):
                assert roll_error(network, x, (grid * axes.y, grid * axes.x), scale) <= LIMIT
        assert_unchanged(before, module)


class OwnForward(nn.Conv2d):
    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return F.conv2d(input, self.weight, self.bias, padding=1)


def tiled_vae() -> nn.Module:
    vae = networks.kl_autoencoder()
    vae.enable_tiling()
    return vae


def dora_unet() -> nn.Module:
    from peft import LoraConfig, inject_adapter_in_model

    config = LoraConfig(r=2, target_modules=["conv_in"], use_dora=True, init_lora_weights=False)
    return inject_adapter_in_model(config, networks.sd_unet())


def loha_unet() -> nn.Module:
    from peft import LoHaConfig, inject_adapter_in_model

    return inject_adapter_in_model(LoHaConfig(r=2, target_modules=["conv_in"]), networks.sd_unet())


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.ConvTranspose2d(3, 3, 4, 2, 1),
        lambda: nn.ReflectionPad2d(1),
        lambda: nn.ReplicationPad2d(1),
        lambda: nn.Upsample(scale_factor=2, mode="bilinear"),
        lambda: nn.AvgPool2d(3, padding=1),
        lambda: nn.Conv3d(3, 3, 3, padding=1),
        lambda: FirDownsample2D(4, 4),
        lambda: OwnForward(3, 3, 3, padding=1),
        tiled_vae,
        dora_unet,
        loha_unet,
    ],
)
def test_a_part_that_cannot_be_made_periodic_is_refused_before_anything_is_patched(
    make: Callable[[], nn.Module],
) -> None:
    module = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), make())
    before = snapshot(module)
    with pytest.raises(UserError) as caught, seamless(module, Axes.XY):
        pytest.fail("entered")
    assert caught.value.kind is ErrorKind.MODEL
    assert caught.value.hint
    assert_unchanged(before, module)
    with seamless(module, Axes.NONE):  # it can still be used without tiling
        assert_unchanged(before, module)


TINY_TRANSFORMERS: dict[str, dict[str, Any]] = {
    "Transformer2DModel": {"num_attention_heads": 2, "attention_head_dim": 8, "in_channels": 32},
    "DiTTransformer2DModel": {"num_attention_heads": 2, "attention_head_dim": 8, "in_channels": 4, "num_layers": 1},
}


@pytest.mark.parametrize("name", TINY_TRANSFORMERS)
def test_a_network_that_no_family_lists_is_refused_although_it_has_no_border_to_patch(name: str) -> None:
    network = getattr(diffusers, name)(**TINY_TRANSFORMERS[name])
    before = snapshot(network)
    for target in (network, nn.ModuleList([nn.Conv2d(3, 3, 3, padding=1), network])):
        with pytest.raises(UserError) as caught, seamless(target, Axes.X):
            pytest.fail("entered")
        assert caught.value.kind is ErrorKind.MODEL
        assert name in caught.value.message
        assert "tiling" in caught.value.hint
    with seamless(network, Axes.NONE):
        assert_unchanged(before, network)


@pytest.mark.parametrize("axes", Axes)
@torch.no_grad()
def test_a_downsampler_that_pads_by_hand_wraps_right_and_bottom(axes: Axes) -> None:
    layer = Downsample2D(4, use_conv=True, padding=0)
    x = random_input(4, 6, 8)
    reference = F.pad(x, (0, 1, 0, 0), mode="circular" if axes.x else "constant")
    reference = F.pad(reference, (0, 0, 0, 1), mode="circular" if axes.y else "constant")
    with seamless(layer, axes):
        torch.testing.assert_close(layer(x), F.conv2d(reference, layer.conv.weight, layer.conv.bias, 2))
