# SPDX-License-Identifier: GPL-3.0-or-later
"""Rotary positions: on a torus, rolling a picture is turning its table, which only the text can tell."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from addon.core.requests.texture import Axes
from addon.engine import families
from addon.engine.families import rotary
from addon.engine.families.rotary import PERIODIC, Grid, Ids, on_torus
from addon.engine.seamless import seamless
from tests.engine.test_seamless import LIMIT, WRAPPED, assert_unchanged, snapshot
from tests.engine.transformers_of_diffusers import SAMPLES, Sample, random

SIZES = ((6, 8), (7, 4), (4, 5))  # rows and columns of tokens, even and odd
made: dict[str, Sample] = {}


def sample(name: str) -> Sample:
    if name not in made:
        made[name] = SAMPLES[name]()
    return made[name]


@contextmanager
def turned(network: nn.Module, axes: Axes, shift: tuple[int, int], snapped: bool = True) -> Iterator[None]:
    """The picture's table with each channel turned by one angle, as rolling the picture by `shift` tokens asks for.

    snapped: on the torus; otherwise with the frequencies that the network came with.
    """
    ((owner, name, periodic),) = PERIODIC[type(network).__name__](network, axes)

    def table(*arguments: Any, **named: Any) -> Any:
        before = periodic(*arguments, **named) if snapped else periodic.plain(*arguments, **named)
        after = tuple(map(torch.clone, before)) if isinstance(before, tuple) else before.clone()
        tokens, pictures = periodic.places.find(periodic.places.key(owner, *arguments, **named))
        phases = periodic.form.read(after, tokens).to(torch.complex128)
        for start, rows, columns in pictures:
            where = slice(start, start + rows * columns)
            grid = phases[where].unflatten(0, (rows, columns))
            turn = (grid[0, 0] / grid[shift[0], 0]) * (grid[0, 0] / grid[0, shift[1]])
            periodic.form.write(after, tokens, where, phases[where] * turn)
        return after

    old = vars(owner).get(name)
    vars(owner)[name] = table
    try:
        yield
    finally:
        if old is None:
            del vars(owner)[name]
        else:
            vars(owner)[name] = old


def rolled(latents: torch.Tensor, shift: tuple[int, int], patch: int) -> torch.Tensor:
    return torch.roll(latents, [step * patch for step in shift], (-2, -1))


def off(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one - other).abs().max() / other.abs().max())


def law(name: str, axes: Axes, size: tuple[int, int], shift: tuple[int, int], snapped: bool = True) -> float:
    """How far rolling the picture is from turning its table."""
    network, run, channels, patch = vars(sample(name)).values()
    x = random(1, channels, size[0] * patch, size[1] * patch, seed=5)
    if snapped:
        with seamless(network, axes):
            expected = rolled(run(x), shift, patch)
    else:
        expected = rolled(run(x), shift, patch)
    with turned(network, axes, shift, snapped):
        return off(run(rolled(x, shift, patch)), expected)


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("axes", WRAPPED)
@pytest.mark.parametrize("size", SIZES)
@torch.no_grad()
def test_rolling_the_picture_is_turning_its_table(name: str, axes: Axes, size: tuple[int, int]) -> None:
    assert law(name, axes, size, (2 * axes.y, 3 * axes.x)) <= LIMIT


@pytest.mark.parametrize("name", SAMPLES)
@torch.no_grad()
def test_with_the_frequencies_it_came_with_or_on_another_axis_it_is_not(name: str) -> None:
    """Shows that the test of the law can fail."""
    for shift in ((2, 0), (0, 3)):
        assert law(name, Axes.XY, (6, 8), shift, snapped=False) > 1000 * LIMIT
    assert law(name, Axes.X, (6, 8), (2, 0)) > 1000 * LIMIT
    assert law(name, Axes.Y, (6, 8), (0, 3)) > 1000 * LIMIT


@torch.no_grad()
def test_with_a_lora_too() -> None:
    from peft import LoraConfig, inject_adapter_in_model

    adapted = made["with a LoRA"] = SAMPLES["QwenImageTransformer2DModel"]()
    x = random(1, adapted.channels, 4, 6)
    plain = adapted.run(x)
    config = LoraConfig(r=2, target_modules=["to_q", "to_k", "to_out.0", "add_q_proj"], init_lora_weights=False)
    inject_adapter_in_model(config, adapted.network)
    assert off(adapted.run(x), plain) > 0.01
    assert law("with a LoRA", Axes.XY, (6, 8), (2, 3)) <= LIMIT


def test_every_network_with_rotary_positions_is_tested() -> None:
    assert list(SAMPLES) == sorted(PERIODIC)


@pytest.mark.parametrize("name", SAMPLES)
@torch.no_grad()
def test_without_tiling_it_is_plain_and_everything_is_restored(name: str) -> None:
    network, run, channels, patch = vars(sample(name)).values()
    x = random(1, channels, 4 * patch, 6 * patch)
    plain = run(x)
    with seamless(network, Axes.NONE):
        assert torch.equal(run(x), plain)
    with seamless(network, Axes.XY):
        torus = run(x)
        assert not torch.equal(torus, plain)
        with seamless(network, Axes.NONE):
            assert torch.equal(run(x), plain)
        with seamless(network, Axes.X):
            assert not torch.equal(run(x), torus)
        assert torch.equal(run(x), torus)
    assert torch.equal(run(x), plain)
    before = snapshot(network)
    with seamless(network, Axes.XY):
        assert snapshot(network) != before
    assert_unchanged(before, network)
    with pytest.raises(ZeroDivisionError), seamless(network, Axes.XY):
        raise ZeroDivisionError
    assert_unchanged(before, network)


@pytest.mark.parametrize("name", SAMPLES)
@torch.no_grad()
def test_the_rows_of_the_text_stay_as_they_are(name: str) -> None:
    network, run, channels, patch = vars(sample(name)).values()
    ((owner, attribute, periodic),) = PERIODIC[name](network, Axes.XY)
    seen = []

    def table(*arguments: Any, **named: Any) -> Any:
        plain, torus = periodic.plain(*arguments, **named), periodic(*arguments, **named)
        tokens, pictures = periodic.places.find(periodic.places.key(owner, *arguments, **named))
        text = torch.ones(tokens, dtype=torch.bool)
        for start, rows, columns in pictures:
            text[start : start + rows * columns] = False
        seen.append(tokens - int(text.sum()))
        for one, other in zip(*(part if isinstance(part, tuple) else (part,) for part in (plain, torus)), strict=True):
            if one.shape == other.shape and one.numel() % tokens == 0:
                assert torch.equal(one.reshape(tokens, -1)[text], other.reshape(tokens, -1)[text])
        return plain

    vars(owner)[attribute] = table
    try:
        run(random(1, channels, 4 * patch, 6 * patch))
    finally:
        if attribute == "rope_embedder":
            vars(owner)[attribute] = periodic.plain
        else:
            del vars(owner)[attribute]
    assert max(seen) == 24


@torch.no_grad()
def test_without_text_a_rolled_picture_needs_no_turn() -> None:
    """What the picture's tokens see of each other depends on their wrapped distance alone."""
    network = sample("FluxTransformer2DModel").network
    grid = torch.cartesian_prod(torch.zeros(1), torch.arange(6.0), torch.arange(7.0))
    told = {"pooled_projections": random(1, 8), "timestep": torch.tensor([0.4]), "img_ids": grid}
    told |= {"encoder_hidden_states": random(1, 0, 16), "txt_ids": torch.zeros(0, 3)}

    def run(x: torch.Tensor) -> torch.Tensor:
        made = network(hidden_states=x.flatten(2).transpose(1, 2), **told, return_dict=False)[0]
        return made.transpose(1, 2).reshape(x.shape)

    x = random(1, 4, 6, 7)
    shift = (2, 3)
    assert off(run(rolled(x, shift, 1)), rolled(run(x), shift, 1)) > 1000 * LIMIT
    with seamless(network, Axes.XY):
        assert off(run(rolled(x, shift, 1)), rolled(run(x), shift, 1)) <= LIMIT


@torch.no_grad()
def test_ernie_image_sees_places_not_distances_alone() -> None:
    """diffusers 0.42.1 turns each of its pairs of channels by two angles: without text too a turn is needed."""
    network = sample("ErnieImageTransformer2DModel").network
    x, shift = random(1, 4, 6, 7), (2, 3)

    def run(latents: torch.Tensor) -> torch.Tensor:
        nothing = random(1, 0, 48), torch.tensor([0])
        return network(latents, torch.tensor([400.0]), *nothing, return_dict=False)[0]

    with seamless(network, Axes.XY):
        expected = rolled(run(x), shift, 1)
        assert off(run(rolled(x, shift, 1)), expected) > 1000 * LIMIT
        with turned(network, Axes.XY, shift):
            assert off(run(rolled(x, shift, 1)), expected) <= LIMIT


@torch.no_grad()
def test_a_copy_made_inside_stays_periodic() -> None:
    network = sample("QwenImageTransformer2DModel").network
    before = snapshot(network)
    with seamless(network, Axes.XY):
        duplicate = copy.deepcopy(network)
    assert_unchanged(before, network)
    assert "forward" in vars(duplicate.pos_embed)
    with seamless(duplicate, Axes.NONE):
        assert "forward" not in vars(duplicate.pos_embed)


# --- the core


@given(
    length=st.integers(2, 200),
    frequency=st.floats(1e-4, 1.0),
    offset=st.integers(0, 1000),
    axis=st.sampled_from((0, 1)),
)
def test_a_frequency_becomes_the_nearest_that_comes_round_and_stays_what_it_was_in_the_middle(
    length: int, frequency: float, offset: int, axis: int
) -> None:
    places = torch.arange(length, dtype=torch.float64)
    phases = torch.polar(torch.ones_like(places), frequency * (places + offset))
    other = 3
    grid = phases[:, None].expand(-1, other) if axis == 0 else phases.expand(other, -1)
    rows, columns = grid.shape
    torus = on_torus(grid.reshape(-1, 1), rows, columns, (Axes.Y, Axes.X)[axis]).reshape(rows, columns)
    line = torus[:, 0] if axis == 0 else torus[0]
    exact = frequency * length / (2 * np.pi)
    torch.testing.assert_close(torus, (line[:, None].expand(-1, other) if axis == 0 else line.expand(other, -1)))
    step = (line.roll(-1) / line).angle()
    assert float((step - step[0]).abs().max()) < 1e-6 or abs(abs(float(step[0])) - np.pi) < 1e-6
    cycles = round(float(step[0]) * length / (2 * np.pi)) % length
    if abs(exact % 1 - 0.5) > 1e-6:  # else both neighbours are as near
        assert cycles == round(exact) % length
        middle = (length - 1) / 2
        expected = frequency * (offset + middle) + 2 * np.pi * round(exact) / length * (0 - middle)
        assert abs(complex(line[0]) - complex(np.exp(1j * expected))) < 1e-6


def test_the_other_axis_is_not_touched_nor_channels_that_do_not_vary() -> None:
    places = torch.cartesian_prod(torch.arange(5.0), torch.arange(7.0)).double()
    phases = torch.stack([torch.polar(torch.ones(35).double(), places[:, axis] * 0.7) for axis in (0, 1)], 1)
    torus = on_torus(phases, 5, 7, Axes.X)
    assert float((torus[:, 0] - phases[:, 0]).abs().max()) < 1e-6
    assert float((torus[:, 1] - phases[:, 1]).abs().max()) > 0.1
    torch.testing.assert_close(on_torus(phases, 5, 7, Axes.NONE), phases.to(torch.complex64))


def ids(*parts: torch.Tensor) -> list[Grid]:
    places = Ids()
    return places.find(places.key(None, torch.cat(parts)))[1]


def test_pictures_are_found_among_texts_that_stand_still_or_go_along_a_diagonal_and_in_batches() -> None:
    still, diagonal = torch.zeros(6, 3), torch.arange(9.0)[:, None].expand(-1, 3)
    grid = torch.cartesian_prod(torch.tensor([3.0]), torch.arange(4.0), torch.arange(5.0))
    assert ids(still, grid) == [Grid(6, 4, 5)]
    assert ids(grid, still) == [Grid(0, 4, 5)]
    assert ids(diagonal, grid + 40) == [Grid(9, 4, 5)]
    assert ids(grid, still, grid, still) == [Grid(0, 4, 5), Grid(26, 4, 5)]
    assert ids(still) == ids(diagonal) == []
    assert ids(still, torch.cartesian_prod(torch.zeros(1), torch.zeros(1), torch.arange(5.0))) == [Grid(6, 1, 5)]


@torch.no_grad()
def test_the_table_is_made_once_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    network, run, channels, patch = vars(sample("ZImageTransformer2DModel")).values()
    calls = []
    monkeypatch.setattr(rotary, "on_torus", lambda *arguments: calls.append(arguments[1:3]) or on_torus(*arguments))
    with seamless(network, Axes.XY):
        for columns in (4, 4, 6, 4, 6):
            run(random(1, channels, 4 * patch, columns * patch))
    assert calls == [(4, 4), (4, 6)]


def test_a_family_that_lists_no_network_of_its_own_has_these() -> None:
    for name in PERIODIC:
        assert families.periodic(name) is PERIODIC[name]
