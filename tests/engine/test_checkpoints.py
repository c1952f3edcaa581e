# SPDX-License-Identifier: GPL-3.0-or-later
"""Checkpoints in one file: the same weights and pixels as the folder that they were made of, and what is refused."""

import json
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline, StableDiffusionXLPipeline
from safetensors.torch import load_file, save_file

from addon.core.errors import ErrorKind, UserError
from addon.core.families import bases, catalogue
from addon.core.model_files import folder as model_folder
from addon.core.requests.texture import Axes, Scheduler, Size, TextureRequest
from addon.engine import weights
from addon.engine.models import LoadedModel, ModelCache
from addon.engine.vocabulary import clip_tokenizer
from tests.engine import checkpoints, networks
from tests.engine.test_generate import Studio

KINDS = ("1", "2", "XL")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Path, Path]]:
    """kind -> a checkpoint in one file, and the folder with the same weights. Do not change them."""
    place = tmp_path_factory.mktemp("checkpoints")

    def make(kind: str) -> tuple[Path, Path]:
        file, folder = place / f"model {kind}.safetensors", place / f"folder {kind}"
        if not file.exists():
            pipeline = checkpoints.pipeline(kind)
            pipeline.save_pretrained(folder)
            checkpoints.save(checkpoints.original(pipeline), file)
        return file, folder

    return make


def load(file: Path, **changes: Any) -> LoadedModel:
    return ModelCache().get(request(file, **changes), "cpu", "auto")


def request(file: Path, **changes: Any) -> TextureRequest:
    return replace(TextureRequest("bricks", size=Size(64, 64), steps=1, model=str(file)), **changes)


def refused(file: Path, **changes: Any) -> UserError:
    with pytest.raises(UserError) as caught:
        load(file, **changes)
    assert caught.value.kind is ErrorKind.MODEL
    return caught.value


def same_weights(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    a, b = one.state_dict(), other.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_makes_the_pixels_of_the_folder_that_it_came_from(
    tmp_path: Path, made: Callable[[str], tuple[Path, Path]], kind: str
) -> None:
    pictures = []
    for model in made(kind):
        studio = Studio(tmp_path / f"store {model.stem}", model)
        wanted = {"scheduler": Scheduler.EULER, "guidance_scale": 3.0, "steps": 2, "size": Size(64, 64)}
        pictures.append(studio.pixels(axes=Axes.XY, negative_prompt="rust", **wanted))
    assert np.array_equal(pictures[0], pictures[1])


@pytest.mark.parametrize("kind", KINDS)
def test_its_weights_are_those_that_diffusers_own_conversion_gives(
    made: Callable[[str], tuple[Path, Path]], kind: str
) -> None:
    """The peer: diffusers 0.42's `from_single_file`, given the folder as its configuration."""
    file, folder = made(kind)
    cls = StableDiffusionXLPipeline if kind == "XL" else StableDiffusionPipeline
    theirs = cls.from_single_file(str(file), config=str(folder), local_files_only=True)
    ours = load(file).pipeline
    for part in [name for name in load(file).folder.weights if kind != "2" or name != "text_encoder"]:
        assert same_weights(getattr(ours, part), getattr(theirs, part)), part


def test_loading_a_file_opens_no_connection(
    made: Callable[[str], tuple[Path, Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect(*_arguments: object) -> None:
        pytest.fail("the network was reached for")

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", connect)
    load(made("1")[0])


def test_what_a_file_is_stands_in_the_catalogue(made: Callable[[str], tuple[Path, Path]]) -> None:
    for kind, base, side, prediction in (
        ("1", bases.SD1, 512, "epsilon"),
        ("2", bases.SD2, 768, "v_prediction"),
        ("XL", bases.XL, 1024, "epsilon"),
    ):
        info = catalogue.resolve(str(made(kind)[0]))
        assert (info.base, info.defaults.size, info.prediction_type) == (base, side, prediction)
        assert info.sentence.startswith(f"Checkpoint of {base.title}")
        assert info.guessed == (kind == "2")
        loaded = load(made(kind)[0])
        assert loaded.scheduler.config.prediction_type == prediction
        assert loaded.folder.grid == model_folder.verify(made(kind)[1]).grid


@pytest.mark.parametrize(
    ("name", "prediction", "guessed"),
    [("some-v-pred", "v_prediction", False), ("768-v-ema", "v_prediction", False), ("512-base", "epsilon", False)],
)
def test_what_a_denoiser_predicts_is_told_by_the_files_name_or_by_a_yaml_beside_it(
    tmp_path: Path, made: Callable[[str], tuple[Path, Path]], name: str, prediction: str, guessed: bool
) -> None:
    file = tmp_path / f"{name}.safetensors"
    file.symlink_to(made("2")[0])
    info = catalogue.resolve(str(file))
    assert (info.prediction_type, info.guessed) == (prediction, guessed)
    (tmp_path / f"{name}.yaml").write_text('model:\n  params:\n    parameterization: "v"\n')
    assert catalogue.resolve(str(file)).prediction_type == "v_prediction"
    (tmp_path / f"{name}.yaml").write_text("model:\n  target: x\n")
    assert catalogue.resolve(str(file)).prediction_type == "epsilon"


@pytest.mark.parametrize(
    ("name", "steps", "scheduler"),
    [
        ("xl_lightning_8step", 8, "EulerDiscreteScheduler"),
        ("DreamTurbo", 4, "EulerAncestralDiscreteScheduler"),
        ("some-lcm", 4, "LCMScheduler"),
        ("Hyper-2steps", 2, "DDIMScheduler"),
        ("dmd2_4step", 4, "LCMScheduler"),
    ],
)
def test_models_of_few_steps_are_told_by_their_names_and_run(
    tmp_path: Path, made: Callable[[str], tuple[Path, Path]], name: str, steps: int, scheduler: str
) -> None:
    file = tmp_path / f"{name}.safetensors"
    file.symlink_to(made("1")[0])
    defaults = catalogue.resolve(str(file)).defaults
    assert (defaults.steps, defaults.guidance_scale) == (steps, 1.0)
    assert defaults.distilled == ("step" in name)
    loaded = load(file)
    assert type(loaded.scheduler).__name__ == scheduler
    loaded.scheduler.set_timesteps(steps)
    assert len(loaded.scheduler.timesteps) == steps


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2])
def test_narrow_weights_are_widened_exactly(tmp_path: Path, dtype: torch.dtype) -> None:
    tensors = checkpoints.original(checkpoints.pipeline("1"))
    file = checkpoints.save(tensors, tmp_path / "narrow.safetensors", dtype)
    loaded = load(file)
    name = "model.diffusion_model.input_blocks.0.0.weight"
    assert torch.equal(loaded.pipeline.unet.conv_in.weight, tensors[name].to(dtype).float())
    assert {parameter.dtype for parameter in loaded.pipeline.unet.parameters()} == {torch.float32}


def test_averaged_weights_alone_are_read_by_the_names_that_they_once_had(
    tmp_path: Path, made: Callable[[str], tuple[Path, Path]]
) -> None:
    file, _folder = made("1")
    averaged = checkpoints.save(checkpoints.averaged_only(load_file(file)), tmp_path / "ema only.safetensors")
    assert catalogue.resolve(str(averaged)).kind is not None
    assert catalogue.resolve(str(averaged)).kind.ema  # type: ignore[union-attr]
    assert same_weights(load(averaged).pipeline.unet, load(file).pipeline.unet)


def test_an_inpainting_checkpoint_is_one(tmp_path: Path) -> None:
    pipeline = checkpoints.pipeline("1", inputs=9)
    file = checkpoints.save(checkpoints.original(pipeline), tmp_path / "inpainting.safetensors")
    assert "Inpainting checkpoint of" in catalogue.resolve(str(file)).sentence
    assert load(file).pipeline.unet.config.in_channels == 9


def test_a_missing_weight_is_named_and_never_random(tmp_path: Path, made: Callable[[str], tuple[Path, Path]]) -> None:
    tensors = load_file(made("1")[0])
    del tensors["model.diffusion_model.middle_block.0.in_layers.2.weight"]
    file = checkpoints.save(tensors, tmp_path / "lacking.safetensors")
    assert "lacks mid_block.resnets.0.conv1.weight" in refused(file).message
    tensors = load_file(made("1")[0])
    name = "model.diffusion_model.middle_block.0.in_layers.2.weight"
    file = checkpoints.save(tensors | {name: torch.zeros(8, 8, 3, 3)}, tmp_path / "other.safetensors")
    assert f"another shape of {name}" in refused(file).message


def test_8_bit_weights_with_scales_of_their_own_are_multiplied_by_them(
    tmp_path: Path, made: Callable[[str], tuple[Path, Path]]
) -> None:
    tensors = load_file(made("1")[0])
    name = "model.diffusion_model.out.2."
    narrow = {key: tensor.to(torch.float8_e4m3fn) for key, tensor in tensors.items()}
    file = checkpoints.save(narrow | {f"{name}scale_weight": torch.tensor(0.3)}, tmp_path / "scaled.safetensors")
    weight = load(file).pipeline.unet.conv_out.weight
    assert torch.equal(weight, narrow[f"{name}weight"].float() * torch.tensor(0.3))


def test_files_that_are_no_models_are_called_what_they_are(
    tmp_path: Path, made: Callable[[str], tuple[Path, Path]]
) -> None:
    tensors = load_file(made("1")[0])
    alone = {name: tensor for name, tensor in tensors.items() if name.startswith("model.")}
    error = refused(checkpoints.save(alone, tmp_path / "alone.safetensors"))
    assert "alone.safetensors is a denoiser alone. It also needs a CLIP text encoder and a VAE" in error.message
    vae = checkpoints.save(checkpoints.original_vae(checkpoints.vae()), tmp_path / "vae.safetensors")
    error = refused(vae)
    assert "This is a VAE with 4 channels, of Stable Diffusion 1.x and 2.x or SDXL." in error.message
    assert error.hint == "Choose it as the VAE of a model."


def test_renaming_a_file_does_not_change_its_fingerprint(
    tmp_path: Path, made: Callable[[str], tuple[Path, Path]]
) -> None:
    file = tmp_path / "another name.safetensors"
    file.symlink_to(made("1")[0])
    assert model_folder.verify(file).fingerprint == model_folder.verify(made("1")[0]).fingerprint


# --- folders, whose weights are read in the same way


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder", "text_encoder_2"])
def test_a_folders_weights_are_those_that_the_libraries_load(
    tmp_path: Path, made: Callable[[str], tuple[Path, Path]], part: str, dtype: torch.dtype
) -> None:
    network = getattr(load(made("XL")[0]).pipeline, part)
    network.save_pretrained(tmp_path, max_shard_size="3MB")
    files = sorted(tmp_path.glob("*.safetensors"))
    assert len(files) > 1
    config = json.loads((tmp_path / "config.json").read_text())
    library = "diffusers" if part in ("unet", "vae") else "transformers"
    ours = weights.try_load(files, library, type(network).__name__, config, dtype, channels_last=True)
    theirs = type(network).from_pretrained(str(tmp_path), torch_dtype=dtype)
    assert ours is not None
    assert same_weights(ours, theirs)
    assert {name: b.dtype for name, b in ours.named_buffers()} == {name: b.dtype for name, b in theirs.named_buffers()}


def test_where_names_are_old_or_weights_are_missing_the_libraries_have_the_word(tmp_path: Path) -> None:
    vae = checkpoints.vae()
    config = dict(vae.config)
    old = {name.replace("to_q", "query"): tensor for name, tensor in vae.state_dict().items()}
    file = checkpoints.save(old, tmp_path / "diffusion_pytorch_model.safetensors")
    assert weights.try_load([file], "diffusers", "AutoencoderKL", config, torch.float32, False) is None
    assert weights.try_load([file], "transformers", "BertModel", {}, torch.float32, False) is None
    prefixed = {f"text_model.{name}": t for name, t in checkpoints.pipeline("1").text_encoder.state_dict().items()}
    file = checkpoints.save(prefixed, tmp_path / "model.safetensors")
    config = checkpoints.pipeline("1").text_encoder.config.to_dict()
    read = weights.try_load([file], "transformers", "CLIPTextModel", config, torch.float32, False)
    assert read is not None
    assert same_weights(read, checkpoints.pipeline("1").text_encoder)


# --- a VAE beside it


@pytest.mark.parametrize("kind", ["file", "diffusers file", "folder", "tiny"])
def test_another_vae_takes_the_place_of_the_models_own(
    tmp_path: Path, made: Callable[[str], tuple[Path, Path]], kind: str
) -> None:
    other = networks.tiny_autoencoder() if kind == "tiny" else checkpoints.vae(0.5, seed=99)
    if kind == "file":
        path = checkpoints.save(checkpoints.original_vae(other), tmp_path / "vae.safetensors")
    elif kind == "folder":
        path = tmp_path / "a vae"
        other.save_pretrained(path)
    else:
        path = checkpoints.save(other.state_dict(), tmp_path / "vae.safetensors")
    for model in made("1"):
        loaded = load(model, vae=str(path))
        vae = loaded.pipeline.vae
        assert same_weights(vae, other)
        assert isinstance(vae, AutoencoderKL) == (kind != "tiny")
        # a folder says how its latents are scaled; of a file that is what the model has
        assert vae.config.scaling_factor == {"folder": 0.5, "tiny": 1.0}.get(kind, 0.18215)
        assert loaded.environment()["vae"] == loaded.folder.vae
        assert "vae" not in load(model).environment()


@pytest.mark.parametrize("kind", ["checkpoint", "file that says so", "file with its configuration", "folder"])
def test_a_vae_of_other_models_is_refused(tmp_path: Path, made: Callable[[str], tuple[Path, Path]], kind: str) -> None:
    other = checkpoints.vae(0.13025, seed=99)
    path = tmp_path / "other"
    if kind == "checkpoint":
        path = made("XL")[0]
    elif kind == "file that says so":
        path = tmp_path / "other.safetensors"
        said = {"modelspec.architecture": "stable-diffusion-xl-v1-base/vae"}
        save_file(checkpoints.original_vae(other), path, said)
    else:
        other.save_pretrained(path)
        path = path if kind == "folder" else path / "diffusion_pytorch_model.safetensors"
    for model in made("1"):
        with pytest.raises(UserError) as caught:
            load(model, vae=str(path))
        assert caught.value.message == (
            f"{path.name} is a VAE of SDXL, and the model works with one of Stable Diffusion 1.x and 2.x."
        )


def test_a_vae_that_may_be_another_models_is_told_by_its_weights(
    tmp_path: Path, made: Callable[[str], tuple[Path, Path]]
) -> None:
    """Neither file says whose it is: one goes on from the model's own, the other from nothing."""
    stranger = checkpoints.vae(seed=99)
    relative = checkpoints.pipeline("1").vae
    relative.load_state_dict({name: value * 0.5 for name, value in relative.state_dict().items()})
    relative.decoder.conv_in.weight.data.normal_()
    for model in made("1"):
        told: list[str] = []
        for name, vae in (("relative", relative), ("stranger", stranger)):
            path = checkpoints.save(checkpoints.original_vae(vae), tmp_path / f"{name}.safetensors")
            ModelCache().get(request(model, vae=str(path)), "cpu", "auto", told.append)
        assert [text for text in told if "VAE" in text] == [
            "stranger.safetensors has nothing in common with the model's own VAE: "
            "if the colors are off, it is another model's."
        ]


def test_the_same_model_with_another_vae_is_loaded_anew(
    tmp_path: Path, made: Callable[[str], tuple[Path, Path]]
) -> None:
    path = checkpoints.save(checkpoints.original_vae(checkpoints.vae(seed=99)), tmp_path / "vae.safetensors")
    cache = ModelCache()
    own = cache.get(request(made("1")[0]), "cpu", "auto")
    other = cache.get(request(made("1")[0], vae=str(path)), "cpu", "auto")
    assert other is not own
    assert cache.get(request(made("1")[0], vae=str(path)), "cpu", "auto") is other


def test_a_vae_that_is_none_or_has_other_latents_is_refused(
    tmp_path: Path, made: Callable[[str], tuple[Path, Path]]
) -> None:
    file = made("1")[0]
    wide = AutoencoderKL(block_out_channels=(32,), latent_channels=16, norm_num_groups=32)
    path = checkpoints.save(wide.state_dict(), tmp_path / "wide.safetensors")
    assert "16 channels, and the model works with 4" in refused(file, vae=str(path)).message
    lora = {f"lora_unet_a_attn2_to_k.lora_{way}.weight": torch.zeros(4, 4) for way in ("down", "up")}
    error = refused(file, vae=str(checkpoints.save(lora, tmp_path / "lora.safetensors")))
    assert "is not a VAE. This is a LoRA" in error.message
    assert error.hint == "Add it under LoRAs."
    assert "There is no " in refused(file, vae=str(tmp_path / "nowhere.safetensors")).message
    (tmp_path / "empty").mkdir()
    assert "config.json" in refused(file, vae=str(tmp_path / "empty")).message


# --- CLIP's vocabulary


def test_the_vocabulary_is_clips() -> None:
    """Numbers of tokens as OpenAI's own tokenizer gives them."""
    tokenizer = clip_tokenizer("!")
    assert len(tokenizer) == 49408
    assert tokenizer("a photo of a cat").input_ids == [49406, 320, 1125, 539, 320, 2368, 49407]
    padded = tokenizer("A  Photo", padding="max_length", max_length=77).input_ids
    assert padded == [49406, 320, 1125, 49407] + [0] * 73
    assert clip_tokenizer("<|endoftext|>")("", padding="max_length").input_ids == [49406] + [49407] * 76
