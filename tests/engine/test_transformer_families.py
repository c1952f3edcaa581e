# SPDX-License-Identifier: GPL-3.0-or-later
"""Families with transformers, end to end: the real pipelines, from folders that they saved, with random weights."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline, PixArtAlphaPipeline
from PIL import Image

from addon.core.errors import ErrorKind, UserError
from addon.core.families import catalogue
from addon.core.protocol import Phase
from addon.core.requests.template import Region, Template
from addon.core.requests.texture import Axes, Scheduler, Size
from addon.engine import generate, previews
from addon.engine.beginning import Beginning
from addon.engine.devices import Decoding
from addon.engine.families.sines import SineTable
from addon.engine.latents import decode
from addon.engine.models import LoadedModel
from addon.engine.prompts import embed
from addon.engine.rolling import rolling
from addon.engine.seamless import seamless
from addon.engine.watcher import cancellable
from tests.engine import transformer_networks as tiny
from tests.engine.test_beginning import off
from tests.engine.test_generate import Stop, Studio, Watch
from tests.engine.test_seamless import WRAPPED, assert_unchanged, random_input, snapshot

MAKE: dict[str, Callable[[], Any]] = {
    "SD3": tiny.sd3_pipeline,
    "SD3 without T5": lambda: tiny.sd3_pipeline(t5=False),
    "SD3, shifted by the size": lambda: tiny.sd3_pipeline(use_dynamic_shifting=True),
    "PixArt-Sigma": tiny.pixart_pipeline,
    "PixArt-Alpha": lambda: tiny.pixart_pipeline(PixArtAlphaPipeline),
    "Sana": tiny.sana_pipeline,
    "AuraFlow": tiny.aura_pipeline,
}
SIZE = Size(128, 64)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("models")
    for name, make in MAKE.items():
        make().save_pretrained(root / name)
    return {name: root / name for name in MAKE}


@pytest.fixture
def studio_of(tmp_path: Path, folders: dict[str, Path]) -> Callable[[str], Studio]:
    def open_studio(name: str) -> Studio:
        made = Studio(tmp_path / "store", folders[name])
        made.base = replace(made.base, size=SIZE, guidance_scale=3.0, negative_prompt="rust")
        return made

    return open_studio


@pytest.fixture
def wall(tmp_path: Path) -> Path:
    path = tmp_path / "wall.png"
    pixels = np.random.default_rng(1).integers(0, 256, (SIZE.height, SIZE.width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


# What plain diffusers is told beside what every pipeline is; Sana and PixArt would make another size than asked for.
UNBINNED = {"use_resolution_binning": False}
MORE = {"PixArt-Sigma": UNBINNED, "PixArt-Alpha": UNBINNED, "Sana": UNBINNED}


@pytest.mark.parametrize("name", MAKE)
@pytest.mark.parametrize("guidance", [3.0, 1.0])
def test_without_tiling_the_picture_is_that_of_plain_diffusers_bit_for_bit(
    name: str, guidance: float, studio_of: Callable[[str], Studio], folders: dict[str, Path]
) -> None:
    studio = studio_of(name)
    mine = studio.pixels(axes=Axes.NONE, guidance_scale=guidance)
    none = {"text_encoder_3": None, "tokenizer_3": None} if name == "SD3 without T5" else {}
    pipeline = DiffusionPipeline.from_pretrained(folders[name], **none)
    pipeline.set_progress_bar_config(disable=True)
    pipeline.transformer.to(memory_format=torch.channels_last)
    pipeline.vae.to(memory_format=torch.channels_last)
    plain = pipeline(
        "bricks",
        negative_prompt="rust",
        width=SIZE.width,
        height=SIZE.height,
        num_inference_steps=3,
        guidance_scale=guidance,
        generator=torch.Generator().manual_seed(5),
        **MORE.get(name, {}),
    ).images[0]
    assert np.array_equal(mine, np.asarray(plain))
    assert mine.std() > 10


def table_of(loaded: LoadedModel) -> torch.nn.Module | None:
    module = getattr(loaded.pipeline.transformer, "pos_embed", None)
    return module if hasattr(module, "cropped_pos_embed") else None


def whole_run(
    studio: Studio,
    axes: Axes,
    tokens: tuple[int, int],
    snapped: Axes,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    masked: bool = False,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Latents and picture of 6 steps from noise (and a template) rolled by so many tokens, angles turned alike."""
    loaded = studio.loaded()
    pipeline, adapter = loaded.pipeline, loaded.adapter
    patch = getattr(pipeline.transformer.config, "patch_size", 1)
    shift = [patch * number for number in tokens]
    size = Size(256, 192) if adapter.pixels(pipeline) == 32 else SIZE
    asked = replace(studio.base, size=size, steps=6, template=Template("/wall.png", 0.7) if masked else None)
    shape = adapter.noise_shape(pipeline, size)
    noise, clean = (torch.randn(shape, generator=torch.Generator().manual_seed(n)).roll(shift, (2, 3)) for n in (3, 4))
    inside = (torch.rand((1, 1, *shape[2:]), generator=torch.Generator().manual_seed(5)) > 0.5).float()
    beginning = Beginning(clean, inside.roll(shift, (2, 3))) if masked else Beginning()
    monkeypatch.setattr(generate, "first_noise", lambda *_: noise)
    with torch.inference_mode(), seamless(pipeline, axes):
        if (module := table_of(loaded)) is not None:
            vars(module)["cropped_pos_embed"] = SineTable(module, snapped, tokens)
        embeddings, _ = embed(loaded, asked)
        latents = generate.sample(loaded, asked, embeddings, 0, Watch(), beginning=beginning)
        ready = adapter.to_vae(pipeline.vae, latents)
        return latents, decode(pipeline.vae, ready, axes, tmp_path, Decoding.WHOLE)


EXACT = [name for name in MAKE if name not in ("AuraFlow", "SD3 without T5")]


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("axes", WRAPPED)
@pytest.mark.parametrize("masked", [False, True])
def test_a_whole_run_under_roll_rolls_the_picture(
    name: str,
    axes: Axes,
    masked: bool,
    studio_of: Callable[[str], Studio],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    studio, tokens = studio_of(name), (2 * axes.y, 3 * axes.x)

    def errors(snapped: Axes) -> tuple[float, float]:
        (latents, picture), (moved, other) = (
            whole_run(studio, axes, way, snapped, monkeypatch, tmp_path, masked) for way in ((0, 0), tokens)
        )
        patch = getattr(studio.loaded().pipeline.transformer.config, "patch_size", 1)
        rolled = latents.roll([patch * number for number in tokens], (2, 3))
        factor = picture.shape[-1] // latents.shape[-1] * patch
        return off(moved, rolled), off(other, picture.roll([factor * number for number in tokens], (2, 3)))

    in_latents, in_pixels = errors(axes)
    record_property("latents", in_latents)
    record_property("pixels", in_pixels)
    assert in_latents <= 3e-5
    assert in_pixels <= 3e-5
    if table_of(studio.loaded()) is not None:
        assert min(errors(Axes.NONE)) > 1e-2  # the same turn of the model's own angles does not do it


@pytest.mark.parametrize("name", MAKE)
def test_a_picture_repeats_shows_previews_and_leaves_the_networks_as_they_were(
    name: str, studio_of: Callable[[str], Studio], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(previews, "SECONDS_BETWEEN", 0.0)
    studio = studio_of(name)
    before = [snapshot(part) for part in (studio.loaded().pipeline.transformer, studio.loaded().pipeline.vae)]
    watch = studio.make(axes=Axes.XY)
    (result,) = watch.done
    assert result.recipe.is_exact is (name != "AuraFlow")
    assert any("nearly" in text for text in watch.notes) is (name == "AuraFlow")
    steps = [step for phase, _, step, steps in watch.phases if phase is Phase.SAMPLING and steps == 3]
    assert steps == [0, 1, 2, 3]
    for state, part in zip(before, (studio.loaded().pipeline.transformer, studio.loaded().pipeline.vae), strict=True):
        assert_unchanged(state, part)
    channels = studio.loaded().pipeline.transformer.config.in_channels
    assert previews.fit(studio.loaded()).shape == (channels + 1, 3)


@pytest.mark.parametrize("name", MAKE)
def test_a_job_can_be_ended_in_the_middle_of_a_step(name: str, studio_of: Callable[[str], Studio]) -> None:
    studio = studio_of(name)
    all_of_it = studio.make(Watch())
    with pytest.raises(Stop):
        studio.make(Watch(stop_at=all_of_it.checks // 2))
    assert np.array_equal(studio.pixels(seed=6), studio.pixels(seed=6))


NETWORKS = {
    "SD3": (tiny.sd3_transformer, 3),
    "PixArt": (tiny.pixart_transformer, 2),
    "Sana": (tiny.sana_transformer, 2),
    "AuraFlow": (tiny.aura_transformer, 2),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_on_a_card_a_cancel_is_seen_before_each_block(name: str) -> None:
    """There the layers that a processor stops at are not asked: hooks on each of them cost time."""
    make, blocks = NETWORKS[name]
    checks: list[None] = []
    network = make()
    before = snapshot(network)
    with cancellable([network], generate._BLOCKS, lambda: checks.append(None)):
        hooked = [module for module in network.modules() if module._forward_pre_hooks]
        assert len(hooked) >= blocks
        for module in hooked:
            for hook in module._forward_pre_hooks.values():
                hook(module, ())
    assert len(checks) == len(hooked)
    assert_unchanged(before, network)


@pytest.mark.parametrize("name", MAKE)
def test_a_picture_is_made_from_a_picture_and_what_the_mask_leaves_out_stays(
    name: str, studio_of: Callable[[str], Studio], wall: Path, tmp_path: Path
) -> None:
    studio = studio_of(name)
    loaded, pixels = studio.loaded(), np.array(Image.open(wall))
    with torch.inference_mode(), seamless(loaded.pipeline, Axes.XY):
        encoded = generate.encode(loaded, pixels, print, tmp_path, Axes.XY)
        same = generate.decode(loaded, encoded, print, tmp_path).astype(int)
    far = [
        float(np.abs(studio.pixels(template=Template(str(wall), strength)).astype(int) - same).mean())
        for strength in (0.01, 0.3, 0.9)
    ]
    assert far == sorted(far)
    assert far[0] < 0.9 * far[2]
    pixels = pixels.astype(int)
    mask = np.zeros((SIZE.height, SIZE.width), np.uint8)
    mask[:, :64] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    template = Template(str(wall), 0.9, region=Region.MASK, mask=str(tmp_path / "mask.png"), feather=0.0)
    made = studio.pixels(template=template).astype(int)
    assert np.array_equal(made[:, 64:], pixels[:, 64:])
    assert not np.array_equal(made[:, :64], pixels[:, :64])


def test_an_end_that_is_not_read_is_told_of_by_what_the_pipeline_hands_to_its_encoder(
    studio_of: Callable[[str], Studio],
) -> None:
    studio = studio_of("PixArt-Alpha")
    assert studio.make().notes == []
    (note,) = studio.make(prompt="a wall of " + "red " * 40 + "bricks").notes
    assert "does not see" in note


def test_words_in_the_file_of_t5s_authors_are_read_alike(studio_of: Callable[[str], Studio], tmp_path: Path) -> None:
    """transformers 5.23 asks for two other packages to do it; PixArt's folders bring no other file."""
    studio = studio_of("PixArt-Sigma")
    folder = Path(shutil.copytree(studio.base.model, tmp_path / "old"))
    (folder / "tokenizer" / "tokenizer.json").unlink()
    tiny.write_spiece(folder / "tokenizer" / "spiece.model")
    text = "a wall of  red bricks, (1.5 m) Ünique <pad>"
    before, after = (studio.loaded(model=str(model)).pipeline.tokenizer for model in (studio.base.model, folder))
    assert before(text).input_ids == after(text).input_ids
    assert np.array_equal(studio.pixels(), studio.pixels(model=str(folder)))
    whole = (folder / "tokenizer" / "spiece.model").read_bytes()
    for broken in (whole[:-5], b"", b"\xff" * 40, whole[:100] + b"\x07" * 30):
        (folder / "tokenizer" / "spiece.model").write_bytes(broken)
        studio.cache.free()
        with pytest.raises(UserError) as caught:
            studio.loaded(model=str(folder))
        assert caught.value.kind is ErrorKind.MODEL


def test_a_folder_names_its_denoiser_by_the_class_that_it_once_was(
    studio_of: Callable[[str], Studio], tmp_path: Path
) -> None:
    """PixArt's own folders do, and diffusers makes of it what it is today."""
    studio = studio_of("PixArt-Sigma")
    folder = Path(shutil.copytree(studio.base.model, tmp_path / "old"))
    for path in (folder / "model_index.json", folder / "transformer" / "config.json"):
        path.write_text(path.read_text().replace("PixArtTransformer2DModel", "Transformer2DModel"))
    assert np.array_equal(studio.pixels(), studio.pixels(model=str(folder)))


# --- positions that are learned


def test_what_is_not_exact_is_known_before_the_job(folders: dict[str, Path]) -> None:
    for name, folder in folders.items():
        assert catalogue.resolve(str(folder)).exact is (name != "AuraFlow")


def test_a_picture_larger_than_the_table_of_places_is_refused(studio_of: Callable[[str], Studio]) -> None:
    with pytest.raises(UserError) as caught:
        studio_of("AuraFlow").make(size=Size(192, 64))
    assert caught.value.kind is ErrorKind.REQUEST
    assert "128x64" in caught.value.hint


@pytest.mark.parametrize("axes", Axes)
@torch.no_grad()
def test_in_every_step_the_picture_lies_elsewhere_as_the_seed_has_it(axes: Axes) -> None:
    network, x = tiny.aura_transformer(), random_input(4, 16, 16)
    text, time = torch.randn(1, 7, tiny.WIDTH, generator=torch.Generator().manual_seed(0)), torch.tensor([0.4])
    before, plain = snapshot(network), network(x, text, time).sample
    seen: list[torch.Tensor] = []
    handle = network.pos_embed.register_forward_pre_hook(lambda _module, given: seen.append(given[0]))
    runs = []
    for seed in (1, 1, 2):
        seen.clear()
        with rolling(network, axes, seed):
            made = [network(hidden_states=x, encoder_hidden_states=text, timestep=time, return_dict=False)[0]]
            made.append(network(x, encoder_hidden_states=text, timestep=time, return_dict=False)[0])
        runs.append([*made, *seen])
    handle.remove()
    assert_unchanged(before, network)
    assert all(torch.equal(one, other) for one, other in zip(runs[0], runs[1], strict=True))
    if axes is Axes.NONE:
        assert all(torch.equal(made, plain) for made in runs[0][:2])
        return
    assert not torch.equal(runs[0][2], runs[0][3])
    assert not torch.equal(runs[0][2], runs[2][2])
    for made, rolled in zip(runs[0][:2], runs[0][2:], strict=True):
        (way,) = {
            (down, across)
            for down in range(16)
            for across in range(16)
            if torch.equal(x.roll((down, across), (2, 3)), rolled)
        }
        assert way[0] == 0 or axes.y
        assert way[1] == 0 or axes.x
        direct = network(rolled, text, time).sample.roll((-way[0], -way[1]), (2, 3))
        assert torch.equal(made, direct)


def test_a_turbo_is_made_for_few_steps(folders: dict[str, Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(folders["SD3"], tmp_path / "stable-diffusion-3.5-large-turbo"))
    assert (catalogue.resolve(str(folder)).defaults.steps, catalogue.resolve(str(folders["SD3"])).defaults.steps) == (
        4,
        28,
    )


def test_the_scheduler_of_a_straight_path_offers_itself_alone(folders: dict[str, Path]) -> None:
    assert catalogue.resolve(str(folders["SD3"])).schedulers == (Scheduler.MODEL,)
    assert Scheduler.DPMPP_2M in catalogue.resolve(str(folders["Sana"])).schedulers
