# SPDX-License-Identifier: GPL-3.0-or-later
"""LoRAs on a model while a picture is made: hooks on its layers, and nothing else. Imports core, engine and torch.

A layer that a LoRA changes keeps its weights and is called as ever; a hook adds to its output. So removing the hooks
leaves the network as it was, bit for bit, and a convolution is asked itself for what its LoRA adds: it pads as it does,
and wraps where `seamless` has it wrap, whatever the kind of LoRA. peft puts layers of its own in the place of the
network's, convolves by hand for all but plain LoRA, and loads some formats without a layer and without an error.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..core.errors import ErrorKind, UserError
from ..core.model_files import hashes, kinds
from ..core.model_files.kinds import Role
from ..core.requests.extras import Extras, Lora
from ..core.requests.texture import STARTER, TextureRequest
from . import lora_files
from .families.adapter import no_others
from .lora_files import LoraFile, Names, Part
from .models import LoadedModel

_AGAIN = "Choose it again, or remove it."
_SECOND = {Role.LORA: "LoRA", Role.EMBEDDING: "embedding"}


def check(request: TextureRequest) -> TextureRequest:
    """The request with its files' hashes, before anything is loaded for it.

    Raises `UserError` (kind `MODEL`) for a file that is not there, or is something else.
    """
    extras = request.extras
    if request.model == STARTER and extras != Extras():
        raise UserError(
            ErrorKind.MODEL,
            "The starter takes no LoRAs, embeddings or clip skip: they are made for larger models.",
            "Choose another model, or remove them.",
        )
    found = {}
    for role, files in ((Role.LORA, extras.loras), (Role.EMBEDDING, extras.embeddings)):
        for item in files:
            path = Path(item.file)
            if not path.is_file():
                raise UserError(ErrorKind.MODEL, f"The {_SECOND[role]} {path} is not there.", _AGAIN)
            kind = kinds.look(path)
            if kind.role not in (role, Role.UNKNOWN):
                raise UserError(ErrorKind.MODEL, f"{path.name} is no {_SECOND[role]}. {kind.sentence}", kind.place)
            found[item.file] = hashes.short(path)
    return replace(request, extras=extras.with_hashes(found))


def changed(before: Extras, now: Extras) -> list[str]:
    """A sentence for each file that is another than the recipe says which the request came from."""
    pairs = [*zip(before.loras, now.loras, strict=True), *zip(before.embeddings, now.embeddings, strict=True)]
    return [
        f"{old.name} is not the file that the recipe was made with: it has the hash {new.sha256}, not {old.sha256}."
        for old, new in pairs
        if old.sha256 and old.sha256 != new.sha256
    ]


def environment(loaded: LoadedModel, extras: Extras) -> dict[str, str]:
    """What a recipe says of them: of each LoRA its weight, hash, and how many layers of the model it adapts."""
    words = {}
    for lora in extras.loras:
        adapts = f", {_loaded(loaded, lora).layers} layers" if lora.weight else ""
        words[f"LoRA {lora.name}"] = f"{lora.weight:g}, sha256 {lora.sha256}{adapts}"
    for embedding in extras.embeddings:
        words[f"embedding {embedding.name}"] = f"sha256 {embedding.sha256}"
    return words


@contextmanager
def adapted(loaded: LoadedModel, loras: Sequence[Lora], note: Callable[[str], None]) -> Iterator[None]:
    """The model with these LoRAs while the block runs; enter it before `seamless`. Raises `UserError` (kind `MODEL`).

    Files are read once for as long as they are asked for; other weights cost nothing.
    """
    for path in set(loaded.loras) - {Path(lora.file) for lora in loras}:
        del loaded.loras[path]
    wanted: dict[tuple[str, str], list[tuple[Part, float]]] = {}
    networks, device = loaded.pipeline.components, loaded.plan.device.name
    for lora in loras:
        if not lora.weight:
            continue
        file = _loaded(loaded, lora)
        if file.unused:
            share = f"{len(file.unused)} of its {file.layers + len(file.unused)} layers"
            note(f"{lora.name}: {share} are not in this model, such as {file.unused[0]}.")
        for component, parts in file.parts.items():
            if component in loaded.absent:
                continue
            for name, part in parts.items():
                placed = part.placed(device, networks[component].dtype)
                wanted.setdefault((component, name), []).append((placed, lora.weight))
    with hooked(networks, wanted):
        yield


@contextmanager
def hooked(
    networks: Mapping[str, nn.Module], parts: Mapping[tuple[str, str], list[tuple[Part, float]]]
) -> Iterator[None]:
    """The networks with these parts, each with its weight, while the block runs. parts: by network and layer."""
    with ExitStack() as stack:
        for (network, name), added in parts.items():
            layer = networks[network].get_submodule(name)
            stack.callback(layer.register_forward_hook(_Added(added)).remove)
        yield


class _Added:
    """The hook of one layer."""

    __slots__ = ("parts",)

    def __init__(self, parts: list[tuple[Part, float]]) -> None:
        self.parts = parts

    def __call__(self, layer: nn.Module, arguments: tuple[Any, ...], plain: torch.Tensor) -> torch.Tensor:
        x = arguments[0]
        total = plain
        for part, weight in self.parts:
            total = total + part.added(layer, x, plain, weight)
        return total


def _loaded(loaded: LoadedModel, lora: Lora) -> LoraFile:
    """The file, read once."""
    path = Path(lora.file)
    known = loaded.loras.get(path)
    if known is None or known[0] != lora.sha256:
        loaded.loras[path] = known = lora.sha256, lora_files.read(path, _names(loaded), _converter(loaded))
    return known[1]


def _names(loaded: LoadedModel) -> Names:
    components = loaded.pipeline.components
    encoders = [encoder for _tokenizer, encoder in loaded.adapter.text_encoders]
    names = [loaded.info.family.denoiser, *encoders]  # of encoders a folder may leave some out
    there = {name: loaded.absent.get(name) or components[name] for name in names}
    return Names({name: network for name, network in there.items() if network}, loaded.adapter.other_names)


def _converter(loaded: LoadedModel) -> Callable[[dict[str, torch.Tensor]], Any] | None:
    """diffusers' way from other formats, for families whose layers have other names that are not known here."""
    if loaded.adapter.other_names is not no_others:
        return None
    return getattr(type(loaded.pipeline), "lora_state_dict", None)
