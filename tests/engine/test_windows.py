# SPDX-License-Identifier: GPL-3.0-or-later
"""Denoising in windows: what a window needs not see of its borders it does not show, and the law on the torus."""

import pytest
import torch

from addon.core.requests.texture import Axes
from addon.engine import windows
from addon.engine.seamless import seamless
from addon.engine.windows import in_windows
from tests.engine.networks import sd_unet

SIDE = 16


class Local(torch.nn.Module):
    """A denoiser that sees one place only, so windows change nothing. seen: the shapes that it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[int, ...]] = []

    def forward(self, latents: torch.Tensor, time: int, scale: float = 1.0) -> tuple[torch.Tensor]:
        self.seen.append(tuple(latents.shape[-2:]))
        return (latents.square() * scale + time,)


@pytest.mark.parametrize("axes", Axes)
@pytest.mark.parametrize("shape", [(40, 56), (16, 40), (8, 8), (17, 16)])
def test_a_denoiser_that_sees_no_neighbours_gives_the_same_in_windows(axes: Axes, shape: tuple[int, int]) -> None:
    network, latents = Local(), torch.randn(2, 4, *shape)
    (whole,) = network(latents, 3, scale=0.5)
    network.seen.clear()
    with in_windows(network, SIDE, axes, seed=1):
        (made,) = network(latents, 3, scale=0.5)
    assert torch.allclose(made, whole, atol=1e-5)
    assert all(max(seen) <= SIDE for seen in network.seen)
    assert "forward" not in vars(network)


@pytest.mark.parametrize("axes", [Axes.XY, Axes.X, Axes.Y])
def test_rolled_latents_with_the_windows_rolled_give_rolled_ones(axes: Axes, monkeypatch: pytest.MonkeyPatch) -> None:
    network, latents = sd_unet(), torch.randn(1, 4, 40, 56)
    text, shift = torch.randn(1, 7, network.config.cross_attention_dim), (8 * axes.y, 16 * axes.x)
    place = windows._windows

    def run(values: torch.Tensor, moved: tuple[int, int]) -> torch.Tensor:
        def there(length: int, side: int, wraps: bool, offset: int) -> list[torch.Tensor]:
            return place(length, side, wraps, offset + (moved[0] if length == 40 else moved[1]))

        monkeypatch.setattr(windows, "_windows", there)
        with torch.inference_mode(), seamless(network, axes), in_windows(network, SIDE, axes, seed=2):
            result: torch.Tensor = network(values, 500, encoder_hidden_states=text, return_dict=False)[0]
        return result

    plain, rolled = run(latents, (0, 0)), run(latents.roll(shift, (2, 3)), shift)
    assert float((rolled - plain.roll(shift, (2, 3))).abs().max() / plain.abs().max()) <= 1e-5


def test_windows_lie_elsewhere_in_every_step_and_alike_for_the_same_seed() -> None:
    network, latents = Local(), torch.randn(1, 4, 40, 40)
    looked: list[list[int]] = []

    def place(length: int, side: int, wraps: bool, offset: int, plain=windows._windows) -> list[torch.Tensor]:
        looked[-1].append(offset)
        return plain(length, side, wraps, offset)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(windows, "_windows", place)
        for _ in range(2):
            looked.append([])
            with in_windows(network, SIDE, Axes.XY, seed=5):
                for step in range(3):
                    network(latents, step)
    assert looked[0] == looked[1]
    assert len(set(looked[0])) > 3
