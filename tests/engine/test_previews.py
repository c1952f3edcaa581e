# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures in the making: they look like the picture, cost little, change nothing, and leave nothing behind."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from addon.core import sketch
from addon.core.families.catalogue import STARTER_FOLDER, resolve
from addon.core.protocol import Start
from addon.core.requests.texture import STARTER, Scheduler, Size, TextureRequest
from addon.core.results import PART
from addon.engine import generate, previews
from addon.engine.previews import Previews
from tests.engine.test_generate import Stop, Studio, Watch


@pytest.fixture
def studio(tmp_path: Path, sd_folder: Path) -> Studio:
    return Studio(tmp_path / "store", sd_folder)


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """A preview after every step, not twice a second."""
    monkeypatch.setattr(previews, "SECONDS_BETWEEN", 0.0)


def make(studio: Studio, request: TextureRequest, watch: Watch | None = None) -> Watch:
    watch = watch or Watch()
    generate.make_images(studio.cache, Start("j", request, str(studio.store), "cpu", "full", previews=True), watch)
    return watch


def pixels_of(drawn: sketch.Sketch) -> np.ndarray:
    """Shape (height, width, 4), the top row first."""
    return np.frombuffer(drawn.pixels, np.uint8).reshape(drawn.height, drawn.width, 4)[::-1]


@pytest.mark.usefixtures("always")
def test_every_step_but_the_last_has_a_preview_of_the_latents_size(studio: Studio) -> None:
    request = TextureRequest("bricks", size=Size(128, 64), steps=4, count=2, model=studio.base.model)
    shown = make(studio, request).previews
    assert [(image, step) for image, step, _ in shown] == [(i, s) for i in range(2) for s in (1, 2, 3)]
    assert {(drawn.width, drawn.height) for _, _, drawn in shown} == {(16, 8)}
    assert all((pixels_of(drawn)[..., 3] == 255).all() for _, _, drawn in shown)


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("scheduler", Scheduler)
def test_previews_change_no_pixel(studio: Studio, scheduler: Scheduler) -> None:
    plain = studio.pixels(steps=4, scheduler=scheduler)
    request = TextureRequest(
        "bricks",
        size=studio.base.size,
        steps=4,
        seed=studio.base.seed,
        guidance_scale=studio.base.guidance_scale,
        scheduler=scheduler,
        model=studio.base.model,
    )
    watch = make(studio, request)
    assert len(watch.previews) == 3
    assert np.array_equal(np.asarray(Image.open(watch.done[0].path())), plain)


@pytest.mark.usefixtures("always")
def test_nothing_is_left_of_previews_also_of_a_job_that_was_cancelled(studio: Studio) -> None:
    request = TextureRequest("bricks", size=Size(64, 64), steps=6, model=studio.base.model)

    class Impatient(Watch):
        def preview(self, image: int, step: int, path: Path) -> None:
            super().preview(image, step, path)
            (folder,) = [name for name in os.listdir(studio.store) if name.startswith(PART)]
            assert folder.startswith(f"{PART}{os.getpid()}-"), "the store's clean-up would not know whose it is"
            assert len(os.listdir(studio.store / folder)) <= 3, "they pile up"
            if step == 4:
                raise Stop

    with pytest.raises(Stop):
        make(studio, request, Impatient())
    assert studio.stored() == []


@pytest.mark.slow
@pytest.mark.usefixtures("always")
def test_the_last_preview_of_the_starter_has_the_pictures_colors_where_they_are(tmp_path: Path) -> None:
    studio = Studio(tmp_path / "store", STARTER_FOLDER)
    # Of a picture whose upper half is not like its lower one, so that it shows which way up a preview is.
    request = TextureRequest("grey cobblestone", size=Size(256, 192), steps=resolve(STARTER).defaults.steps, seed=1)
    watch = make(studio, request)
    picture = Image.open(watch.done[0].path()).resize((32, 24), Image.Resampling.BOX)
    final = np.asarray(picture).astype(float)
    shown = pixels_of(watch.previews[-1][2])[..., :3].astype(float)
    upside_down = shown[::-1]
    assert np.abs(shown - final).mean() < 25, "of 255"
    assert np.abs(shown - final).mean() < 0.7 * np.abs(upside_down - final).mean()


@pytest.mark.usefixtures("always")
def test_the_map_is_fitted_once_a_model(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    fitted: list[object] = []
    fit = previews.fit
    monkeypatch.setattr(previews, "fit", lambda loaded: (fitted.append(loaded), fit(loaded))[1])
    request = TextureRequest("bricks", size=Size(64, 64), steps=3, model=studio.base.model)
    make(studio, request)
    make(studio, request)
    assert len(fitted) == 1


def test_there_are_two_a_second_at_most(studio: Studio, tmp_path: Path) -> None:
    clock, told = [0.0], []
    shown = Previews(tmp_path, lambda image, step, path: told.append((clock[0], path)), lambda: clock[0])
    latents = torch.randn(1, 4, 8, 8)
    for step in range(40):
        clock[0] = step / 10
        shown.offer(studio.loaded(), latents, Size(64, 64), 0, step)
    assert [second for second, _ in told] == pytest.approx([0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5])


@pytest.mark.parametrize("error", [RuntimeError("no"), torch.OutOfMemoryError("out of memory"), OSError(28, "full")])
def test_a_preview_that_fails_does_not_fail_the_job(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, error: Exception, always: None
) -> None:
    calls: list[int] = []

    def broken(*_: object) -> sketch.Sketch:
        calls.append(1)
        raise error

    monkeypatch.setattr(previews, "draw", broken)
    watch = make(studio, TextureRequest("bricks", size=Size(64, 64), steps=4, model=studio.base.model))
    assert len(watch.done) == 1
    assert watch.notes == []
    assert len(calls) == 1, "it is not tried again and again"


def test_latents_that_are_not_finite_are_no_preview(studio: Studio) -> None:
    with pytest.raises(ValueError), torch.inference_mode():
        previews.draw(studio.loaded(), torch.full((1, 4, 8, 8), torch.nan))


def test_very_large_latents_are_thinned_out(studio: Studio) -> None:
    with torch.inference_mode():
        drawn = previews.draw(studio.loaded(), torch.zeros(1, 4, 300, 600))
    assert (drawn.width, drawn.height) == (200, 100)


@pytest.mark.parametrize("wanted", [True, False])
def test_a_store_that_cannot_hold_previews_leaves_the_telling_to_the_job(tmp_path: Path, wanted: bool) -> None:
    (tmp_path / "file").write_text("in the way")
    with previews.previews(tmp_path / "file" / "store", wanted, lambda *_: None) as shown:
        assert shown is None
