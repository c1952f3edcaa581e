# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of models: what is where, how large, where it came from; quick, and without opening any weights."""

import json
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from addon.core.errors import UserError
from addon.core.hub import stored
from addon.core.hub.stored import HubFile, Plan
from addon.core.model_files.kinds import Role
from addon.host.library import Entry, Library, Source, check
from tests.hub import git_sha1

REVISION = "0123456789abcdef0123456789abcdef01234567"
_opened: list[str] | None = None


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and _opened is not None:
        _opened.append(str(arguments[0]))


sys.addaudithook(_hook)  # it cannot be taken back, so there is one


@contextmanager
def opened_files() -> Iterator[list[str]]:
    global _opened
    _opened = []
    try:
        yield _opened
    finally:
        _opened = None


def tensors(path: Path, shapes: dict[str, list[int]] | None = None) -> bytes:
    """A file of half-precision zeros, written to `path`."""
    header, end = {}, 0
    for name, shape in (shapes or {"a": [4]}).items():
        count = 2
        for side in shape:
            count *= side
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [end, end + count]}
        end += count
    text = json.dumps(header).encode()
    data = len(text).to_bytes(8, "little") + text + bytes(end)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return data


LORA = {"unet.a.lora_A.weight": [4, 8], "unet.a.lora_B.weight": [8, 4]}


def make_model(folder: Path, width: int = 768) -> None:
    """A folder in diffusers format, with weights that are none."""
    index = {
        "_class_name": "StableDiffusionPipeline",
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "scheduler": ["diffusers", "DDIMScheduler"],
    }
    for name, data in {
        "model_index.json": index,
        "unet/config.json": {"_class_name": "UNet2DConditionModel", "cross_attention_dim": width},
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(data))
    tensors(folder / "unet" / "diffusion_pytorch_model.safetensors")


def make_download(folder: Path, repository: str) -> Plan:
    """The same, as a download leaves it."""
    make_model(folder)
    files = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            files.append(HubFile(path.relative_to(folder).as_posix(), len(data), f"git:{git_sha1(data)}"))
    plan = Plan(repository, REVISION, tuple(files), "apache-2.0")
    stored.save(folder, plan)
    return plan


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "models 纹", tmp_path / "remembered" / "models.json")


def by_title(library: Library) -> dict[str, Entry]:
    return {entry.title: entry for entry in library.entries()}


def test_a_list_begins_with_the_starter_and_needs_no_folder(library: Library) -> None:
    (starter,) = library.entries()
    assert (starter.id, starter.source, starter.licence) == ("starter", Source.PACKAGE, "GPL-3.0-or-later")
    assert starter.is_model
    assert 30e6 < starter.size < 45e6
    assert not library.models.exists()


def test_all_kinds_of_places_are_found_and_told_apart(library: Library, tmp_path: Path) -> None:
    plan = make_download(library.models / "somebody--small", "somebody/small")
    make_model(library.models / "by hand")
    make_model(library.models / "group" / "inner", 2048)
    make_model(library.models / "models--somebody--cached" / "snapshots" / REVISION)
    tensors(library.models / "loras" / "moss.safetensors", LORA)
    make_model(library.models / ".hidden")
    unfinished = library.models / stored.UNFINISHED / "somebody--half"
    make_download(unfinished, "somebody/half")
    elsewhere = tmp_path / "elsewhere"
    make_model(elsewhere)
    library.add(elsewhere)
    assert by_title(library)["moss"].is_model, "as far as is known"
    library.identify()
    found = by_title(library)
    assert list(found)[1:] == sorted(list(found)[1:], key=str.casefold)
    assert {title: entry.source for title, entry in found.items()} == {
        "Starter": Source.PACKAGE,
        "by hand": Source.FOLDER,
        "elsewhere": Source.ADDED,
        "inner": Source.FOLDER,
        "moss": Source.FOLDER,
        "somebody/cached": Source.FOLDER,
        "somebody/half": Source.UNFINISHED,
        "somebody/small": Source.HUB,
    }
    small = found["somebody/small"]
    assert small.plan == plan
    assert (small.size, small.licence, small.id) == (plan.size, "apache-2.0", str(library.models / "somebody--small"))
    assert (small.what, found["inner"].what) == ("Stable Diffusion 1.x", "SDXL")
    assert [title for title, entry in found.items() if entry.is_model] == [
        title for title in found if title not in ("moss", "somebody/half")
    ]


def test_what_a_file_is_is_looked_up_apart_and_remembered(library: Library) -> None:
    tensors(library.models / "moss.safetensors", LORA)
    assert by_title(library)["moss"].role is Role.UNKNOWN
    assert library.identify()
    moss = by_title(library)["moss"]
    assert moss.role is Role.LORA
    assert "LoRA" in moss.what
    assert not library.identify(), "once"
    again = Library(library.models, library._memory)
    with opened_files() as opened:
        assert by_title(again)["moss"].role is Role.LORA
    assert not [name for name in opened if name.endswith(".safetensors")]
    # another file of that name is looked at anew
    tensors(library.models / "moss.safetensors", {"b": [9]})
    assert by_title(library)["moss"].role is Role.UNKNOWN
    (library.models / "broken.safetensors").write_bytes(b"<html>")
    assert library.identify()
    assert by_title(library)["broken"].what == "damaged"


def test_an_entry_says_what_it_is_for_and_which_encoder_lies_beside_it(library: Library) -> None:
    """As in h94/IP-Adapter, whose adapters in `sdxl_models` read pictures with the encoder in `models` too."""
    adapter = {"image_proj.latents": [1, 16, 8], "image_proj.proj_in.weight": [8, 32]}
    place = library.models / "h94--IP-Adapter"
    for name, width in (("models", 32), ("sdxl_models", 48)):
        tensors(place / name / "image_encoder" / "model.safetensors", {"vision_model.encoder.layers.0.a": [4]})
        config = {"architectures": ["CLIPVisionModelWithProjection"], "hidden_size": width}
        (place / name / "image_encoder" / "config.json").write_text(json.dumps(config))
    for name, text in (("models/plus", 768), ("sdxl_models/vit-h", 2048)):
        tensors(place / f"{name}.safetensors", adapter | {"ip_adapter.1.to_k_ip.weight": [8, text]})
    tensors(library.models / "lonely.safetensors", adapter | {"ip_adapter.1.to_k_ip.weight": [8, 768]})
    tensors(library.models / "owner--moss" / "pytorch_lora_weights.safetensors", LORA)
    for name, config in {
        "vae": {"_class_name": "AutoencoderKL", "latent_channels": 16},
        "depth": {"_class_name": "ControlNetModel", "cross_attention_dim": 1024},
    }.items():
        tensors(library.models / name / "diffusion_pytorch_model.safetensors")
        (library.models / name / "config.json").write_text(json.dumps(config))
    library.identify()
    found = by_title(library)
    assert found["plus"].encoder == place / "models" / "image_encoder"
    assert found["vit-h"].encoder == place / "models" / "image_encoder"
    assert found["lonely"].encoder is None
    assert [found[name].base for name in ("plus", "vit-h")] == ["Stable Diffusion 1.x", "SDXL"]
    assert (found["vae"].role, found["vae"].latents) == (Role.VAE, 16)
    assert (found["depth"].role, found["depth"].base) == (Role.CONTROLNET, "Stable Diffusion 2.x")
    assert found["owner--moss"].role is Role.LORA, "diffusers calls every file of one alike"
    assert found["image_encoder"].role is Role.IMAGE_ENCODER
    assert found["plus"].to_json()["encoder"] == str(place / "models" / "image_encoder")


def test_what_an_older_version_remembered_is_looked_up_once_more(library: Library) -> None:
    path = library.models / "moss.safetensors"
    tensors(path, LORA)
    status = path.stat()
    library._memory.parent.mkdir()
    row = [status.st_size, status.st_mtime_ns, "lora", "", "a LoRA"]
    library._memory.write_text(json.dumps({"format": 1, "added": [], "seen": {str(path): row}}))
    assert by_title(library)["moss"].role is Role.UNKNOWN
    assert library.identify()
    assert by_title(library)["moss"].role is Role.LORA


def test_what_is_added_stays_where_it_is_and_is_taken_off_the_list_only(library: Library, tmp_path: Path) -> None:
    place = tmp_path / "disk" / "moss.safetensors"
    tensors(place, LORA)
    entry = library.add(place)
    assert (entry.source, entry.role, entry.path) == (Source.ADDED, Role.LORA, place)
    assert library.add(place) == entry, "twice is once"
    library.remove(entry)
    assert place.is_file()
    assert list(by_title(library)) == ["Starter"]
    library.add(place)
    place.unlink()
    gone = by_title(library)["moss.safetensors"]
    assert gone.source is Source.GONE
    assert check(gone) == [f"{place} is gone."]
    library.remove(gone)
    assert list(by_title(library)) == ["Starter"]


def test_two_threads_of_one_blender_lose_nothing_of_what_either_says(tmp_path: Path) -> None:
    memory, places = tmp_path / "models.json", [tmp_path / "disk" / f"{number}.safetensors" for number in range(40)]
    for place in places:
        tensors(place, LORA)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda place: Library(tmp_path / "models", memory).add(place), places))
    assert {entry.path for entry in Library(tmp_path / "models", memory).entries()[1:]} == set(places)


@pytest.mark.parametrize("name", ["nothing", "empty", "page.safetensors", "weights.ckpt"])
def test_what_is_no_model_cannot_be_added(library: Library, tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "page.safetensors").write_bytes(b"<html>hello</html>")
    (tmp_path / "weights.ckpt").write_bytes(b"cos\nsystem\n")
    with pytest.raises(UserError, match=name):
        library.add(tmp_path / name)
    assert list(by_title(library)) == ["Starter"]


def test_a_download_is_checked_by_its_hashes_and_removed_with_its_folder(library: Library) -> None:
    make_download(library.models / "somebody--small", "somebody/small")
    entry = by_title(library)["somebody/small"]
    told: list[int] = []
    assert check(entry, told.append) == []
    assert sum(told) == entry.size
    file = entry.path / "unet" / "diffusion_pytorch_model.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    (entry.path / "model_index.json").unlink()
    assert check(entry) == ["model_index.json", "unet/diffusion_pytorch_model.safetensors"]
    library.remove(entry)
    assert not entry.path.exists()
    assert list(by_title(library)) == ["Starter"]
    assert os.listdir(library.models / stored.UNFINISHED) == [".lock"]


def test_all_downloads_are_removed_and_what_is_not_ours_stays(library: Library) -> None:
    make_download(library.models / "somebody--small", "somebody/small")
    make_download(library.models / stored.UNFINISHED / "somebody--half", "somebody/half")
    assert library.has_downloads()
    library.remove_downloads()
    assert not library.models.exists()
    make_download(library.models / "somebody--small", "somebody/small")
    make_model(library.models / "by hand")
    library.remove_downloads()
    assert os.listdir(library.models) == ["by hand"]
    assert not library.has_downloads()


def test_an_unfinished_download_can_be_removed(library: Library) -> None:
    place = library.models / stored.UNFINISHED / "somebody--half"
    make_download(place, "somebody/half")
    library.remove(by_title(library)["somebody/half"])
    assert not place.exists()


def test_what_others_put_there_is_not_removed(library: Library) -> None:
    make_model(library.models / "by hand")
    for title in ("by hand", "Starter"):
        with pytest.raises(UserError, match="not downloaded by Tilewright"):
            library.remove(by_title(library)[title])
    assert (library.models / "by hand" / "model_index.json").is_file()


def test_a_folder_of_ones_own_is_checked_by_what_it_says(library: Library) -> None:
    make_model(library.models / "by hand")
    (problem,) = check(by_title(library)["by hand"])
    assert "by hand" in problem


def test_a_broken_memory_is_no_memory(library: Library, tmp_path: Path) -> None:
    for text in ("", "{", "[]", '{"added": 1, "seen": {}}', '{"added": [], "seen": {"a": [1]}}'):
        library._memory.parent.mkdir(exist_ok=True)
        library._memory.write_text(text)
        assert list(by_title(library)) == ["Starter"]


def test_500_models_are_listed_in_50_ms_and_no_weights_are_opened(library: Library) -> None:
    for number in range(400):
        make_model(library.models / f"model {number}")
    for number in range(100):
        tensors(library.models / f"lora {number}.safetensors", LORA)
    with opened_files() as opened:
        assert len(library.entries()) == 501
    assert not [name for name in opened if name.endswith(".safetensors")]
    times = []
    for _ in range(5):
        begin = time.thread_time()  # of the processor: what it waits for while others work is not its own
        with opened_files() as opened:
            assert len(library.entries()) == 501
        times.append(time.thread_time() - begin)
    assert opened == [str(library._memory)]
    assert min(times) <= 0.05, times
