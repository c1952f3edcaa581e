# SPDX-License-Identifier: GPL-3.0-or-later
"""Loading, keeping and freeing models; and model folders that must be refused."""

import json
import os
import pickle  # noqa: TID251 - to build what must never run
import shutil
import socket
import struct
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import diffusers
import pytest
import torch
from safetensors.torch import load_file, save_file

from addon.core.errors import ErrorKind, UserError
from addon.core.families.catalogue import ModelInfo
from addon.core.model_files import parts
from addon.core.model_files.folder import ModelFolder
from addon.core.requests.texture import Scheduler, Size, TextureRequest
from addon.engine import models, weights
from addon.engine.devices import Device, Kind
from addon.engine.models import LoadedModel, ModelCache

UNET = "unet/diffusion_pytorch_model.safetensors"
CopyOf = Callable[[Path], Path]


def request(folder: Path) -> TextureRequest:
    return TextureRequest("bricks", size=Size(64, 64), steps=1, model=str(folder))


def load(folder: Path, cache: ModelCache | None = None) -> LoadedModel:
    return (cache or ModelCache()).get(request(folder), "cpu", "auto")


def refused(folder: Path) -> UserError:
    """The error with which a folder is refused; nothing of it may stay loaded."""
    cache = ModelCache()
    with pytest.raises(UserError) as caught:
        load(folder, cache)
    assert caught.value.kind is ErrorKind.MODEL
    assert not cache.holds_model
    return caught.value


# --- keeping and freeing


def test_a_model_is_kept_between_jobs_and_replaced_by_another(sd_folder: Path, sdxl_folder: Path) -> None:
    cache = ModelCache()
    first = load(sd_folder, cache)
    assert load(sd_folder, cache) is first
    other = load(sdxl_folder, cache)
    assert type(other.pipeline).__name__ == "StableDiffusionXLPipeline"
    assert load(sd_folder, cache) is not first


def test_diffusers_need_not_look_for_the_device(sd_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = load(sd_folder).pipeline
    assert isinstance(pipeline, diffusers.StableDiffusionPipeline)
    assert type(pipeline).__name__ == "StableDiffusionPipeline"
    monkeypatch.setattr(diffusers.DiffusionPipeline, "components", property(lambda _: pytest.fail("looked through")))
    assert pipeline._execution_device == torch.device("cpu")


def test_a_freed_model_leaves_no_weights_behind(sd_folder: Path) -> None:
    import gc
    import weakref

    cache = ModelCache()
    weight = weakref.ref(load(sd_folder, cache).pipeline.unet.conv_in.weight)
    assert cache.holds_model
    cache.free()
    gc.collect()
    assert not cache.holds_model
    assert weight() is None
    cache.free()  # twice does no harm


def test_a_model_whose_files_changed_is_loaded_again(sd_folder: Path, copy_of: CopyOf) -> None:
    folder, cache = copy_of(sd_folder), ModelCache()
    first = load(folder, cache)
    weights = load_file(folder / UNET)
    weights["conv_in.weight"] += 1
    save_file(weights, folder / UNET)
    second = load(folder, cache)
    assert second is not first
    assert second.folder.fingerprint != first.folder.fingerprint


def test_a_folder_is_read_again_only_where_a_file_has_changed(
    sd_folder: Path, copy_of: CopyOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, cache = copy_of(sd_folder), ModelCache()
    verify, read = parts.verify, []

    def counted(info: ModelInfo, said: str = "") -> ModelFolder:
        read.append(info.folder)
        return verify(info, said)

    monkeypatch.setattr(parts, "verify", counted)
    first = load(folder, cache)
    assert load(folder, cache) is first
    assert len(read) == 1
    os.utime(folder / UNET)  # another file of the same length, for all that can be seen
    assert load(folder, cache) is first
    assert len(read) == 2
    (folder / UNET).unlink()
    with pytest.raises(UserError, match="unet"):
        load(folder, cache)


def test_a_leaner_mode_is_taken_until_there_is_none(sd_folder: Path) -> None:
    cache = ModelCache()
    assert cache.make_leaner() is None
    load(sd_folder, cache)
    leaner = cache.make_leaner()
    assert leaner
    assert leaner.plan.mode == "lean"
    assert leaner.pipeline.unet.dtype is torch.bfloat16
    assert cache.make_leaner() is None
    assert load(sd_folder, cache) is leaner  # a leaner mode than needed is kept


def test_only_a_models_own_schedulers_are_taken(sd_folder: Path, copy_of: CopyOf) -> None:
    folder = copy_of(sd_folder)
    path = folder / "scheduler/scheduler_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"prediction_type": "flow_prediction"}))
    cache = ModelCache()
    with pytest.raises(UserError) as caught:
        cache.get(replace(request(folder), scheduler=Scheduler.EULER), "cpu", "auto")
    assert "DPMPP_2M" in caught.value.hint
    loaded = cache.get(replace(request(folder), scheduler=Scheduler.UNIPC), "cpu", "auto")
    for scheduler in (Scheduler.DPMPP_2M, Scheduler.UNIPC):
        assert models.make_scheduler(loaded, scheduler).config.use_flow_sigmas


def test_a_size_off_the_grid_of_a_deeper_model_is_refused_before_it_is_loaded(
    sd_folder: Path, copy_of: CopyOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copy_of(sd_folder)
    path = folder / "unet/config.json"  # as if it had five levels: 16 latents of 8 pixels
    path.write_text(json.dumps(json.loads(path.read_text()) | {"block_out_channels": [16] * 5}))
    monkeypatch.setattr(models, "load_pipeline", lambda *_: pytest.fail("loaded"))
    for size in (Size(192, 256), Size(256, 192)):
        with pytest.raises(UserError) as caught:
            ModelCache().get(replace(request(folder), size=size), "cpu", "auto")
        assert caught.value.kind is ErrorKind.REQUEST
        assert "128" in caught.value.message
        assert caught.value.hint == f"Use {size.width // 128 * 128}x{size.height // 128 * 128}."


def test_files_of_a_variant_are_loaded(sd_folder: Path, tmp_path: Path) -> None:
    plain = load(sd_folder)
    plain.pipeline.save_pretrained(tmp_path / "fp16", variant="fp16")
    loaded = load(tmp_path / "fp16")
    assert set(loaded.folder.variants.values()) == {"fp16"}
    assert torch.equal(loaded.pipeline.unet.conv_in.weight, plain.pipeline.unet.conv_in.weight)


def test_half_precision_of_the_unet_alone_and_8_bit_weights_are_loaded(sd_folder: Path, tmp_path: Path) -> None:
    plain = load(sd_folder)
    plain.pipeline.save_pretrained(tmp_path / "mixed")
    place = tmp_path / "mixed" / "unet"
    weights = load_file(place / "diffusion_pytorch_model.safetensors")
    small = {name: tensor.to(torch.float8_e4m3fn) for name, tensor in weights.items()}
    (place / "diffusion_pytorch_model.safetensors").unlink()
    save_file(small, place / "diffusion_pytorch_model.fp16.safetensors", {"format": "pt"})
    loaded = load(tmp_path / "mixed")
    assert loaded.folder.variants == {"unet": "fp16", "vae": None, "text_encoder": None}
    assert torch.equal(loaded.pipeline.unet.conv_in.weight, small["conv_in.weight"].float())
    assert torch.equal(loaded.pipeline.vae.decoder.conv_in.weight, plain.pipeline.vae.decoder.conv_in.weight)


@pytest.mark.parametrize("scale", ["scale_weight", "weight_scale"])
def test_8_bit_weights_with_scales_of_their_own_are_multiplied_by_them_or_refused_as_such(
    sd_folder: Path, copy_of: CopyOf, scale: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copy_of(sd_folder)
    file = folder / "unet" / "diffusion_pytorch_model.safetensors"
    small = {name: tensor.to(torch.float8_e4m3fn) for name, tensor in load_file(file).items()}
    scaled = next(name for name, tensor in small.items() if name.endswith(".weight") and tensor.ndim == 4)
    name = f"{scaled.removesuffix('.weight')}.{scale}"
    save_file(small | {name: torch.tensor(0.5)}, file)
    read = dict(load(folder).pipeline.unet.named_parameters())
    assert torch.equal(read[scaled], small[scaled].float() * 0.5)
    monkeypatch.setattr(weights, "try_load", lambda *_: None)  # as of networks that the libraries alone read
    error = refused(folder)
    assert str(file) in error.message
    assert f"its weights have scales of their own ({name}), which are not read" in error.message
    assert error.hint == "Download the model again, or choose another folder."


@pytest.mark.parametrize("upcast", [True, False])
def test_an_autoencoder_that_asks_for_it_decodes_in_float32(
    sd_folder: Path, copy_of: CopyOf, monkeypatch: pytest.MonkeyPatch, upcast: bool
) -> None:
    folder, plans = copy_of(sd_folder), []
    path = folder / "vae/config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"force_upcast": upcast}))
    monkeypatch.setattr(models, "ready", lambda _wanted: Device(Kind.CUDA, "cuda:0", 1 << 40))
    monkeypatch.setattr(models, "load_pipeline", lambda _folder, plan: (plans.append(plan), MagicMock())[1])
    load(folder)
    assert plans[0].vae_dtype == ("float32" if upcast else "float16")


def test_a_half_precision_folder_runs_in_full_precision_on_a_processor(sd_folder: Path, tmp_path: Path) -> None:
    load(sd_folder).pipeline.to(torch.float16).save_pretrained(tmp_path / "half")
    loaded = load(tmp_path / "half")
    for part in ("unet", "vae", "text_encoder"):
        assert {parameter.dtype for parameter in getattr(loaded.pipeline, part).parameters()} == {torch.float32}


def test_a_safety_checker_that_a_folder_names_is_not_looked_for(sd_folder: Path, copy_of: CopyOf) -> None:
    folder = copy_of(sd_folder)
    index = json.loads((folder / "model_index.json").read_text())
    index["safety_checker"] = ["stable_diffusion", "StableDiffusionSafetyChecker"]
    index["feature_extractor"] = ["transformers", "CLIPImageProcessor"]
    index["requires_safety_checker"] = True
    (folder / "model_index.json").write_text(json.dumps(index))
    assert load(folder).pipeline.safety_checker is None


def test_loading_opens_no_connection_even_without_the_offline_settings(
    sd_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[object] = []

    def connect(*arguments: object) -> None:
        tried.append(arguments)
        raise OSError("no network in this test")

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", connect)
    load(sd_folder)
    assert tried == []


# --- broken files


def truncate(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def huge_header(path: Path) -> None:
    path.write_bytes(struct.pack("<Q", 2**63) + path.read_bytes()[8:])


def bad_utf8(path: Path) -> None:
    path.write_bytes(struct.pack("<Q", 16) + b'{"\xff\xfe\x00":1}    ')


def html(path: Path) -> None:
    path.write_text("<!DOCTYPE html><html><body>404 Not Found</body></html>" * 20)


def overlapping(path: Path) -> None:
    entry = {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}
    header = json.dumps({"a": entry, "b": entry}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(16))


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("spoil", [truncate, huge_header, bad_utf8, html, overlapping, empty])
@pytest.mark.parametrize("name", [UNET, "text_encoder/model.safetensors"])
def test_fault_18_a_broken_model_file_is_refused_at_once_by_name(
    sd_folder: Path, copy_of: CopyOf, spoil: Callable[[Path], None], name: str
) -> None:
    folder = copy_of(sd_folder)
    spoil(folder / name)
    begun = time.monotonic()
    error = refused(folder)
    assert time.monotonic() - begun < 1
    assert str(folder / name) in error.message
    assert error.hint


@pytest.mark.skipif(sys.platform == "win32", reason="counts memory by resource")
def test_fault_18_a_huge_file_of_zeros_is_refused_with_memory_flat(sd_folder: Path, copy_of: CopyOf) -> None:
    import resource

    folder = copy_of(sd_folder)
    with (folder / UNET).open("wb") as file:
        file.write(struct.pack("<Q", 2**33))
        file.truncate(2**34)  # sparse: takes no room on the disk
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(folder)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10  # kilobytes


# --- whole files of the wrong kind


def test_fault_19_weights_of_another_network_say_what_was_expected_and_found(sd_folder: Path, copy_of: CopyOf) -> None:
    folder = copy_of(sd_folder)
    shutil.copy(folder / "vae/diffusion_pytorch_model.safetensors", folder / UNET)
    message = refused(folder).message
    assert str(folder / UNET) in message
    assert "UNet2DConditionModel expects conv_in.bias" in message
    assert "found decoder." in message


def test_fault_19_weights_of_another_size_say_what_was_expected_and_found(
    sd_folder: Path, sdxl_folder: Path, copy_of: CopyOf
) -> None:
    folder = copy_of(sd_folder)
    weights = load_file(folder / UNET)
    weights["conv_in.weight"] = torch.zeros(99, 4, 3, 3)
    save_file(weights, folder / UNET)
    message = refused(folder).message
    assert "conv_in.weight" in message
    assert "[16, 4, 3, 3]" in message
    assert "[99, 4, 3, 3]" in message


def test_fault_19_a_weight_that_is_missing_is_named_and_never_made_up(sd_folder: Path, copy_of: CopyOf) -> None:
    for name, key in ((UNET, "conv_out.weight"), ("text_encoder/model.safetensors", "final_layer_norm.weight")):
        folder = copy_of(sd_folder)
        weights = load_file(folder / name)
        (found,) = [weight for weight in weights if weight.endswith(key)]
        del weights[found]
        save_file(weights, folder / name, {"format": "pt"})
        message = refused(folder).message
        assert str(folder / name) in message
        assert key in message
        shutil.rmtree(folder)


def test_fault_19_a_text_encoder_of_another_size_is_refused(sd_folder: Path, copy_of: CopyOf) -> None:
    folder = copy_of(sd_folder)
    path = folder / "text_encoder/config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"hidden_size": 32}))
    assert str(folder / "text_encoder/model.safetensors") in refused(folder).message


# --- hostile folders


class Payload:
    """Writes a marker file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.write_text, (self.marker, "the payload ran")


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    path = tmp_path / "marker"
    pickle.loads(pickle.dumps(Payload(path)))
    assert path.exists()  # the payload works
    path.unlink()
    return path


def test_fault_20_a_pickle_renamed_to_safetensors_never_runs(sd_folder: Path, copy_of: CopyOf, marker: Path) -> None:
    for protocol in (0, 2, 5):
        folder = copy_of(sd_folder)
        (folder / UNET).write_bytes(pickle.dumps(Payload(marker), protocol))
        assert str(folder / UNET) in refused(folder).message
        shutil.rmtree(folder)
    folder = copy_of(sd_folder)
    torch.save({"conv_in.weight": Payload(marker)}, folder / UNET)
    refused(folder)
    assert not marker.exists()


def test_fault_20_a_folder_that_holds_only_pickles_is_refused_and_they_never_run(
    sd_folder: Path, copy_of: CopyOf, marker: Path
) -> None:
    folder = copy_of(sd_folder)
    (folder / UNET).unlink()
    torch.save({"conv_in.weight": Payload(marker)}, folder / "unet/diffusion_pytorch_model.bin")
    error = refused(folder)
    assert "pickled" in error.message
    assert not marker.exists()


def test_fault_20_pickles_beside_safetensors_are_never_read(sd_folder: Path, copy_of: CopyOf, marker: Path) -> None:
    folder = copy_of(sd_folder)
    for name in ("unet/diffusion_pytorch_model.bin", "text_encoder/pytorch_model.bin", "scheduler/state.pkl"):
        (folder / name).write_bytes(pickle.dumps(Payload(marker)))
    load(folder)
    assert not marker.exists()


@pytest.mark.parametrize("place", ["", "unet", "scheduler", "tokenizer"])
def test_fault_20_python_files_in_a_model_folder_are_refused_and_never_run(
    sd_folder: Path, copy_of: CopyOf, marker: Path, place: str
) -> None:
    folder = copy_of(sd_folder)
    for name in ("pipeline.py", "modeling.py", "my_unet.py", "__init__.py"):
        (folder / place / name).write_text(f"import pathlib; pathlib.Path({str(marker)!r}).write_text('ran')")
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps(index | {"unet": ["my_unet", "UNet2DConditionModel"]}))
    refused(folder)
    (folder / "model_index.json").write_text(json.dumps(index))
    assert ".py" in refused(folder).message
    assert not marker.exists()


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("unet", ["os", "system"]),
        ("unet", ["diffusers", "FluxTransformer2DModel"]),
        ("vae", ["diffusers", "__loader__"]),
        ("text_encoder", ["transformers", "AutoModel"]),
        ("tokenizer", ["transformers", "AutoTokenizer"]),
        ("scheduler", ["builtins", "eval"]),
        ("unet", ["diffusers", ["UNet2DConditionModel"]]),
        ("unet", [{}, None]),
        ("extra", ["subprocess", "Popen"]),
        ("_class_name", "os.system"),
        ("_class_name", ["pipeline", "MyPipeline"]),
    ],
)
def test_fault_20_an_unknown_class_in_the_index_is_refused(
    sd_folder: Path, copy_of: CopyOf, part: str, value: object
) -> None:
    folder = copy_of(sd_folder)
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps(index | {part: value}))
    refused(folder)


@pytest.mark.parametrize("part", ["unet", "text_encoder", "tokenizer"])
def test_fault_20_a_configuration_that_asks_for_code_is_refused(
    sd_folder: Path, copy_of: CopyOf, marker: Path, part: str
) -> None:
    folder = copy_of(sd_folder)
    path = folder / part / ("tokenizer_config.json" if part == "tokenizer" else "config.json")
    asks = {"auto_map": {"AutoModel": "code.Model", "AutoTokenizer": ["code.Tokenizer", None]}}
    path.write_text(json.dumps(json.loads(path.read_text()) | asks))
    refused(folder)
    assert not marker.exists()


def test_fault_20_what_is_loaded_is_what_was_checked(sd_folder: Path, copy_of: CopyOf, marker: Path) -> None:
    """diffusers and transformers look for more than the usual files; each way here is one that they would go."""

    def pickled_shards(folder: Path) -> None:
        torch.save({"conv_in.weight": Payload(marker)}, folder / "unet/evil.bin")
        index = {"metadata": {}, "weight_map": dict.fromkeys(load_file(folder / UNET), "evil.bin")}
        (folder / f"{UNET}.index.json").write_text(json.dumps(index))

    def adapter(folder: Path) -> None:
        names = {"base_model_name_or_path": str(sd_folder / "text_encoder"), "peft_type": "LORA"}
        (folder / "text_encoder/adapter_config.json").write_text(json.dumps(names))

    def other_file(folder: Path) -> None:
        path = folder / "text_encoder/config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"transformers_weights": "adapter_model.bin"}))
        torch.save({"x": Payload(marker)}, folder / "text_encoder/adapter_model.bin")

    for spoil in (pickled_shards, adapter, other_file):
        folder = copy_of(sd_folder)
        spoil(folder)
        refused(folder)
        shutil.rmtree(folder)
    folder = copy_of(sd_folder)
    weights = load_file(folder / UNET)
    save_file({name: weight + 1 for name, weight in weights.items()}, folder / "unet/shard.safetensors")
    index = {"metadata": {}, "weight_map": dict.fromkeys(weights, "shard.safetensors")}
    (folder / f"{UNET}.index.json").write_text(json.dumps(index))
    loaded = load(folder)
    assert [file.name for file in loaded.folder.weights["unet"]] == ["shard.safetensors"]
    assert torch.equal(loaded.pipeline.unet.conv_in.bias, weights["conv_in.bias"] + 1)
    assert not marker.exists()


def test_a_configuration_that_diffusers_chokes_on_is_the_models_fault(sd_folder: Path, copy_of: CopyOf) -> None:
    for name, text in (
        ("unet/config.json", '{"_class_name": "UNet2DConditionModel", "block_out_channels": [7]}'),
        ("vae/config.json", '{"block_out_channels": "many"}'),
        ("text_encoder/config.json", '{"model_type": "clip_text_model", "hidden_size": 0}'),
        ("tokenizer/tokenizer.json", "{"),
        ("scheduler/scheduler_config.json", '{"beta_schedule": "none such"}'),
    ):
        folder = copy_of(sd_folder)
        (folder / name).write_text(text)
        refused(folder)
        shutil.rmtree(folder)


@pytest.mark.parametrize(
    "cls",
    [diffusers.EulerAncestralDiscreteScheduler, diffusers.LCMScheduler, diffusers.DDPMScheduler],
)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_scheduler_draws_the_same_noise_whatever_the_denoiser_computes_in(cls: Any, dtype: torch.dtype) -> None:
    numbers = torch.Generator().manual_seed(0)
    # 1 x 4 x 5 x 7 is no multiple of 16, where torch 2.14.1 draws others
    output, sample = (torch.randn((1, 4, 5, 7), generator=numbers).to(dtype) for _ in range(2))

    def taken(kind: torch.dtype) -> torch.Tensor:
        scheduler = models.in_float32(cls())
        scheduler.set_timesteps(4)
        noise = torch.Generator().manual_seed(3)
        scheduler.scale_model_input(sample.to(kind), scheduler.timesteps[0])
        step = scheduler.step(
            output.to(kind), scheduler.timesteps[0], sample.to(kind), generator=noise, return_dict=False
        )
        assert step[0].dtype is kind
        return step[0]

    assert torch.equal(taken(dtype), taken(torch.float32).to(dtype))
