# SPDX-License-Identifier: GPL-3.0-or-later
"""Sine tables on a torus. Attention does not care about order, so rolling a table with its tokens would prove nothing:
the products of rows must depend on the wrapped distance alone, and a turn of the angles must roll the table.
"""

from typing import Any

import numpy as np
import pytest
import torch
from diffusers.models.embeddings import PatchEmbed, get_2d_sincos_pos_embed

from addon.core.errors import ErrorKind, UserError
from addon.core.requests.texture import Axes
from addon.engine.families import sines
from addon.engine.families.sines import SineTable
from addon.engine.seamless import seamless
from tests.engine import transformer_networks as tiny
from tests.engine.test_seamless import LIMIT, WRAPPED, assert_unchanged, random_input, roll_error, snapshot

# As Stable Diffusion 3 brings one, and as PixArt-Sigma's is made for each size; of fewer channels
TABLES = {
    "brought": PatchEmbed(128, 128, 2, 4, 384, pos_embed_max_size=192),
    "made": PatchEmbed(128, 128, 2, 4, 384, interpolation_scale=2),
}
SIZES = [(16, 15), (9, 12)]  # tokens


def off_the_law(table: torch.Tensor, size: tuple[int, int], axes: Axes) -> float:
    """How far products of rows are from being functions of the wrapped distance, of the greatest product."""
    rows = table.double().reshape(*size, -1)
    products = torch.einsum("yxc,vuc->yxvu", rows, rows)
    worst = 0.0
    for wraps, here, there in ((axes.y, 0, 2), (axes.x, 1, 3)):
        if wraps:
            lines = products.unbind(here)
            moved = torch.stack([line.roll(-place, there - 1) for place, line in enumerate(lines)])
            worst = max(worst, float((moved - moved[:1]).abs().max()))
    return worst / float(products.max())


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("axes", WRAPPED)
def test_products_of_rows_depend_on_the_wrapped_distance_alone(name: str, size: tuple[int, int], axes: Axes) -> None:
    height, width = (2 * side for side in size)  # two latents are a token
    assert off_the_law(SineTable(TABLES[name], axes)(height, width), size, axes) <= 1e-6
    assert off_the_law(SineTable(TABLES[name], Axes.NONE)(height, width), size, axes) > 0.01


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("axes", WRAPPED)
def test_a_turn_of_the_angles_rolls_the_table_which_it_does_not_where_it_does_not_wrap(
    name: str, size: tuple[int, int], axes: Axes
) -> None:
    height, width = (2 * side for side in size)
    turn = 5 * axes.y, 4 * axes.x
    for snapped, most in ((axes, 1e-6), (Axes.NONE, None)):
        table = SineTable(TABLES[name], snapped)(height, width).reshape(*size, -1)
        turned = SineTable(TABLES[name], snapped, turn)(height, width).reshape(*size, -1)
        error = float((turned - table.roll(turn, (0, 1))).abs().max())
        assert error <= most if most else error > 0.5


def test_without_wrapping_it_is_the_table_of_the_model() -> None:
    module = TABLES["brought"]
    assert (SineTable(module, Axes.NONE)(60, 90) - module.cropped_pos_embed(60, 90)).abs().max() <= 1e-5
    module = TABLES["made"]
    assert torch.equal(SineTable(module, Axes.NONE)(128, 128), module.pos_embed)
    other = get_2d_sincos_pos_embed(384, (40, 64), base_size=module.base_size, interpolation_scale=2)
    assert (SineTable(module, Axes.NONE)(80, 128)[0] - other).abs().max() <= 2e-6


@pytest.mark.parametrize("name", TABLES)
def test_the_middle_of_the_picture_keeps_its_place_and_no_place_is_far_off(name: str) -> None:
    """A frequency changes by half a turn over the picture at most, a quarter on either side of the middle."""
    plain, snapped = (SineTable(TABLES[name], axes)(64, 62).reshape(32, 31, -1) for axes in (Axes.NONE, Axes.XY))
    half = plain.shape[-1] // 2
    assert (plain - snapped)[:, 15, :half].abs().max() <= 1e-6
    assert (plain - snapped)[..., :half].abs().max() <= 2 * torch.sin(torch.tensor(torch.pi / 4)) + 1e-6


def test_a_table_in_16_bits_is_read_as_well() -> None:
    module = PatchEmbed(64, 64, 2, 4, 64, pos_embed_max_size=48)
    plain = SineTable(module, Axes.XY)(32, 32)
    assert (SineTable(module.half(), Axes.XY)(32, 32) - plain).abs().max() <= 1e-3


def test_a_table_that_was_learned_is_refused_and_nothing_is_patched() -> None:
    network = tiny.sd3_transformer()
    network.pos_embed.pos_embed.normal_()
    before = snapshot(network)
    with pytest.raises(UserError) as caught, seamless(network, Axes.Y):
        pytest.fail("entered")
    assert caught.value.kind is ErrorKind.MODEL
    with seamless(network, Axes.NONE):
        assert_unchanged(before, network)


# --- whole networks

TEXT = torch.randn(1, 7, tiny.WIDTH, generator=torch.Generator().manual_seed(0))


def sd3(network: Any, x: torch.Tensor) -> torch.Tensor:
    text = torch.cat((TEXT, TEXT), 2)
    return network(x, text, text[:, 0], torch.tensor([400.0])).sample


def pixart(network: Any, x: torch.Tensor) -> torch.Tensor:
    told = {"resolution": None, "aspect_ratio": None}
    return network(x, TEXT, torch.tensor([400]), added_cond_kwargs=told, return_dict=False)[0]


def sana(network: Any, x: torch.Tensor) -> torch.Tensor:
    return network(torch.cat((x, x), 1), TEXT, torch.tensor([400.0])).sample


def table_of(network: Any) -> PatchEmbed:
    (found,) = (module for module in network.modules() if isinstance(module, PatchEmbed))
    return found


# name: (network, how to call it, latents of a side of one token); Sana's largest has a table, the others none
NETWORKS = {
    "SD3": (tiny.sd3_transformer(), sd3, 2),
    "PixArt": (tiny.pixart_transformer(), pixart, 2),
    "Sana": (tiny.sana_transformer(interpolation_scale=2.0), sana, 1),
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("axes", WRAPPED)
@pytest.mark.parametrize("size", [(16, 12), (14, 10)])  # even and odd numbers of tokens
@torch.no_grad()
def test_rolled_latents_with_turned_angles_are_predicted_alike(name: str, axes: Axes, size: tuple[int, int]) -> None:
    network, call, patch = NETWORKS[name]
    x = random_input(4, *size)
    turn = 3 * axes.y, 2 * axes.x
    shift = tuple(patch * tokens for tokens in turn)

    def error(snapped: Axes) -> float:
        results = []
        for roll, angles in (((0, 0), (0, 0)), (shift, turn)):
            with seamless(network, axes):
                vars(table_of(network))["cropped_pos_embed"] = SineTable(table_of(network), snapped, angles)
                results.append(call(network, x.roll(roll, (2, 3))))
        expected = results[0].roll(shift, (2, 3))
        return float((results[1] - expected).abs().max() / expected.abs().max())

    assert error(axes) <= LIMIT
    assert error(Axes.NONE) > 100 * LIMIT  # the same turn of the model's own angles does not do it


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("outer", Axes)
@torch.no_grad()
def test_the_innermost_block_decides_and_everything_is_restored(name: str, outer: Axes) -> None:
    network, call, _ = NETWORKS[name]
    x, before = random_input(4, 16, 16), snapshot(network)
    plain = call(network, x)
    assert roll_error(lambda x: call(network, x), x, (4, 2), 1) > 100 * LIMIT
    with seamless(network, outer):
        wrapped = call(network, x)
        assert torch.equal(wrapped, plain) is (outer is Axes.NONE)
        for inner in Axes:
            with seamless(network, inner):
                assert torch.equal(call(network, x), plain) is (inner is Axes.NONE)
        assert torch.equal(call(network, x), wrapped)
    assert_unchanged(before, network)
    assert torch.equal(call(network, x), plain)


@torch.no_grad()
def test_a_table_that_is_brought_does_not_limit_the_size_while_it_wraps() -> None:
    network, x = NETWORKS["SD3"][0], random_input(4, 64, 64)
    with pytest.raises(ValueError, match="pos_embed_max_size"):
        sd3(network, x)
    with seamless(network, Axes.XY):
        assert sd3(network, x).shape == x.shape


class OnApple(torch.Tensor):
    """As on Apple's graphics, which know no double precision."""

    def double(self, *_: object) -> torch.Tensor:
        raise TypeError("Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't support float64.")

    def cpu(self, *_: object) -> torch.Tensor:
        return self.as_subclass(torch.Tensor)


def test_a_table_is_read_from_a_device_without_double_precision() -> None:
    table = get_2d_sincos_pos_embed(16, 4, output_type="pt").float()[None]
    plain = sines._read(table, 4, "x")
    assert np.array_equal(sines._read(table.as_subclass(OnApple), 4, "x"), plain)
