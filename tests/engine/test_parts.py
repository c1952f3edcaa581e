# SPDX-License-Identifier: GPL-3.0-or-later
"""Denoisers in files of their own: put together with what they lack, the same weights and pixels as from a folder."""

import json
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.loaders import single_file_utils as peer
from safetensors.torch import load_file, save_file

from addon.core.errors import ErrorKind, UserError
from addon.core.families import bases, catalogue
from addon.core.families.original_transformers import RULES, denoiser
from addon.core.model_files import parts
from addon.core.model_files.header import Tensor
from addon.core.requests.texture import Size, TextureRequest
from addon.engine.models import LoadedModel, ModelCache
from tests.engine import checkpoints, transformer_networks
from tests.engine import transformer_pipelines as tiny
from tests.engine.test_checkpoints import same_weights
from tests.engine.test_generate import Studio

Tensors = dict[str, torch.Tensor]
# name -> pipeline, base
MAKE: dict[str, tuple[Callable[[], Any], bases.Base]] = {
    "flux": (tiny.flux, bases.FLUX1),
    "flux dev": (lambda: tiny.flux(told=True), bases.FLUX1),
    "klein": (lambda: tiny.flux2_klein(distilled=True), bases.KLEIN_4B),
    "z": (tiny.z_image, bases.ZIMAGE),
    "qwen": (tiny.qwen_image, bases.QWEN),
    "chroma": (tiny.chroma, bases.CHROMA),
    "sd3": (transformer_networks.sd3_pipeline, bases.SD3),
}


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of FLUX.2's models the width tells which one it is; these are narrower than any."""
    monkeypatch.setitem(bases._FLUX2_SIZES, tiny.WIDTH, bases.KLEIN_4B)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Path, Path]]:
    """name -> a file with the denoiser alone, in its authors' names, and the whole folder. Do not change them."""
    place = tmp_path_factory.mktemp("parts")

    def make(name: str) -> tuple[Path, Path]:
        folder, file = place / f"{name} folder", place / "files" / f"{name}.safetensors"
        if not folder.exists():
            pipeline = MAKE[name][0]()
            pipeline.save_pretrained(folder)
            file.parent.mkdir(exist_ok=True)
            state = pipeline.transformer.state_dict()
            save_file(as_its_authors(state, MAKE[name][1], "model.diffusion_model."), file)
        return file, folder

    return make


def as_its_authors(state: Mapping[str, torch.Tensor], base: bases.Base, prefix: str = "") -> Tensors:
    """A denoiser's weights by their authors' names; the reverse of what is tested, which the peer below is too."""
    found: dict[str, dict[int, torch.Tensor]] = {}
    swapped = set()
    last = (
        f"transformer_blocks.{max(int(n.split('.')[1]) for n in state if n.startswith('transformer_blocks.'))}."
        if (base is bases.SD3)
        else "none"
    )
    for name, tensor in state.items():
        for rule in RULES.get(base.id, ()):
            for index, new in enumerate(rule.new):
                match = re.match(re.escape(new).replace(r"\#", r"(\d+)"), name)
                if match is None or (rule.old == "pos_embed" and name != new):
                    continue
                old = (rule.old.replace("#", match[1]) if match.groups() else rule.old) + name[match.end() :]
                found.setdefault(old, {})[index] = tensor
                if rule.swapped or name.startswith(f"{last}norm1_context."):
                    swapped.add(old)
                break
            else:
                continue
            break
        else:
            found[name] = {0: tensor}
    whole = {name: torch.cat([pieces[index] for index in sorted(pieces)]) for name, pieces in found.items()}
    for name in swapped:
        whole[name] = torch.cat([*reversed(whole[name].chunk(2))])
    return {prefix + name: tensor.contiguous().clone() for name, tensor in whole.items()}


def request(file: Path, **changes: Any) -> TextureRequest:
    return replace(TextureRequest("bricks", size=Size(64, 64), steps=1, model=str(file)), **changes)


def load(file: Path, **changes: Any) -> LoadedModel:
    return ModelCache().get(request(file, **changes), "cpu", "auto")


def refused(file: Path, **changes: Any) -> UserError:
    with pytest.raises(UserError) as caught:
        load(file, **changes)
    assert caught.value.kind is ErrorKind.MODEL
    return caught.value


@pytest.mark.parametrize("name", MAKE)
def test_a_denoiser_alone_makes_the_pixels_of_its_folder(
    tmp_path: Path, made: Callable[[str], tuple[Path, Path]], name: str
) -> None:
    file, folder = made(name)
    info = catalogue.resolve(str(file))
    assert info.alone
    assert info.base is MAKE[name][1]
    one, other = Studio(tmp_path / "one", file), Studio(tmp_path / "other", folder)
    pictures = [
        studio.pixels(steps=2, guidance_scale=3.0, **more)
        for studio, more in ((one, {"parts": str(folder)}), (other, {}))
    ]
    assert same_weights(one.loaded(parts=str(folder)).pipeline.transformer, other.loaded().pipeline.transformer)
    configs = [studio.loaded(**more).scheduler.config for studio, more in ((one, {"parts": str(folder)}), (other, {}))]
    assert configs[0] == configs[1]
    assert np.array_equal(*pictures)


# --- the peer: diffusers' own conversions, of tensors as high as the real ones and one number wide


def rows(**heights: int) -> Tensors:
    noise = torch.Generator().manual_seed(4)
    return {name.replace("__", "."): torch.randn(height, 1, generator=noise) for name, height in heights.items()}


def two_streams(extra: Mapping[str, int]) -> Tensors:
    names: dict[str, int] = {"img_in.weight": 8, "txt_in.weight": 8, "final_layer.linear.weight": 4}
    names |= {"final_layer.adaLN_modulation.1.weight": 2 * 3072, "time_in.in_layer.weight": 4}
    names["time_in.out_layer.weight"] = 5
    for stream in ("img", "txt"):
        start = f"double_blocks.0.{stream}"
        names |= {f"{start}_attn.qkv.weight": 3 * 3072, f"{start}_attn.proj.weight": 3}
        names |= {f"{start}_attn.norm.query_norm.scale": 6, f"{start}_attn.norm.key_norm.scale": 7}
        names |= {f"{start}_mlp.0.weight": 9, f"{start}_mlp.2.weight": 10}
    names |= {"single_blocks.0.linear1.weight": 7 * 3072, "single_blocks.0.linear2.weight": 11}
    names |= {"single_blocks.0.norm.query_norm.scale": 6, "single_blocks.0.norm.key_norm.scale": 7}
    return rows(**(names | dict(extra)))


def with_biases(tensors: Tensors) -> Tensors:
    """As FLUX.1's are, all but its norms."""
    return tensors | {
        name.removesuffix("weight") + "bias": tensor + 1 for name, tensor in tensors.items() if name.endswith("weight")
    }


def of_flux() -> Tensors:
    blocks = {f"double_blocks.0.{stream}_mod.lin.weight": 12 for stream in ("img", "txt")}
    more = {f"{part}.{layer}.weight": 6 for part in ("vector_in", "guidance_in") for layer in ("in_layer", "out_layer")}
    return with_biases(two_streams(blocks | more | {"single_blocks.0.modulation.lin.weight": 13}))


def of_chroma() -> Tensors:
    start = "distilled_guidance_layer."
    more = {f"{start}{name}.weight": 6 for name in ("in_proj", "out_proj", "layers.0.in_layer", "layers.0.out_layer")}
    tensors = with_biases(two_streams(more)) | rows(**{f"{start}norms.0.scale": 5})
    return {name: tensor for name, tensor in tensors.items() if not name.startswith(("time_in", "final_layer.adaLN"))}


def of_klein() -> Tensors:
    more = {f"double_stream_modulation_{stream}.lin.weight": 12 for stream in ("img", "txt")}
    return two_streams(more | {"single_stream_modulation.lin.weight": 13})


def of_z_image() -> Tensors:
    names = {"x_embedder.weight": 4, "x_embedder.bias": 5, "final_layer.linear.weight": 6, "cap_embedder.0.weight": 7}
    names |= {"final_layer.adaLN_modulation.1.weight": 9, "x_pad_token": 1, "cap_pad_token": 2}
    for place in ("layers.0", "layers.11", "noise_refiner.1", "context_refiner.0"):
        names |= {f"{place}.attention.qkv.weight": 12, f"{place}.attention.out.weight": 4}
        names |= {f"{place}.attention.q_norm.weight": 3, f"{place}.attention.k_norm.weight": 5}
        names |= {f"{place}.adaLN_modulation.0.weight": 8, f"{place}.feed_forward.w1.weight": 2}
    return rows(**names)


def of_sd3() -> Tensors:
    names = {"x_embedder.proj.weight": 4, "context_embedder.weight": 4, "final_layer.linear.weight": 5}
    names |= {f"{part}.mlp.{layer}.weight": 3 for part in ("t_embedder", "y_embedder") for layer in (0, 2)}
    names["final_layer.adaLN_modulation.1.weight"] = 8
    for block in (0, 1):
        for stream in ("x_block", "context_block"):
            start, last = f"joint_blocks.{block}.{stream}", stream == "context_block" and block == 1
            names |= {f"{start}.attn.qkv.weight": 12, f"{start}.adaLN_modulation.1.weight": 8 if last else 24}
            if not last:
                names |= {f"{start}.attn.proj.weight": 4, f"{start}.mlp.fc1.weight": 16, f"{start}.mlp.fc2.weight": 4}
    names |= {"joint_blocks.0.x_block.attn2.qkv.weight": 12, "joint_blocks.0.x_block.attn2.proj.weight": 4}
    tensors = with_biases(rows(**names))
    for block in (0, 1):
        for stream, attentions in (
            ("x_block", ("attn", "attn2") if block == 0 else ("attn",)),
            ("context_block", ("attn",)),
        ):
            for attention in attentions:
                start = f"joint_blocks.{block}.{stream}.{attention}"
                tensors |= rows(**{f"{start}.ln_q.weight": 2, f"{start}.ln_k.weight": 3})
    return tensors | {"pos_embed": torch.randn(1, 16, 4)}


@pytest.mark.parametrize(
    ("base", "tensors", "convert"),
    [
        (bases.FLUX1, of_flux(), peer.convert_flux_transformer_checkpoint_to_diffusers),
        (bases.CHROMA, of_chroma(), peer.convert_chroma_transformer_checkpoint_to_diffusers),
        (bases.KLEIN_4B, of_klein(), peer.convert_flux2_transformer_checkpoint_to_diffusers),
        (bases.ZIMAGE, of_z_image(), peer.convert_z_image_transformer_checkpoint_to_diffusers),
        (bases.SD3, of_sd3(), peer.convert_sd3_transformer_checkpoint_to_diffusers),
    ],
    ids=["flux", "chroma", "klein", "z-image", "sd3"],
)
@pytest.mark.parametrize("prefix", ["", "model.diffusion_model."])
def test_names_and_rows_are_those_of_diffusers_own_conversion(
    base: bases.Base, tensors: Tensors, convert: Callable[[Tensors], Tensors], prefix: str
) -> None:
    theirs = convert(dict(tensors))
    held = {prefix + name: Tensor("F32", tuple(tensor.shape), 0, 0) for name, tensor in tensors.items()}
    part = denoiser(held, base, "flow_prediction", "diffusers", "X", {"attention_head_dim": 4})
    assert part.weights.keys() == theirs.keys()
    for name, source in part.weights.items():
        tensor = tensors[source.tensor.removeprefix(prefix)]
        height = len(tensor) // source.parts
        mine = tensor[source.part * height : (source.part + source.count) * height]
        if source.swapped:
            mine = torch.cat([*reversed(mine.chunk(2))])
        assert torch.equal(mine, theirs[name]), name


# --- where the parts come from


def test_parts_are_found_beside_the_file_and_taken_from_the_one_that_is_like_it(
    tmp_path: Path, made: Callable[[str], tuple[Path, Path]]
) -> None:
    source, folder = made("z")
    (tmp_path / "diffusion_models").mkdir()
    file = tmp_path / "diffusion_models" / "z_image_turbo_bf16.safetensors"
    file.symlink_to(source)
    info = catalogue.resolve(str(file))
    assert (info.defaults.steps, info.defaults.guidance_scale) == (8, 1.0)
    assert parts.find(info) is None
    error = refused(file)
    assert "It also needs the text encoder Qwen3 4B, and FLUX.1's VAE: none were found beside it" in error.message
    assert str(file.parent) in error.message
    shutil.copytree(made("flux")[1], tmp_path / "diffusers" / "another kind")
    assert parts.find(info) is None
    shutil.copytree(folder, tmp_path / "diffusers" / "Z-Image")
    assert parts.find(info) == tmp_path / "diffusers" / "Z-Image"
    assert parts.find(info, [folder]) == tmp_path / "diffusers" / "Z-Image"
    shutil.copytree(folder, tmp_path / "Z-Image-Turbo")
    assert parts.find(info) == tmp_path / "Z-Image-Turbo"
    assert load(file).folder.folder == tmp_path / "Z-Image-Turbo"


def test_the_folders_own_denoiser_may_be_left_out_and_is_not_read(
    tmp_path: Path, made: Callable[[str], tuple[Path, Path]]
) -> None:
    file, folder = made("z")
    shutil.copytree(folder, tmp_path / "z")
    for weights in (tmp_path / "z" / "transformer").glob("*.safetensors"):
        weights.unlink()
    loaded = load(file, parts=str(tmp_path / "z"))
    assert loaded.folder.fingerprint != load(folder).folder.fingerprint
    assert loaded.parameters == load(folder).parameters
    assert same_weights(loaded.pipeline.transformer, load(folder).pipeline.transformer)


def test_a_file_of_another_kind_or_with_a_weight_missing_is_refused_by_name(
    tmp_path: Path, made: Callable[[str], tuple[Path, Path]]
) -> None:
    file, folder = made("flux")
    assert f"{made('z')[1]} is no FLUX.1 model" in refused(file, parts=str(made("z")[1])).message
    tensors = load_file(file)
    del tensors["model.diffusion_model.double_blocks.0.txt_mlp.2.bias"]
    save_file(tensors, tmp_path / "lacking.safetensors")
    message = refused(tmp_path / "lacking.safetensors", parts=str(folder)).message
    assert "lacks transformer_blocks.0.ff_context.net.2.bias." in message
    name = "model.diffusion_model.img_in.weight"
    save_file(tensors | {name: torch.zeros(3, 3)}, tmp_path / "other.safetensors")
    assert "lacks" in refused(tmp_path / "other.safetensors", parts=str(folder)).message


def test_dev_runs_with_schnells_parts_and_klein_base_with_the_distilled_ones(
    tmp_path: Path, made: Callable[[str], tuple[Path, Path]]
) -> None:
    dev, schnell = (
        load(made("flux dev")[0], parts=str(made("flux")[1])),
        load(made("flux")[0], parts=str(made("flux")[1])),
    )
    assert dev.pipeline.transformer.config.guidance_embeds
    assert (dev.scheduler.config.use_dynamic_shifting, dev.scheduler.config.shift) == (True, 3.0)
    assert (schnell.scheduler.config.use_dynamic_shifting, schnell.scheduler.config.shift) == (False, 1.0)
    assert (schnell.info.defaults.steps, dev.info.defaults.steps) == (4, 28)
    file = tmp_path / "klein-base.safetensors"
    file.symlink_to(made("klein")[0])
    assert not load(file, parts=str(made("klein")[1])).pipeline.config.is_distilled
    assert load(made("klein")[0], parts=str(made("klein")[1])).pipeline.config.is_distilled


@pytest.mark.parametrize("kind", ["1", "XL"])
@pytest.mark.parametrize("from_file", [False, True])
def test_a_u_net_alone_takes_its_parts_from_a_folder_or_a_checkpoint(
    tmp_path: Path, kind: str, from_file: bool
) -> None:
    pipeline = checkpoints.pipeline(kind)
    pipeline.save_pretrained(tmp_path / "folder")
    tensors = checkpoints.original(pipeline)
    checkpoints.save(tensors, tmp_path / "whole.safetensors")
    alone = {name: tensor for name, tensor in tensors.items() if name.startswith("model.diffusion_model.")}
    checkpoints.save(alone, tmp_path / "alone.safetensors")
    save_file(pipeline.unet.state_dict(), tmp_path / "by diffusers.safetensors")
    place = tmp_path / ("whole.safetensors" if from_file else "folder")
    for file in (tmp_path / "alone.safetensors", tmp_path / "by diffusers.safetensors"):
        loaded = load(file, parts=str(place))
        assert same_weights(loaded.pipeline.unet, pipeline.unet)
        assert same_weights(loaded.pipeline.text_encoder, pipeline.text_encoder)
        assert loaded.folder.grid == load(tmp_path / "folder").folder.grid


def test_the_parts_stand_in_the_request_only_where_they_are_chosen() -> None:
    plain = TextureRequest("bricks")
    assert "parts" not in plain.to_json()
    chosen = replace(plain, parts="/models/z")
    assert TextureRequest.from_json(json.loads(json.dumps(chosen.to_json()))) == chosen
    with pytest.raises(UserError, match="is not the whole path"):
        replace(plain, parts="z")


# --- text encoders and VAEs in files of their own


def comfy(root: Path, folder: Path, file: Path, files: Mapping[str, tuple[str, str]]) -> Path:
    """ComfyUI's folders with these parts in files (part -> folder, weights' prefix), and a folder that lacks them."""
    shutil.copytree(folder, root / "diffusers" / "model")
    (root / "diffusion_models").mkdir()
    shutil.copy(file, root / "diffusion_models" / file.name)
    for part, (where, prefix) in files.items():
        (root / where).mkdir(exist_ok=True)
        (weights,) = (root / "diffusers" / "model" / part).glob("*.safetensors")
        tensors = {prefix + name: tensor for name, tensor in load_file(weights).items()}
        if part == "vae":
            tensors = as_vae_authors(tensors)
        save_file(tensors, root / where / f"{part}.safetensors")
        weights.unlink()
    return root / "diffusion_models" / file.name


def as_vae_authors(tensors: Tensors) -> Tensors:
    levels = 1 + max(int(match[1]) for name in tensors if (match := re.search(r"down_blocks\.(\d+)", name)))
    made = {}
    for name, tensor in tensors.items():
        new = re.sub(r"down_blocks\.(\d+)\.resnets\.(\d+)", r"down.\1.block.\2", name)
        new = re.sub(r"down_blocks\.(\d+)\.downsamplers\.0", r"down.\1.downsample", new)
        new = re.sub(
            r"up_blocks\.(\d+)\.(?:resnets\.(\d+)|upsamplers\.0)",
            lambda m: f"up.{levels - 1 - int(m[1])}." + (f"block.{m[2]}" if m[2] else "upsample"),
            new,
        )
        for theirs, ours in (
            ("conv_norm_out.", "norm_out."),
            ("conv_shortcut.", "nin_shortcut."),
            ("mid_block.resnets.0.", "mid.block_1."),
            ("mid_block.resnets.1.", "mid.block_2."),
            ("mid_block.attentions.0.group_norm.", "mid.attn_1.norm."),
            ("mid_block.attentions.0.to_out.0.", "mid.attn_1.proj_out."),
            ("mid_block.attentions.0.to_", "mid.attn_1."),
        ):
            new = new.replace(theirs, ours)
        if ".attn_1." in new and tensor.ndim == 2:
            tensor = tensor[:, :, None, None]
        if new.startswith(("quant_conv.", "post_quant_conv.")) and "bn.running_mean" in tensors:
            new = ("encoder." if new[0] == "q" else "decoder.") + new
        made[new] = tensor.contiguous()
    return made


FILES = {
    "z": {"text_encoder": ("text_encoders", "model."), "vae": ("vae", "")},
    "flux": {"text_encoder": ("clip", ""), "text_encoder_2": ("text_encoders", ""), "vae": ("vae", "")},
    "klein": {"text_encoder": ("text_encoders", ""), "vae": ("vae", "")},
    "qwen": {"text_encoder": ("text_encoders", "")},
}


@pytest.mark.parametrize("name", FILES)
def test_text_encoders_and_vae_may_lie_in_files_of_their_own(
    tmp_path: Path, made: Callable[[str], tuple[Path, Path]], name: str
) -> None:
    source, folder = made(name)
    file = comfy(tmp_path, folder, source, FILES[name])
    mine, whole = load(file), load(folder)
    assert mine.parameters == whole.parameters
    for part in whole.folder.weights:
        assert same_weights(getattr(mine.pipeline, part), getattr(whole.pipeline, part)), part
    if name == "z":
        pictures = [Studio(tmp_path / model.stem, model).pixels(steps=1) for model in (file, folder)]
        assert np.array_equal(*pictures)
    lacking = tmp_path / "text_encoders" / f"{'text_encoder_2' if name == 'flux' else 'text_encoder'}.safetensors"
    tensors = load_file(lacking)
    missing = next(key for key in tensors if "layer" in key and key.endswith(("q_proj.weight", "q.weight")))
    save_file({key: tensor for key, tensor in tensors.items() if key != missing}, lacking)
    assert "more weights, which are not there" in refused(file).message
    lacking.unlink()
    message = refused(file).message
    assert f"has no weights of its {lacking.stem} (" in message
    assert str(tmp_path / "text_encoders") in message


# --- 8 bits with scales


@pytest.mark.parametrize("per_row", [False, True])
@pytest.mark.parametrize("name", ["scale_weight", "weight_scale"])
@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2])
def test_8_bit_weights_are_multiplied_by_their_scales(
    tmp_path: Path, made: Callable[[str], tuple[Path, Path]], dtype: torch.dtype, name: str, per_row: bool
) -> None:
    source, folder = made("flux")
    tensors, truth, stored = load_file(source), {}, {"scaled_fp8": torch.zeros(2, dtype=dtype)}
    for key, tensor in tensors.items():
        truth[key] = stored[key] = tensor
        if key.endswith(".weight") and tensor.ndim == 2 and "blocks." in key:
            largest = tensor.abs().amax(1) if per_row else tensor.abs().max()
            scale = (largest / torch.finfo(dtype).max).clamp(min=1e-12)
            factor = scale[:, None] if per_row else scale
            stored[key] = (tensor / factor).to(dtype)
            stored[key.removesuffix("weight") + name] = scale
            stored[key.removesuffix("weight") + "scale_input"] = torch.tensor(0.5)
            truth[key] = stored[key].float() * factor
    save_file(stored, tmp_path / "scaled.safetensors")
    save_file(truth, tmp_path / "truth.safetensors")
    scaled, plain = (load(tmp_path / f"{which}.safetensors", parts=str(folder)) for which in ("scaled", "truth"))
    assert same_weights(scaled.pipeline.transformer, plain.pipeline.transformer)


def test_scales_of_blocks_are_refused_by_name(tmp_path: Path, made: Callable[[str], tuple[Path, Path]]) -> None:
    source, folder = made("z")
    tensors = load_file(source)
    key = next(name for name in tensors if name.endswith("feed_forward.w1.weight"))
    tensors[key] = tensors[key].to(torch.float8_e4m3fn)
    tensors[key.removesuffix("weight") + "weight_scale"] = torch.ones(tensors[key].shape[0], 2)
    save_file(tensors, tmp_path / "blocks.safetensors")
    message = refused(tmp_path / "blocks.safetensors", parts=str(folder)).message
    assert f"holds {key} in 8 or 4 bits of a kind that is not read here" in message
