# SPDX-License-Identifier: GPL-3.0-or-later
"""What a model folder may hold, checked without torch. The worker's tests do the same with real models."""

import json
import pickle  # noqa: TID251 (a hostile file is made of one)
import struct
import time
import tracemalloc

import pytest

from addon.core.errors import ErrorKind, UserError
from addon.core.families import bases, catalogue
from addon.core.families.stable_diffusion import STABLE_DIFFUSION
from addon.core.image_networks import map_networks
from addon.core.model_files.folder import check_safetensors, verify
from addon.core.requests.texture import Scheduler

INDEX = {
    "_class_name": "StableDiffusionPipeline",
    "_diffusers_version": "0.42.0",
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "scheduler": ["diffusers", "DDIMScheduler"],
    "safety_checker": [None, None],
    "feature_extractor": [None, None],
    "requires_safety_checker": False,
}
STEMS = {"unet": "diffusion_pytorch_model", "vae": "diffusion_pytorch_model", "text_encoder": "model"}


def safetensors(values: int = 4) -> bytes:
    header = json.dumps({"w": {"dtype": "F16", "shape": [values], "data_offsets": [0, 2 * values]}}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(2 * values)


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "a model"
    for name in ("unet", "vae", "text_encoder", "tokenizer", "scheduler"):
        (path / name).mkdir(parents=True)
        (path / name / "config.json").write_text("{}")
    (path / "model_index.json").write_text(json.dumps(INDEX))
    (path / "scheduler/scheduler_config.json").write_text(json.dumps({"prediction_type": "epsilon"}))
    (path / "unet/config.json").write_text(json.dumps({"sample_size": 96}))
    (path / "tokenizer/tokenizer.json").write_text("{}")
    for name, stem in STEMS.items():
        (path / name / f"{stem}.safetensors").write_bytes(safetensors())
    return path


def refused(folder, *words):
    with pytest.raises(UserError) as caught:
        verify(folder)
    assert caught.value.kind is ErrorKind.MODEL
    for word in words:
        assert word in caught.value.message
    return caught.value


def test_a_good_folder_passes(folder):
    found = verify(folder)
    assert found.family is STABLE_DIFFUSION
    assert set(found.variants.values()) == {None}
    assert found.sizes["unet"] == len(safetensors())


def test_the_fingerprint_follows_weights_and_settings(folder):
    before = verify(folder).fingerprint
    assert verify(folder).fingerprint == before
    (folder / "unet/config.json").write_text(json.dumps({"sample_size": 64}))
    changed = verify(folder).fingerprint
    (folder / "vae/diffusion_pytorch_model.safetensors").write_bytes(safetensors()[:-1] + b"\1")
    assert len({before, changed, verify(folder).fingerprint}) == 3


@pytest.mark.parametrize(("vae", "unet", "grid"), [(4, 4, 64), (4, 3, 32), (5, 4, 128)], ids=["SD", "SDXL", "f16"])
def test_the_grid_is_the_product_of_the_strides(folder, vae, unet, grid):
    for part, levels in (("vae", vae), ("unet", unet)):
        (folder / part / "config.json").write_text(json.dumps({"block_out_channels": [32] * levels}))
    assert verify(folder).grid == grid


def test_half_precision_files_are_found(folder):
    for name, stem in STEMS.items():
        (folder / name / f"{stem}.safetensors").rename(folder / name / f"{stem}.fp16.safetensors")
    assert set(verify(folder).variants.values()) == {"fp16"}


@pytest.mark.parametrize("half", [("unet",), ("unet", "vae"), ("text_encoder",)])
def test_half_precision_files_of_some_parts_only_are_loaded_with_the_plain_ones_of_the_others(folder, half):
    for name in half:
        file = folder / name / f"{STEMS[name]}.safetensors"
        file.rename(file.with_name(f"{STEMS[name]}.fp16.safetensors"))
    found = verify(folder)
    assert found.variants == {name: "fp16" if name in half else None for name in STEMS}
    assert all(file.is_file() for files in found.weights.values() for file in files)


@pytest.mark.parametrize("dtype", ["F8_E4M3", "F8_E5M2"])
def test_weights_of_8_bits_are_sound(folder, dtype):
    header = json.dumps({"w": {"dtype": dtype, "shape": [4], "data_offsets": [0, 4]}}).encode()
    path = folder / "unet/diffusion_pytorch_model.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    assert verify(folder).sizes["unet"] == path.stat().st_size


def test_weights_of_a_type_that_is_not_known_are_called_so(folder):
    header = json.dumps({"w": {"dtype": "F4", "shape": [4], "data_offsets": [0, 2]}}).encode()
    path = folder / "unet/diffusion_pytorch_model.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(2))
    assert "16 or 32 bits" in refused(folder, str(path), "holds weights of the type F4").hint


def test_twins_that_macos_leaves_are_no_part_of_the_model(folder):
    before = verify(folder).fingerprint
    for name in ("._model_index.json", "unet/._config.json", "unet/._code.py", "tokenizer/._tokenizer_config.json"):
        (folder / name).write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X")
    assert verify(folder).fingerprint == before


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b"\xff\xfe"])
def test_byte_order_mark_is_named_with_a_way_out(folder, mark):
    config = folder / "unet/config.json"
    config.write_bytes(mark + b"{}" if mark[0] == 0xEF else "\ufeff{}".encode("utf-16-le"))
    assert "without BOM" in refused(folder, str(config), "byte order mark").hint


def test_index_itself_names_its_folder(folder):
    info = catalogue.resolve(str(folder / "model_index.json"))
    assert (info.folder, info.title) == (folder, "a model")


def test_cache_root_of_the_hub_names_its_main_snapshot(folder, tmp_path):
    cache = tmp_path / "models--org--a-name"
    (cache / "snapshots").mkdir(parents=True)
    (cache / "refs").mkdir()
    (cache / "snapshots/old").mkdir()
    (cache / "snapshots/old/model_index.json").write_text("{}")
    folder.rename(cache / "snapshots/abc")
    (cache / "refs/main").write_text("abc")
    info = catalogue.resolve(str(cache))
    assert (info.folder, info.title, info.id) == (cache / "snapshots/abc", "org/a-name", str(cache))
    (cache / "refs/main").write_text("../../elsewhere")
    assert catalogue.resolve(str(cache / "snapshots/abc")).title == "org/a-name"


@pytest.mark.parametrize(("name", "words"), [("old.ckpt", "is a pickle"), ("large.gguf", "is a .gguf file")])
def test_fault_20_checkpoints_that_are_no_safetensors_are_refused(tmp_path, name, words):
    (tmp_path / name).touch()
    with pytest.raises(UserError, match=words) as caught:
        catalogue.resolve(str(tmp_path / name))
    assert "as .safetensors" in caught.value.hint


@pytest.mark.parametrize(
    ("there", "missing"),
    [([], "tokenizer.json"), (["vocab.json"], "merges.txt"), (["tokenizer_config.json"], "tokenizer.json")],
)
def test_a_tokenizer_without_its_vocabulary_is_refused(folder, there, missing):
    (folder / "tokenizer/tokenizer.json").unlink()
    for name in there:
        (folder / "tokenizer" / name).write_text("{}")
    refused(folder, str(folder / "tokenizer"), "lacks", missing)


def test_of_several_variants_the_plain_one_is_taken_and_else_one_that_all_parts_have(folder):
    for name, stem in STEMS.items():
        for variant in ("ema", "bf16"):
            (folder / name / f"{stem}.{variant}.safetensors").write_bytes(safetensors())
    assert set(verify(folder).variants.values()) == {None}
    for name, stem in STEMS.items():
        (folder / name / f"{stem}.safetensors").unlink()
    assert set(verify(folder).variants.values()) == {"bf16"}
    (folder / "vae/diffusion_pytorch_model.bf16.safetensors").unlink()
    assert set(verify(folder).variants.values()) == {"ema"}
    (folder / "vae/diffusion_pytorch_model.ema.safetensors").rename(
        folder / "vae/diffusion_pytorch_model.odd.safetensors"
    )
    refused(folder, "no one variant of all its parts")


def test_a_sharded_variant_is_found_by_its_list(folder):
    weights = folder / "unet/diffusion_pytorch_model.safetensors"
    weights.rename(folder / "unet/diffusion_pytorch_model.fp16-00001-of-00001.safetensors")
    index = folder / "unet/diffusion_pytorch_model.safetensors.index.fp16.json"
    index.write_text(json.dumps({"weight_map": {"w": "diffusion_pytorch_model.fp16-00001-of-00001.safetensors"}}))
    assert verify(folder).variants == {"unet": "fp16", "vae": None, "text_encoder": None}


def test_the_base_of_a_folder_follows_from_its_denoiser(folder):
    config = {"_class_name": "UNet2DConditionModel", "cross_attention_dim": 1024, "sample_size": 96}
    (folder / "unet/config.json").write_text(json.dumps(config))
    info = catalogue.resolve(str(folder))
    assert info.base is bases.SD2
    assert info.sentence == "Stable Diffusion 2.x"
    assert catalogue.resolve("starter").sentence == ""


def test_a_folder_that_needs_few_steps_is_told_by_its_name(folder):
    few = folder.rename(folder.with_name("some_lightning_8step"))
    info = catalogue.resolve(str(few))
    assert (info.defaults.steps, info.defaults.guidance_scale) == (8, 1.0)
    assert "Lightning: 8 steps" in info.sentence


def test_sharded_weights_are_checked(folder):
    weights = folder / "unet/diffusion_pytorch_model.safetensors"
    weights.rename(folder / "unet/part-1.safetensors")
    index = folder / "unet/diffusion_pytorch_model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"w": "part-1.safetensors"}}))
    assert [path.name for path in verify(folder).weights["unet"]] == ["part-1.safetensors"]
    index.write_text(json.dumps({"weight_map": {"w": "../vae/diffusion_pytorch_model.safetensors"}}))
    refused(folder, "index.json")
    index.write_text(json.dumps({"weight_map": {"w": "part-1.safetensors", "v": "part-2.safetensors"}}))
    refused(folder, f"{folder / 'unet'} lacks part-2.safetensors.")
    index.write_text(json.dumps({"weight_map": {"w": "a.safetensors", "v": "b.safetensors"}}))
    refused(folder, "lacks a.safetensors and 1 more.")


def test_fault_20_shards_that_would_be_loaded_before_a_whole_file_are_the_ones_that_are_checked(folder):
    (folder / "unet/part-1.safetensors").write_bytes(safetensors(9))
    index = folder / "unet/diffusion_pytorch_model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"w": "part-1.safetensors"}}))
    assert [path.name for path in verify(folder).weights["unet"]] == ["part-1.safetensors"]
    index.write_text(json.dumps({"weight_map": {"w": "evil.bin"}}))
    refused(folder, "index.json", "evil.bin")


def test_fault_20_an_adapter_that_names_another_model_is_refused(folder):
    (folder / "text_encoder/adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "/elsewhere"}))
    refused(folder, "adapter_config.json")


@pytest.mark.parametrize(
    "setting",
    [
        {"transformers_weights": "adapter_model.bin"},
        {"quantization_config": {"quant_method": "torchao"}},
        {"_attn_implementation": "somebody/kernel"},
    ],
)
def test_fault_20_a_configuration_that_leads_to_files_that_were_not_checked_is_refused(folder, setting):
    (folder / "text_encoder/config.json").write_text(json.dumps(setting))
    refused(folder, "text_encoder", next(iter(setting)))


HUGE = struct.pack("<Q", 2**63) + b"{}"
OVERLAP = json.dumps({n: {"dtype": "F16", "shape": [4], "data_offsets": [0, 8]} for n in "ab"}).encode()
BROKEN = {
    "empty": b"",
    "cut": safetensors()[:-3],
    "longer": safetensors() + b"more",
    "header of 2^63 bytes": HUGE,
    "bad utf-8": struct.pack("<Q", 4) + b"\xff\xfe{}" + bytes(8),
    "html": b"<!DOCTYPE html><html><body>404 Not Found</body></html>" * 50,
    "pickle": pickle.dumps({"w": [1.0] * 100}),
    "overlapping tensors": struct.pack("<Q", len(OVERLAP)) + OVERLAP + bytes(8),
    "wrong shape": safetensors().replace(b"[4]", b"[5]"),
    "negative": safetensors().replace(b"[0, 8]", b"[-8,0]"),
    "deep": struct.pack("<Q", 200_000) + b"[" * 200_000,
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_fault_18_broken_weights_are_refused_at_once_and_named(folder, data):
    path = folder / "unet/diffusion_pytorch_model.safetensors"
    path.write_bytes(data)
    tracemalloc.start()
    start = time.perf_counter()
    refused(folder, str(path))
    assert time.perf_counter() - start < 1
    assert tracemalloc.get_traced_memory()[1] < 32 << 20
    tracemalloc.stop()
    with pytest.raises(UserError):
        check_safetensors(path)


@pytest.mark.parametrize("name", ["model_index.json", "unet/config.json", "text_encoder/config.json"])
@pytest.mark.parametrize("text", ["<html>", "[]", '{"auto_map": {"AutoModel": "evil.Model"}}'])
def test_fault_20_configurations_that_are_none_or_bring_code_are_refused(folder, name, text):
    (folder / name).write_text(text)
    refused(folder, name.split("/")[-1])


def test_fault_20_pickled_weights_are_refused_with_a_way_out(folder):
    (folder / "unet/diffusion_pytorch_model.safetensors").rename(folder / "unet/diffusion_pytorch_model.bin")
    assert "safetensors" in refused(folder, "unet", "pickled").hint


@pytest.mark.parametrize("name", ["evil.py", "unet/evil.py", "tokenizer/evil.so"])
def test_fault_20_code_in_the_folder_is_refused(folder, name):
    (folder / name).write_text("raise SystemExit")
    refused(folder, name.split("/")[-1])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("unet", ["evil", "Model"]),
        ("unet", ["diffusers", "FluxTransformer2DModel"]),
        ("unet", "../x"),
        ("helper", ["diffusers", "UNet2DConditionModel"]),
        ("_class_name", "EvilPipeline"),
        ("_class_name", ["a", "b"]),
    ],
)
def test_fault_20_classes_that_are_not_listed_are_refused(folder, name, value):
    (folder / "model_index.json").write_text(json.dumps(INDEX | {name: value}))
    if isinstance(value, str) and name == "unet":
        refused(folder, "unet")
    else:
        refused(folder, "model_index.json")


def test_fault_21_links_out_of_the_folder_are_refused(folder, tmp_path):
    outside = tmp_path / "outside.safetensors"
    outside.write_bytes(safetensors())
    path = folder / "unet/diffusion_pytorch_model.safetensors"
    path.unlink()
    path.symlink_to(outside)
    refused(folder, str(path), "link")


def test_links_into_the_hubs_blobs_are_followed(folder, tmp_path):
    snapshot = tmp_path / "models--x" / "snapshots" / "abc"
    snapshot.parent.mkdir(parents=True)
    folder.rename(snapshot)
    blob = tmp_path / "models--x" / "blobs" / "123"
    blob.parent.mkdir()
    weights = snapshot / "unet/diffusion_pytorch_model.safetensors"
    weights.rename(blob)
    weights.symlink_to(blob)
    assert verify(snapshot).family is STABLE_DIFFUSION


def test_a_missing_part_is_named(folder):
    for file in (folder / "vae").iterdir():
        file.unlink()
    (folder / "vae").rmdir()
    refused(folder, "vae")


def test_the_catalogue_reads_defaults_from_the_folder(folder):
    info = catalogue.resolve(str(folder))
    assert info.defaults.size == 768
    assert set(info.schedulers) == set(Scheduler)


def test_straight_path_models_offer_only_what_fits(folder):
    (folder / "scheduler/scheduler_config.json").write_text(json.dumps({"prediction_type": "flow_prediction"}))
    assert set(catalogue.resolve(str(folder)).schedulers) == {Scheduler.MODEL, Scheduler.DPMPP_2M, Scheduler.UNIPC}


@pytest.mark.parametrize("model", ["nonsense", "relative/folder", "", "../..", "~nobody at all/x"])
def test_an_unknown_model_is_refused_with_a_way_out(model):
    with pytest.raises(UserError) as caught:
        catalogue.resolve(model)
    assert "starter" in caught.value.hint


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match="nowhere"):
        catalogue.resolve(str(tmp_path / "nowhere"))


def test_only_a_negative_prompt_raises_the_starters_guidance():
    defaults = catalogue.resolve("starter").defaults
    assert defaults.guidance_for("") == defaults.guidance_for("  ") == defaults.guidance_scale
    assert defaults.guidance_for("moss") > 1.0, "up to 1 a negative prompt is not weighed"


def test_distilled_weights_warn_of_other_steps_and_samplers_than_their_own():
    starter = catalogue.resolve("starter")
    assert starter.warning(3, "MODEL") == ""
    assert "3 steps" in starter.warning(8, "MODEL")
    assert "3 steps" in starter.warning(3, "DPMPP_2M")


def test_other_models_take_any_number_of_steps(folder):
    assert catalogue.resolve(str(folder)).warning(4, "EULER") == ""


def test_earlier_weights_of_the_starter_are_known_by_their_fingerprints():
    fingerprints = list(catalogue.FORMER_STARTERS)
    assert verify(catalogue.STARTER_FOLDER).fingerprint not in fingerprints
    assert [version for version, _steps in catalogue.FORMER_STARTERS.values()] == [1, 2, 3, 4, 5, 6, 7, 8, 9]


def test_other_models_keep_one_guidance(folder):
    defaults = catalogue.resolve(str(folder)).defaults
    assert defaults.guidance_for("moss") == defaults.guidance_for("") == defaults.guidance_scale


def test_map_folder_takes_no_twin_for_a_network(tmp_path):
    (tmp_path / "height.safetensors").touch()
    (tmp_path / "._height.safetensors").touch()
    assert [network.file.name for network in map_networks(str(tmp_path))] == ["height.safetensors"]
    (tmp_path / "height.safetensors").unlink()
    with pytest.raises(UserError, match="has no map network in it"):
        map_networks(str(tmp_path))
