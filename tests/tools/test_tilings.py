# SPDX-License-Identifier: GPL-3.0-or-later
"""The comparison of ways to repeat, for who has the weights: with random ones here."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from addon.core.errors import UserError
from addon.core.requests.texture import Axes, Size, TextureRequest
from addon.engine.seamless import seamless
from tests.engine import networks
from tests.engine.test_rotary import off, rolled, sample
from tests.engine.test_seamless import LIMIT, assert_unchanged, snapshot
from tests.engine.transformer_pipelines import PIPELINES
from tests.engine.transformers_of_diffusers import random
from tools import tilings


@pytest.mark.parametrize("name", ["flux", "flux2_klein", "z_image", "qwen_image", "ernie_image"])
def test_each_way_makes_a_picture_of_its_own(name: str, tmp_path: Path) -> None:
    PIPELINES[name]().save_pretrained(tmp_path / "model")
    request = TextureRequest(
        "bricks", size=Size(128, 64), steps=2, guidance_scale=1.0, model=str(tmp_path / "model"), seed=5
    )
    scores = tilings.compare(request, tmp_path / "out", "cpu")
    ways = ["plain", "snapped", "rolled", *(["recentred"] if name != "ernie_image" else [])]
    assert list(scores) == ways
    pictures = [np.asarray(Image.open(tmp_path / "out" / f"{way}.png")) for way in ways]
    assert {picture.shape for picture in pictures} == {(64, 128, 3)}
    assert len({picture.tobytes() for picture in pictures}) == len(ways)
    tiled = np.asarray(Image.open(tmp_path / "out" / "snapped-2x2.png"))
    assert np.array_equal(tiled[64:, 128:], pictures[1])


@torch.no_grad()
def test_where_each_token_sees_the_others_by_the_shorter_way_the_trained_frequencies_are_periodic() -> None:
    """Without text: what is seen depends on the wrapped distance alone."""
    network = sample("FluxTransformer2DModel").network
    before = snapshot(network)
    told = {"pooled_projections": random(1, 8), "timestep": torch.tensor([0.4])}
    told |= {"encoder_hidden_states": random(1, 0, 16), "txt_ids": torch.zeros(0, 3)}
    told["img_ids"] = torch.cartesian_prod(torch.zeros(1), torch.arange(6.0), torch.arange(7.0))

    def run(x: torch.Tensor) -> torch.Tensor:
        made = network(hidden_states=x.flatten(2).transpose(1, 2), **told, return_dict=False)[0]
        return made.transpose(1, 2).reshape(x.shape)

    x, shift = random(1, 4, 6, 7), (2, 3)
    with tilings.recentred(network, block=1):
        once = run(x)
        assert off(run(rolled(x, shift, 1)), rolled(once, shift, 1)) <= LIMIT
    with tilings.recentred(network, block=16):
        assert off(run(x), once) > 1000 * LIMIT
    with seamless(network, Axes.XY):
        assert off(run(x), once) > 1000 * LIMIT
    assert_unchanged(before, network)


def test_a_model_without_rotary_positions_is_refused(tmp_path: Path) -> None:
    networks.sd_pipeline(networks.small_unet(), networks.kl_autoencoder()).save_pretrained(tmp_path / "model")
    request = TextureRequest("bricks", size=Size(64, 64), steps=1, model=str(tmp_path / "model"))
    with pytest.raises(UserError, match="no rotary positions"):
        tilings.compare(request, tmp_path, "cpu")
