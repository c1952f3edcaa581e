# SPDX-License-Identifier: GPL-3.0-or-later
"""ControlNets and IP-Adapters: the law under roll, plain diffusers bit for bit, and nothing that stays behind."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import cpu_offload
from diffusers import (
    ControlNetModel,
    ControlNetUnionModel,
    StableDiffusionControlNetPipeline,
    StableDiffusionPipeline,
    StableDiffusionXLControlNetPipeline,
    StableDiffusionXLControlNetUnionPipeline,
)
from diffusers.models.controlnets.multicontrolnet import MultiControlNetModel
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file, save_file

from addon.core import recipe, ways
from addon.core.errors import ErrorKind, UserError
from addon.core.families import by_pipeline
from addon.core.requests.guides import Control, ControlKind, Guides, Style
from addon.core.requests.template import Template
from addon.core.requests.texture import STARTER, Axes, Size
from addon.engine import generate, guide_files, guides
from addon.engine.attention import by_queries
from addon.engine.devices import EIGHT_BITS, GUIDES, Offload
from addon.engine.guide_files import GuideCache
from addon.engine.guide_pictures import GuidePictures, guide_pictures
from addon.engine.prompts import embed
from addon.engine.seamless import seamless
from tests.engine import networks
from tests.engine.test_generate import Stop, Studio, Watch
from tests.engine.test_seamless import LIMIT, WRAPPED, assert_unchanged, snapshot

RNG = np.random.default_rng(3)
PICTURE = RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8)
OTHER = RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8)


def save(path: Path, pixels: NDArray[Any]) -> Path:
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture(scope="session")
def controls(tmp_path_factory: pytest.TempPathFactory, sd_folder: Path, sdxl_folder: Path) -> dict[str, Path]:
    """ControlNets and IP-Adapters for the two small models; read only."""
    folder = tmp_path_factory.mktemp("guides")
    small, large = networks.small_unet(), networks.sdxl_unet(depth=2)
    found = {}
    for name, made in (
        ("depth", networks.control_net(small)),
        ("tile", networks.control_net(small, seed=11)),
        ("large", networks.control_net(large)),
        ("union", networks.union_net(large)),
    ):
        made.save_pretrained(folder / name)
        found[name] = folder / name
    found["style"] = networks.ip_adapter(small, folder / "style")
    found["plus"] = networks.ip_adapter(small, folder / "plus", plus=True)
    found["large style"] = networks.ip_adapter(large, folder / "large style")
    return found


@pytest.fixture
def studio(tmp_path: Path, sd_folder: Path) -> Studio:
    return Studio(tmp_path / "store", sd_folder)


@pytest.fixture
def sdxl_studio(tmp_path: Path, sdxl_folder: Path) -> Studio:
    return Studio(tmp_path / "store", sdxl_folder)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    return save(tmp_path / "picture.png", PICTURE)


@pytest.fixture
def other(tmp_path: Path) -> Path:
    return save(tmp_path / "other.png", OTHER)


def latents(studio: Studio, tmp_path: Path, noise: torch.Tensor | None = None, **changes: Any) -> torch.Tensor:
    """What is sampled, before the decoder. noise: in place of the seed's."""
    request = replace(studio.base, **changes)
    loaded = studio.cache.get(request, "cpu", "auto")
    plain = generate.first_noise
    if noise is not None:
        generate.first_noise = lambda *_: noise
    try:
        with (
            torch.inference_mode(),
            guide_pictures(request, tmp_path / "scratch", lambda: None) as pictures,
            guides.ready(loaded, pictures) as guide,
            seamless([loaded.pipeline.unet, *guide.networks], request.axes),
        ):
            embeddings, _ = embed(loaded, request)
            return generate.sample(loaded, request, embeddings, 0, Watch(), guide=guide)
    finally:
        generate.first_noise = plain


def off(mine: torch.Tensor, theirs: torch.Tensor) -> float:
    return float((mine - theirs).abs().max() / theirs.abs().max())


# --- as diffusers does, where nothing repeats


def as_picture(path: Path) -> torch.Tensor:
    pixels = np.asarray(Image.open(path).convert("RGB"), np.float32) / 255
    return torch.from_numpy(pixels).permute(2, 0, 1)[None]


def theirs(studio: Studio, cls: Any, controlnet: Any, **arguments: Any) -> torch.Tensor:
    loaded, request = studio.loaded(), studio.base
    parts = {name: part for name, part in loaded.pipeline.components.items() if name in cls.__init__.__annotations__}
    parts["scheduler"] = generate.make_scheduler(loaded, request.scheduler)
    extra = {"safety_checker": None, "feature_extractor": None} if "safety_checker" in parts else {}
    pipeline = cls(**parts | extra | ({"controlnet": controlnet} if controlnet is not None else {}))
    pipeline.set_progress_bar_config(disable=True)
    if "ip_adapter" in arguments:
        path, scale = arguments.pop("ip_adapter")
        # not low_cpu_mem_usage: the file's own tensors lie at odd places in memory, and are rounded otherwise there
        places = {"subfolder": "", "weight_name": path.name, "image_encoder_folder": "image_encoder"}
        pipeline.load_ip_adapter(str(path.parent), **places, low_cpu_mem_usage=False)
        pipeline.set_ip_adapter_scale(scale)
    try:
        return pipeline(
            request.prompt,
            negative_prompt=None,
            width=request.size.width,
            height=request.size.height,
            num_inference_steps=request.steps,
            guidance_scale=request.guidance_scale,
            generator=torch.Generator("cpu").manual_seed(request.seed),
            output_type="latent",
            **arguments,
        ).images
    finally:
        if pipeline.unet.encoder_hid_proj is not None:
            pipeline.unload_ip_adapter()


def test_without_tiling_it_is_diffusers_own_control_pipeline_bit_for_bit(
    studio: Studio, controls: dict[str, Path], picture: Path, tmp_path: Path
) -> None:
    asked = Guides((Control(str(controls["depth"]), str(picture), strength=0.7, start=0.2, end=0.9),))
    studio.base = replace(studio.base, steps=6, axes=Axes.NONE)
    mine = latents(studio, tmp_path, guides=asked)
    other = theirs(
        studio,
        StableDiffusionControlNetPipeline,
        studio.loaded().guides.networks.popitem()[1],
        image=as_picture(picture),
        controlnet_conditioning_scale=0.7,
        control_guidance_start=0.2,
        control_guidance_end=0.9,
    )
    assert torch.equal(mine, other)
    assert off(mine, latents(studio, tmp_path)) > 0.01


def test_so_are_two_at_once(
    studio: Studio, controls: dict[str, Path], picture: Path, other: Path, tmp_path: Path
) -> None:
    asked = Guides(
        (
            Control(str(controls["depth"]), str(picture), strength=0.7),
            Control(str(controls["tile"]), str(other), strength=0.4, end=0.7),
        )
    )
    studio.base = replace(studio.base, axes=Axes.NONE)
    mine = latents(studio, tmp_path, guides=asked)
    both = list(studio.loaded(guides=asked).guides.networks.values())
    plain = theirs(
        studio,
        StableDiffusionControlNetPipeline,
        MultiControlNetModel(both),
        image=[as_picture(picture), as_picture(other)],
        controlnet_conditioning_scale=[0.7, 0.4],
        control_guidance_end=[1.0, 0.7],
    )
    assert torch.equal(mine, plain)


def test_so_is_one_of_the_larger_family(
    sdxl_studio: Studio, controls: dict[str, Path], picture: Path, tmp_path: Path
) -> None:
    studio = sdxl_studio
    asked = Guides((Control(str(controls["large"]), str(picture)),))
    studio.base = replace(studio.base, axes=Axes.NONE)
    mine = latents(studio, tmp_path, guides=asked)
    (network,) = studio.loaded(guides=asked).guides.networks.values()
    assert torch.equal(mine, theirs(studio, StableDiffusionXLControlNetPipeline, network, image=as_picture(picture)))


@pytest.mark.parametrize("two", [False, True])
def test_so_is_the_union_which_reads_all_its_pictures_at_once(
    sdxl_studio: Studio, controls: dict[str, Path], picture: Path, other: Path, tmp_path: Path, two: bool
) -> None:
    studio = sdxl_studio
    asked = [Control(str(controls["union"]), str(picture), ControlKind.TILE, 0.8)]
    if two:
        asked.append(Control(str(controls["union"]), str(other), ControlKind.EDGES, 0.5))
    studio.base = replace(studio.base, axes=Axes.NONE, guides=Guides(tuple(asked)))
    mine = latents(studio, tmp_path)
    (network,) = studio.loaded().guides.networks.values()
    plain = theirs(
        studio,
        StableDiffusionXLControlNetUnionPipeline,
        network,
        control_image=[as_picture(picture), as_picture(other)][: len(asked)],
        control_mode=[6, 3][: len(asked)],
        controlnet_conditioning_scale=[0.8, 0.5][: len(asked)],
    )
    assert torch.equal(mine, plain)


@pytest.mark.parametrize("name", ["style", "plus"])
@pytest.mark.parametrize("guidance", [1.0, 7.0])
def test_a_style_is_that_of_diffusers_own_adapter_bit_for_bit(
    studio: Studio, controls: dict[str, Path], picture: Path, tmp_path: Path, name: str, guidance: float
) -> None:
    studio.base = replace(studio.base, axes=Axes.NONE, guidance_scale=guidance)
    mine = latents(studio, tmp_path, guides=Guides((), Style(str(controls[name]), str(picture), strength=0.8)))
    plain = theirs(
        studio,
        StableDiffusionPipeline,
        None,
        ip_adapter=(controls[name], 0.8),
        ip_adapter_image=Image.open(picture),
    )
    assert torch.equal(mine, plain)
    assert off(mine, latents(studio, tmp_path)) > 0.01


# --- under roll


@pytest.mark.parametrize("axes", WRAPPED)
@pytest.mark.parametrize("large", [False, True])
@torch.no_grad()
def test_a_control_net_obeys_the_law(axes: Axes, large: bool) -> None:
    unet = networks.sdxl_unet(depth=2) if large else networks.sd_unet()
    net = networks.union_net(unet) if large else networks.control_net(unet)
    grid = 4 if large else 8
    more: dict[str, Any] = {}
    if large:
        added = {"text_embeds": torch.ones(1, networks.TEXT_WIDTH), "time_ids": torch.ones(1, 6)}
        kinds = torch.zeros(1, 8)
        kinds[:, [1, 4]] = 1
        more = {"added_cond_kwargs": added, "control_type": kinds, "control_type_idx": [1, 4]}
    text = torch.randn(1, 7, unet.config.cross_attention_dim, generator=torch.Generator().manual_seed(1))
    x = torch.randn(1, 4, 2 * grid, 3 * grid, generator=torch.Generator().manual_seed(2))
    seen = torch.rand(2, 1, 3, 16 * grid, 24 * grid, generator=torch.Generator().manual_seed(3))
    shift = grid * axes.y, grid * axes.x

    def run(x: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        conditions = {"controlnet_cond": list(seen) if large else seen[0]}
        down, middle = net(x, 400, encoder_hidden_states=text, return_dict=False, **conditions, **more)
        named = {"down_block_additional_residuals": tuple(down), "mid_block_additional_residual": middle}
        more_named = {"added_cond_kwargs": more["added_cond_kwargs"]} if large else {}
        return unet(x, 400, encoder_hidden_states=text, return_dict=False, **named, **more_named)[0]

    def error() -> float:
        rolled = run(torch.roll(x, shift, (-2, -1)), torch.roll(seen, [8 * step for step in shift], (-2, -1)))
        return off(rolled, torch.roll(run(x, seen), shift, (-2, -1)))

    with seamless([unet, net], axes):
        assert error() <= LIMIT
    with seamless([unet], axes):  # shows that the test can fail
        assert error() > 100 * LIMIT


@pytest.mark.parametrize("axes", WRAPPED)
def test_a_whole_run_with_a_rolled_control_picture_is_the_rolled_run(
    studio: Studio, controls: dict[str, Path], tmp_path: Path, axes: Axes
) -> None:
    """With all that guides, at once, over 3 steps of DPM++."""
    shift = 2 * axes.y, 4 * axes.x
    noise = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(4))
    rolled_picture = np.roll(PICTURE, [8 * step for step in shift], (0, 1))
    style = Style(str(controls["style"]), str(save(tmp_path / "style.png", OTHER)))

    def run(pixels: NDArray[Any], noise: torch.Tensor) -> torch.Tensor:
        path = save(tmp_path / "control.png", pixels)
        control = Control(str(controls["depth"]), str(path), ControlKind.DEPTH)
        tile = Control(str(controls["tile"]), str(path), ControlKind.NORMAL, 0.5)
        return latents(studio, tmp_path, noise, guides=Guides((control, tile), style), axes=axes)

    rolled = run(rolled_picture, torch.roll(noise, shift, (-2, -1)))
    assert off(rolled, torch.roll(run(PICTURE, noise), shift, (-2, -1))) <= LIMIT


# --- pictures


def read(request: Any, tmp_path: Path) -> GuidePictures:
    with guide_pictures(request, tmp_path / "scratch", lambda: None) as found:
        assert found is not None
        return found


@pytest.mark.parametrize("bits", [8, 16])
def test_a_height_map_is_spread_over_the_whole_range(
    studio: Studio, controls: dict[str, Path], tmp_path: Path, bits: int
) -> None:
    height = np.linspace(100, 120, 64).round().astype(np.uint8)[None].repeat(64, 0)
    path = save(tmp_path / "height.png", height if bits == 8 else height.astype(np.uint16) * 257)
    asked = Guides((Control(str(controls["depth"]), str(path), ControlKind.DEPTH),))
    ((_, seen),) = read(replace(studio.base, guides=asked), tmp_path).controls
    assert seen.shape == (1, 3, 64, 64)
    assert torch.equal(seen[0, 0], seen[0, 2])
    assert torch.allclose(seen[0, 0], torch.from_numpy((height - 100.0) / 20).float(), atol=1e-5)


def test_a_normal_map_is_turned_to_what_control_nets_learned(
    studio: Studio, controls: dict[str, Path], tmp_path: Path
) -> None:
    """Red is to the left there, green stays up, and flat is as blue as before."""
    normals = np.zeros((64, 64, 3), np.uint8)
    normals[:32] = 128, 128, 255
    normals[32:] = 218, 182, 182  # right, and up
    path = save(tmp_path / "normal.png", normals)
    asked = Guides((Control(str(controls["depth"]), str(path), ControlKind.NORMAL),))
    ((_, seen),) = read(replace(studio.base, guides=asked), tmp_path).controls
    flat, leaning = seen[0, :, 0, 0] * 2 - 1, seen[0, :, 63, 0] * 2 - 1
    assert torch.allclose(flat, torch.tensor([0.0, 0.0, 1.0]), atol=0.01)
    assert torch.allclose(leaning, torch.tensor([-0.70, 0.42, 0.42]) / 0.92, atol=0.02)
    assert float(leaning.norm()) == pytest.approx(1, abs=1e-5)


def test_a_picture_of_another_size_is_fitted_on_the_torus(
    studio: Studio, controls: dict[str, Path], tmp_path: Path
) -> None:
    """diffusers' own resizing does not wrap: 0.30 off."""
    large = RNG.integers(0, 256, (128, 128, 3), dtype=np.uint8)

    def seen(pixels: NDArray[Any]) -> torch.Tensor:
        control = Control(str(controls["depth"]), str(save(tmp_path / "large.png", pixels)), ControlKind.TILE)
        return read(replace(studio.base, guides=Guides((control,))), tmp_path).controls[0][1]

    rolled = seen(np.roll(large, (6, 2), (0, 1)))
    assert off(rolled, torch.roll(seen(large), (3, 1), (-2, -1))) <= 1e-6


# --- a job


def test_a_result_tells_what_guided_it_and_keeps_the_pictures(
    studio: Studio, controls: dict[str, Path], picture: Path, other: Path
) -> None:
    asked = Guides(
        (Control(str(controls["depth"]), str(picture), ControlKind.TILE),), Style(str(controls["style"]), str(other))
    )
    (made,) = studio.make(guides=asked).done
    known = made.recipe.texture.guides
    assert [len(known.controls[0].sha256), len(known.controls[0].fingerprint)] == [64, 16]
    assert recipe.read_png(made.path()) == made.recipe
    assert not made.recipe.is_exact  # nobody knows that of the picture
    assert made.path("guide1").read_bytes() == picture.read_bytes()
    assert made.path("guide2").read_bytes() == other.read_bytes()
    assert studio.stored() == [made.folder.name]
    pixels = np.asarray(Image.open(made.path()))
    assert not np.array_equal(pixels, studio.pixels())
    picture.unlink()
    other.unlink()
    again = ways.again(made)
    assert np.array_equal(studio.pixels(**{"guides": again.guides}), pixels)


def test_what_has_become_another_is_refused(
    studio: Studio, controls: dict[str, Path], picture: Path, tmp_path: Path
) -> None:
    (made,) = studio.make(guides=Guides((Control(str(controls["depth"]), str(picture)),))).done
    known = made.recipe.texture.guides
    save(picture, OTHER)
    with pytest.raises(UserError, match="has changed since"):
        studio.make(guides=known)
    (control,) = known.controls
    with pytest.raises(UserError, match="is another than the one that the recipe names"):
        studio.make(guides=Guides((replace(control, model=str(controls["tile"]), sha256=""),)))


def test_a_job_without_guides_is_as_if_there_had_been_none(
    studio: Studio, controls: dict[str, Path], picture: Path
) -> None:
    plain = studio.pixels()
    unet = studio.loaded().pipeline.unet
    before = snapshot(unet)
    config = dict(unet.config), unet.config.encoder_hid_dim_type
    asked = Guides((Control(str(controls["depth"]), str(picture)),), Style(str(controls["plus"]), str(picture)))
    studio.pixels(guides=asked)
    assert_unchanged(before, unet)
    assert (dict(unet.config), unet.config.encoder_hid_dim_type) == config
    assert len(studio.loaded().guides.modules) > 1
    assert np.array_equal(studio.pixels(), plain)
    assert studio.loaded().guides.modules == []  # and the memory is free


@pytest.mark.parametrize("at", [30, 200])
def test_a_cancelled_job_leaves_nothing_behind(
    studio: Studio, controls: dict[str, Path], picture: Path, at: int
) -> None:
    asked = Guides((Control(str(controls["depth"]), str(picture)),), Style(str(controls["style"]), str(picture)))
    before = snapshot(studio.loaded().pipeline.unet)
    with pytest.raises(Stop):
        studio.make(Watch(stop_at=at), guides=asked)
    assert_unchanged(before, studio.loaded(guides=asked).pipeline.unet)
    assert studio.stored() == []


def test_a_cancel_is_seen_in_the_middle_of_a_control_net(
    studio: Studio, controls: dict[str, Path], picture: Path
) -> None:
    alone, beside = Watch(), Watch()
    studio.make(alone)
    studio.make(beside, guides=Guides((Control(str(controls["depth"]), str(picture)),)))
    assert beside.checks > 1.2 * alone.checks


def test_guides_go_with_templates_variations_and_windows(
    studio: Studio, controls: dict[str, Path], picture: Path, other: Path
) -> None:
    control = Control(str(controls["depth"]), str(picture), end=0.8)
    asked = Guides((control,), Style(str(controls["style"]), str(other)))
    template = Template(str(other), 0.6)
    size = Size(192, 192)  # over twice the model's own 64
    made = {
        "guided": studio.pixels(guides=asked, template=template, size=size, variation=0.2, steps=6),
        "alone": studio.pixels(template=template, size=size, variation=0.2, steps=6),
        "controlled": studio.pixels(guides=Guides((control,)), template=template, size=size, variation=0.2, steps=6),
    }
    assert {pixels.shape for pixels in made.values()} == {(192, 192, 3)}
    assert len({pixels.tobytes() for pixels in made.values()}) == 3


# --- what cannot be


def test_guides_keep_their_bits_beside_a_denoiser_in_8(
    studio: Studio, controls: dict[str, Path], picture: Path
) -> None:
    asked = Guides((Control(str(controls["depth"]), str(picture)),), Style(str(controls["style"]), str(picture)))
    guided, plain = studio.pixels(guides=asked).astype(int), studio.pixels().astype(int)
    narrow = studio.pixels(guides=asked, memory=EIGHT_BITS).astype(int)
    assert 0 < np.abs(narrow - guided).mean() < np.abs(guided - plain).mean() / 2
    held = studio.cache.get(replace(studio.base, guides=asked), "cpu", EIGHT_BITS).guides.modules
    assert held
    assert all(weight.is_floating_point() for network in held for weight in network.parameters())


def test_guides_are_counted_in_the_memory(studio: Studio, controls: dict[str, Path], picture: Path) -> None:
    from addon.engine import models

    asked = Guides((Control(str(controls["depth"]), str(picture)),), Style(str(controls["style"]), str(picture)))
    request = replace(studio.base, guides=asked)
    loaded = studio.loaded(guides=asked)
    family, counted = models._with_guides(loaded.info.family, loaded.parameters, request, loaded.plan.device)
    with guide_pictures(request, studio.store, lambda: None) as pictures, guides.ready(loaded, pictures):
        held = sum(parameter.numel() for part in loaded.guides.modules for parameter in part.parameters())
    encoder = sum(parameter.numel() for parameter in networks.image_encoder().parameters())
    assert counted == loaded.parameters | {GUIDES: held + encoder}
    assert family.step_bytes > loaded.info.family.step_bytes


@pytest.mark.parametrize("prefix", ["", "control_model."])
def test_a_single_file_is_read_like_a_folder(
    studio: Studio, controls: dict[str, Path], picture: Path, tmp_path: Path, prefix: str
) -> None:
    file = tmp_path / "control.safetensors"
    weights = load_file(controls["depth"] / "diffusion_pytorch_model.safetensors")
    save_file(as_first_published(weights, prefix) if prefix else weights, file)
    folder = studio.pixels(guides=Guides((Control(str(controls["depth"]), str(picture)),)))
    assert np.array_equal(studio.pixels(guides=Guides((Control(str(file), str(picture)),))), folder)


def as_first_published(weights: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    """diffusers' names as those of the first ControlNets' files, for the small denoiser's two levels of one layer."""
    from diffusers.loaders.single_file_utils import DIFFUSERS_TO_LDM_MAPPING

    names = dict(DIFFUSERS_TO_LDM_MAPPING["controlnet"]["layers"])
    resnet = {"norm1": "in_layers.0", "conv1": "in_layers.2", "norm2": "out_layers.0", "conv2": "out_layers.3"}
    resnet |= {"time_emb_proj": "emb_layers.1", "conv_shortcut": "skip_connection"}
    blocks = {
        "down_blocks.0.resnets.0": "input_blocks.1.0",
        "down_blocks.0.attentions.0": "input_blocks.1.1",
        "down_blocks.0.downsamplers.0.conv": "input_blocks.2.0.op",
        "down_blocks.1.resnets.0": "input_blocks.3.0",
        "mid_block.resnets.0": "middle_block.0",
        "mid_block.attentions.0": "middle_block.1",
        "mid_block.resnets.1": "middle_block.2",
        "controlnet_mid_block": "middle_block_out.0",
    }
    blocks |= {f"controlnet_down_blocks.{place}": f"zero_convs.{place}.0" for place in range(6)}
    blocks |= {f"controlnet_cond_embedding.blocks.{place}": f"input_hint_block.{2 * place + 2}" for place in range(6)}
    made = {}
    for name, value in weights.items():
        other = names.get(name)
        if other is None:
            block = next(block for block in blocks if name.startswith(block + "."))
            rest = name.removeprefix(block)
            if ".resnets." in block:
                part = rest.split(".")[1]
                rest = rest.replace(part, resnet[part])
            other = blocks[block] + rest
        made[prefix + other] = value
    return made


def test_a_control_net_in_the_hubs_cache_is_found_by_its_folder_there(
    controls: dict[str, Path], picture: Path, tmp_path: Path
) -> None:
    place = tmp_path / "models--somebody--depth"
    (place / "blobs").mkdir(parents=True)
    snapshot_folder = place / "snapshots" / "0123abcd"
    shutil.copytree(controls["depth"], snapshot_folder)
    weights = snapshot_folder / "diffusion_pytorch_model.safetensors"
    weights.rename(place / "blobs" / "weights")
    weights.symlink_to(place / "blobs" / "weights")
    family = by_pipeline("StableDiffusionPipeline")
    assert family is not None
    known = {
        guide_files.find_control(Control(str(path), str(picture)), family).fingerprint
        for path in (place, snapshot_folder, snapshot_folder / "config.json", controls["depth"])
    }
    assert len(known) == 1


@pytest.mark.parametrize("cls", [ControlNetModel, ControlNetUnionModel])
def test_the_shapes_of_published_networks_tell_their_settings(cls: Any) -> None:
    with torch.device("meta"):
        network = cls(addition_time_embed_dim=256)
    told = guide_files._told_by_shapes(network.state_dict())
    assert "conditioning_embedding_out_channels" in told
    assert {name: network.config[name] for name in told} == told


def test_a_union_of_before_diffusers_had_a_class_for_it_is_one(
    sdxl_studio: Studio, controls: dict[str, Path], picture: Path, tmp_path: Path
) -> None:
    old = Path(shutil.copytree(controls["union"], tmp_path / "old"))
    config = json.loads((old / "config.json").read_text(encoding="utf-8"))
    del config["num_control_type"], config["num_trans_channel"]
    (old / "config.json").write_text(json.dumps(config | {"_class_name": "ControlNetModel_Union"}), encoding="utf-8")
    new, same = (
        sdxl_studio.pixels(guides=Guides((Control(str(path), str(picture), ControlKind.TILE),)))
        for path in (controls["union"], old)
    )
    assert np.array_equal(new, same)
    (old / "config.json").write_text(json.dumps(config | {"_class_name": "EvilNet"}), encoding="utf-8")
    with pytest.raises(UserError, match="'EvilNet', which is not on the list of safe classes"):
        sdxl_studio.make(guides=Guides((Control(str(old), str(picture), ControlKind.TILE),)))


def broken(change: Callable[[dict[str, torch.Tensor]], object], source: Path, file: Path) -> Path:
    weights = load_file(source)
    change(weights)
    save_file(weights, file)
    return file


def test_what_does_not_fit_is_refused_by_name(
    studio: Studio, sdxl_studio: Studio, controls: dict[str, Path], picture: Path, tmp_path: Path
) -> None:
    weights = controls["depth"] / "diffusion_pytorch_model.safetensors"
    lacking = broken(lambda all_: all_.pop("mid_block.resnets.0.conv1.weight"), weights, tmp_path / "a.safetensors")
    lora = broken(lambda all_: all_.clear() or all_.update(lora=torch.ones(1)), weights, tmp_path / "b.safetensors")
    alone = tmp_path / "alone" / "adapter.safetensors"
    alone.parent.mkdir()
    alone.write_bytes(controls["style"].read_bytes())
    pickled = tmp_path / "control.bin"
    pickled.write_bytes(b"pickle")

    def control(path: Path) -> Guides:
        return Guides((Control(str(path), str(picture)),))

    for asked, words, where in (
        (control(lacking), "mid_block.resnets.0.conv1.weight", studio),
        (control(lora), "is no ControlNet", studio),
        (control(controls["large"]), "another kind of model", studio),
        (control(controls["union"]), "is a ControlNetUnionModel, which this model does not take", studio),
        (control(controls["union"]), "has to be told what each picture shows", sdxl_studio),
        (control(tmp_path / "nothing"), "is not there", studio),
        (control(pickled), "is no safetensors file", studio),
        (Guides((), Style(str(lora), str(picture))), "is no IP-Adapter", studio),
        (Guides((), Style(str(alone), str(picture))), "needs its image encoder", studio),
        (Guides((), Style(str(controls["large style"]), str(picture))), "another kind of model", studio),
        (Guides((), Style(str(alone), str(picture), str(tmp_path))), "no image encoder that fits", studio),
    ):
        before = snapshot(where.loaded().pipeline.unet)
        with pytest.raises(UserError, match=words) as raised:
            where.make(guides=asked)
        assert raised.value.kind is ErrorKind.MODEL
        assert raised.value.hint
        assert_unchanged(before, where.loaded().pipeline.unet)
    with pytest.raises(UserError, match="Starter takes no ControlNet"):
        studio.make(guides=control(controls["depth"]), model=STARTER)


def test_a_style_is_the_same_where_attention_sees_some_queries_at_once(
    studio: Studio, controls: dict[str, Path], picture: Path, tmp_path: Path
) -> None:
    """As on Apple's graphics."""
    asked = Guides((), Style(str(controls["style"]), str(picture)))
    plain = latents(studio, tmp_path, guides=asked)
    with by_queries(1 << 10):
        assert off(latents(studio, tmp_path, guides=asked), plain) <= LIMIT


@pytest.mark.parametrize("offload", [Offload.MODEL, Offload.SEQUENTIAL])
def test_parts_that_take_turns_give_the_same_latents_and_go_back(
    studio: Studio, controls: dict[str, Path], picture: Path, tmp_path: Path, offload: Offload
) -> None:
    """As on a card with little memory; here the device is the processor too, and the weights are away all the same."""
    asked = Guides((Control(str(controls["depth"]), str(picture)),), Style(str(controls["plus"]), str(picture)))
    plain = latents(studio, tmp_path, guides=asked)
    loaded = studio.loaded(guides=asked)
    loaded.guides = GuideCache()
    loaded.plan = replace(loaded.plan, offload=offload)
    unet = loaded.pipeline.unet
    if offload is Offload.SEQUENTIAL:
        cpu_offload(unet, "cpu")
        assert unet.device.type == "meta"
    before = snapshot(unet)
    mine = turns(studio, tmp_path, asked)
    assert torch.equal(mine, plain)
    assert_unchanged(before, unet)
    (network,) = loaded.guides.networks.values()
    assert network.device.type == ("meta" if offload is Offload.SEQUENTIAL else "cpu")
    assert torch.equal(turns(studio, tmp_path, asked), plain), "and once more"


def turns(studio: Studio, tmp_path: Path, asked: Guides) -> torch.Tensor:
    """As `latents`, of the model that is loaded whatever its plan."""
    request, loaded = replace(studio.base, guides=asked), studio.cache._loaded
    assert loaded is not None
    with (
        torch.inference_mode(),
        guide_pictures(request, tmp_path / "scratch", lambda: None) as pictures,
        guides.ready(loaded, pictures) as guide,
        seamless([loaded.pipeline.unet, *guide.networks], request.axes),
    ):
        embeddings, _ = embed(loaded, request)
        return generate.sample(loaded, request, embeddings, 0, Watch(), guide=guide)
