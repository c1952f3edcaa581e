# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a model folder may be loaded, checked before torch sees it. Imports core and the standard library only.

Nothing is run that came from a file: only listed classes, only safetensors, no Python files, no links that lead out.
"""

import codecs
import hashlib
import json
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ErrorKind, UserError
from ..families import by_pipeline
from ..families.family import Component, Family
from .configs import is_twin, read_config
from .header import AGAIN, read_header, refuse

# Named by many folders, and not needed to run them. `engine.safety` asks for the first two (`check_part`).
_IGNORED = ("safety_checker", "feature_extractor", "image_encoder")

# By these a configuration makes diffusers or transformers load other files than those that were checked, or code.
_LEADS_AWAY = (
    "auto_map",
    "transformers_weights",
    "quantization_config",
    "attn_implementation",
    "_attn_implementation",
    "_attn_implementation_internal",
)


@dataclass(frozen=True)
class ModelFolder:
    """A folder that passed `verify`.

    weights: component -> its safetensors files. sizes: component -> bytes of its weights.
    variants: component -> diffusers' name for its set of files ("fp16"), None for the plain one.
    fingerprint: changes when a weight file or a configuration does.
    grid: pixels by whose multiples a picture can be rolled, and of which its sides must be multiples to be seamless.
    """

    folder: Path
    family: Family
    weights: Mapping[str, tuple[Path, ...]]
    sizes: Mapping[str, int]
    variants: Mapping[str, str | None]
    fingerprint: str
    grid: int


def verify(folder: Path) -> ModelFolder:
    """Check a diffusers folder without loading it. Raises `UserError` (kind `MODEL`) that names the file.

    Reads configurations and the headers of weight files only, so it takes milliseconds and next to no memory.
    """
    index = read_config(folder, "model_index.json")
    family = by_pipeline(index.get("_class_name"))
    if family is None:
        raise refuse(folder / "model_index.json", f"names the pipeline {index.get('_class_name')!r}")
    components = _components(folder, index, family)
    _refuse_code(folder, components)
    variants = _variants(folder, components)
    weights = {name: _weight_files(folder, name, components[name], variant) for name, variant in variants.items()}
    digest = hashlib.sha256()
    sizes = {}
    for name in sorted(components):
        for config in sorted(_files(folder / name, "*.json")):
            _refuse_byte_order_mark(config)
            digest.update(config.name.encode() + b"\0" + _small_file(config))
        for file in weights.get(name, ()):
            check_safetensors(file)
            digest.update(_sample(file))
        sizes[name] = sum(file.stat().st_size for file in weights.get(name, ()))
    return ModelFolder(folder, family, weights, sizes, variants, digest.hexdigest()[:16], family.grid(folder))


def check_part(folder: Path, name: str, has_weights: bool = True) -> None:
    """Check a part that transformers loads, and that is not needed to run the model. Raises `UserError` as `verify`."""
    _refuse_code(folder, [name])
    if has_weights:
        part = {name: Component("transformers", ())}
        variants = _variants(folder, part)
        for file in _weight_files(folder, name, part[name], variants[name]):
            check_safetensors(file)


def check_safetensors(path: Path) -> None:
    """Check that a file is whole safetensors, see `header.read_header`. Raises `UserError` (kind `MODEL`)."""
    read_header(path)


def _components(folder: Path, index: Mapping[str, Any], family: Family) -> dict[str, Component]:
    """The family's parts, by name, in the index's order; all are there, and of classes that may be loaded."""
    present = {}
    for name, value in index.items():
        if name.startswith("_") or name in _IGNORED or not isinstance(value, list) or value == [None, None]:
            continue
        part = family.components.get(name)
        # lists: a file may name what has no hash
        if part is None or value not in [[part.library, allowed] for allowed in part.classes]:
            raise refuse(
                folder / "model_index.json", f"names {value!r} as {name!r}, which is not on the list of safe classes"
            )
        present[name] = part
    missing = [name for name in family.components if name not in present]
    if missing:
        raise refuse(folder / "model_index.json", f"names no {missing[0]}")
    return present


def _refuse_code(folder: Path, components: Iterable[str]) -> None:
    inside = _allowed_roots(folder)
    for place in (folder, *(folder / name for name in components)):
        if not place.is_dir():
            raise UserError(ErrorKind.MODEL, f"{place} is missing.", AGAIN)
        for file in place.iterdir():
            if is_twin(file.name):
                continue
            if file.suffix in {".py", ".pyc", ".so", ".pyd"}:
                raise refuse(file, "is code, and models must not bring any")
            if file.name == "adapter_config.json":  # transformers would load the model from wherever it says
                raise refuse(file, "names another model, and would be loaded in this one's place")
            real = file.resolve()
            if not any(real.is_relative_to(root) for root in inside):
                raise refuse(file, "is a link out of the model's folder")
    for name in components:
        for config in _files(folder / name, "*config.json"):
            keys = read_config(config.parent, config.name).keys()
            for key in _LEADS_AWAY:
                if key in keys:
                    raise refuse(config, f"sets {key!r}, which may lead to code or to files that cannot be checked")


def _files(place: Path, pattern: str) -> list[Path]:
    return [file for file in place.glob(pattern) if not is_twin(file.name)]


def _allowed_roots(folder: Path) -> list[Path]:
    """The folder itself; for a snapshot in the hub's cache also the blobs that its links point to."""
    roots = [folder.resolve()]
    if folder.resolve().parent.name == "snapshots":
        roots.append(folder.resolve().parents[1] / "blobs")
    return roots


def _variants(folder: Path, components: Mapping[str, Component]) -> dict[str, str | None]:
    """Plain files where every component has those; else "fp16", and plain ones for components that have no such.

    So does diffusers, asked for "fp16": some models have only their largest part in half precision.
    """
    weighty = {name: part for name, part in components.items() if part.has_weights}
    there = {
        name: [variant for variant in (None, "fp16") if _find(folder, name, part, variant)]
        for name, part in weighty.items()
    }
    for name, variants in there.items():
        if not variants:
            place = folder / name
            pickles = any(_files(place, f"*.{suffix}") for suffix in ("bin", "ckpt", "pt"))
            reason = "holds only pickled weights, which can run code" if pickles else "holds no safetensors weights"
            raise UserError(ErrorKind.MODEL, f"{place} {reason}.", "Choose a model in safetensors format.")
    plain = all(None in variants for variants in there.values())
    return {name: None if plain else variants[-1] for name, variants in there.items()}


def _refuse_byte_order_mark(config: Path) -> None:
    """Editors of Windows put it in front, and diffusers and transformers take what follows for no JSON."""
    with config.open("rb") as file:
        mark = file.read(3)
    if mark == codecs.BOM_UTF8 or mark[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        raise UserError(
            ErrorKind.MODEL,
            f"{config} begins with a byte order mark, which keeps it from being read.",
            "Save it as UTF-8 without BOM in a text editor.",
        )


def _find(folder: Path, name: str, part: Component, variant: str | None) -> Path | None:
    """The component's weight file, or the index of its shards: what would be loaded, where both are there."""
    stem = "diffusion_pytorch_model" if part.library == "diffusers" else "model"
    suffix = f".{variant}" if variant else ""
    files = [f"{stem}{suffix}.safetensors", f"{stem}.safetensors.index{suffix}.json"]
    if part.library == "diffusers":
        files.reverse()  # diffusers prefers the shards, transformers the single file
    return next((folder / name / file for file in files if (folder / name / file).is_file()), None)


def _weight_files(folder: Path, name: str, part: Component, variant: str | None) -> tuple[Path, ...]:
    found = _find(folder, name, part, variant)
    assert found is not None  # `_variant` has looked
    if found.suffix == ".safetensors":
        return (found,)
    return tuple(_shards(found))


def _shards(index: Path) -> Iterator[Path]:
    try:
        names = sorted(set(json.loads(index.read_bytes())["weight_map"].values()))
        for name in names:
            if Path(name).name != name or not name.endswith(".safetensors"):
                raise refuse(index, f"names {name!r} as a part")
            yield index.parent / name
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise refuse(index, "is no list of parts") from error


def _small_file(path: Path, limit: int = 32 << 20) -> bytes:
    if path.stat().st_size > limit:
        raise refuse(path, "is too large for a configuration")
    return path.read_bytes()


def _sample(path: Path, piece: int = 1 << 20) -> bytes:
    """Name, length, and both ends of a file: enough to tell two sets of weights apart without reading gigabytes."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(piece)
        file.seek(max(size - piece, 0))
        return path.name.encode() + struct.pack("<Q", size) + start + file.read(piece)
