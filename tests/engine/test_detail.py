# SPDX-License-Identifier: GPL-3.0-or-later
"""Detail sizes: what is sampled larger or smaller is the same texture, and comes at the size that was asked for."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from addon.core import recipe
from addon.core.errors import ErrorKind, UserError
from addon.core.requests.detail import Detail
from addon.core.requests.template import Template
from addon.core.requests.texture import STARTER, Size
from addon.engine import finish
from tests.engine.test_generate import Studio

PROMPT = "large red bricks"


@pytest.fixture(scope="module")
def starter(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    studio = Studio(tmp_path_factory.mktemp("details") / "store", Path(STARTER))
    studio.base = studio.base.from_json(
        studio.base.to_json() | {"model": STARTER, "prompt": PROMPT, "steps": 3, "guidance_scale": 1.0}
    )
    return studio


def halved(pixels: np.ndarray) -> np.ndarray:
    return finish.at_half(np.ascontiguousarray(pixels))


def test_fine_is_the_picture_of_twice_the_sides_shrunk(starter: Studio) -> None:
    large = starter.pixels(size=Size(256, 128))
    fine = starter.pixels(size=Size(128, 64), detail=Detail.FINE)
    assert fine.shape == (64, 128, 3)
    assert np.array_equal(fine, halved(large))


def test_coarse_is_the_picture_of_half_the_sides_enlarged_and_has_no_seam(starter: Studio) -> None:
    small = starter.pixels(size=Size(64, 128))
    (result,) = starter.make(size=Size(128, 256), detail=Detail.COARSE).done
    coarse = np.asarray(Image.open(result.path()))
    assert coarse.shape == (256, 128, 3)
    assert np.abs(halved(coarse).astype(int) - small).mean() < 4
    assert result.seam_score is not None
    assert not result.seam_shows, "the edge is a worse seam than cuts elsewhere"
    assert any(key.startswith(recipe.NETWORK) for key in result.recipe.environment), (
        "the recipe names the network that enlarged it"
    )


def test_a_mean_of_light_is_what_shrinks() -> None:
    checkers = np.zeros((64, 64, 3), np.uint8)
    checkers[::2, ::2] = checkers[1::2, 1::2] = 255
    assert np.array_equal(halved(checkers), np.full((32, 32, 3), 188, np.uint8))  # half of the light


def test_another_detail_needs_a_model_for_tori_and_one_picture_from_noise(starter: Studio, studio: Studio) -> None:
    with pytest.raises(UserError, match="own size only") as caught:
        studio.make(detail=Detail.FINE)
    assert caught.value.kind is ErrorKind.REQUEST
    template = Template(str(Path(__file__).resolve().parents[2] / "missing.png"))
    for changes in ({"template": template}, {"variants": 4}):
        with pytest.raises(UserError, match="one tile, without template"):
            starter.make(detail=Detail.FINE, **changes)
    assert not studio.store.exists(), "before any work"


@pytest.fixture
def studio(tmp_path: Path, sd_folder: Path) -> Studio:
    return Studio(tmp_path / "store", sd_folder)
