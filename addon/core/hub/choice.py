# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files of a repository are downloaded: those that are needed to run it, and none that could run by themselves.

Only safetensors, JSON, the texts of tokenizers, and what the repository says of itself. Imports core.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from .. import families
from ..errors import ErrorKind, UserError
from ..families.family import Family
from .stored import HubFile, is_safe

INDEX, CONFIG = "model_index.json", "config.json"
_PICKLES = (".bin", ".ckpt", ".pt", ".pth")
_TEXTS = (".json", ".txt")
_PIECES_OF_WORDS = ("spiece.model", "tokenizer.model")  # SentencePiece's: data, in Protocol Buffers
_MAX_TEXT = 64 << 20  # bytes: a tokenizer's words; what is larger is none
_ABOUT = re.compile(r"(LICEN[CS]E|NOTICE|README)[A-Za-z0-9._-]*", re.IGNORECASE)
_MAX_ABOUT = 1 << 20  # bytes
# "model.fp16-00001-of-00002.safetensors" is what diffusers writes today, "model-00001-of-00002.fp16.safetensors" what
# it wrote once. The list of the pieces is "model.safetensors.index.fp16.json".
_WEIGHTS = r"{stem}(-\d{{5}}-of-\d{{5}})?{variant}(-\d{{5}}-of-\d{{5}})?\.safetensors"
_PIECES = r"{stem}\.safetensors\.index{variant}\.json"
_HALF = "fp16"
_STEMS = {"diffusers": "diffusion_pytorch_model", "transformers": "model"}


def choose(
    repository: str, files: Iterable[HubFile], index: bytes | None, wanted: Iterable[str] = ()
) -> tuple[HubFile, ...]:
    """The files to download. Raises `UserError` (kind `MODEL`) where it is nothing that can be run, or nothing safe.

    files: all that the repository has. index: its model_index.json, None where it has none.
    wanted: paths of its files, where not what belongs together is wanted, but these.
    """
    there = {file.path: file for file in files if is_safe(file.path)}
    wanted = tuple(wanted)
    if wanted:
        chosen = [_one(repository, there, path) for path in wanted]
    elif index is not None:
        chosen = _folder(repository, there, index)
    elif CONFIG in there and _variant(there, "", _STEMS["diffusers"]) is not None:
        chosen = [there[CONFIG], *_weights(there, "", _STEMS["diffusers"], _variant(there, "", _STEMS["diffusers"]))]
    else:
        chosen = _single(repository, there)
    about = [
        file for path, file in there.items() if _ABOUT.fullmatch(path) and file.size <= _MAX_ABOUT and not _runs(path)
    ]
    return tuple(sorted({*chosen, *about}, key=lambda file: file.path))


def loose_files(files: Iterable[HubFile]) -> tuple[str, ...]:
    """The safetensors at a repository's root, of which one may be chosen."""
    names = (file.path for file in files if is_safe(file.path) and "/" not in file.path)
    return tuple(sorted(name for name in names if name.endswith(".safetensors")))


def _one(repository: str, there: Mapping[str, HubFile], path: str) -> HubFile:
    file = there.get(path)
    if file is None:
        raise _refuse(f"{repository} has no file {path}.", "Look at the repository's page.")
    if not path.endswith((".safetensors", *_TEXTS)):
        raise _refuse(*_pickled(repository, path) if path.endswith(_PICKLES) else _foreign(repository, path))
    return file


def _single(repository: str, there: Mapping[str, HubFile]) -> list[HubFile]:
    names = loose_files(there.values())
    if len(names) == 1:
        return [there[names[0]]]
    if names:
        more = "" if len(names) <= 12 else ", ..."
        message = f"{repository} holds several models: {', '.join(names[:12])}{more}."
        raise _refuse(message, "Name the file that you want.")
    pickles = [path for path in there if path.endswith(_PICKLES)]
    if pickles:
        raise _refuse(*_pickled(repository, pickles[0]))
    raise _refuse(f"{repository} holds no safetensors weights.", "Choose another model.")


def _folder(repository: str, there: Mapping[str, HubFile], index: bytes) -> list[HubFile]:
    """A model in diffusers format."""
    parts = _read(repository, index)
    family = families.by_pipeline(parts.get("_class_name"))
    if family is None:
        name = parts.get("_class_name")
        known = " or ".join(known.pipeline for known in families.FAMILIES)
        raise _refuse(f"{repository} is a {str(name)[:80]!r}, which Tilewright cannot run.", f"Choose a {known}.")
    chosen = [there[INDEX]]
    stems = {}
    for name, part in family.components.items():
        if parts.get(name) not in [[part.library, allowed] for allowed in part.classes]:
            message = f"{repository} names {str(parts.get(name))[:80]} as its {name}, which is not on the list of"
            raise _refuse(f"{message} safe classes.", "Choose another model.")
        if part.has_weights:
            stems[name] = _STEMS[part.library]
        chosen += [
            file
            for path, file in there.items()
            if path.startswith(f"{name}/") and path.count("/") == 1 and _is_text(path, file, part.has_weights)
        ]
    for name, variant in _variants(repository, there, family, stems).items():
        chosen += _weights(there, f"{name}/", stems[name], variant)
    return chosen


def _is_text(path: str, file: HubFile, has_weights: bool) -> bool:
    """Whether it is a part's configuration or a tokenizer's words; lists of pieces belong to the weights."""
    if has_weights:
        return path.endswith(f"/{CONFIG}")
    texts = path.endswith(_TEXTS) or path.rpartition("/")[2] in _PIECES_OF_WORDS
    return texts and ".index." not in path and file.size <= _MAX_TEXT


def _variants(
    repository: str, there: Mapping[str, HubFile], family: Family, stems: Mapping[str, str]
) -> dict[str, str | None]:
    """Half precision where every part has it; else plain files where every part has those; else what there is."""
    found = {name: _there(there, f"{name}/", stem) for name, stem in stems.items()}
    for name, variants in found.items():
        if not variants:
            pickles = [path for path in there if path.startswith(f"{name}/") and path.endswith(_PICKLES)]
            if pickles:
                raise _refuse(*_pickled(repository, pickles[0]))
            raise _refuse(f"{repository} has no safetensors weights for its {name}.", "Choose another model.")
    for variant in (_HALF, None):
        if all(variant in variants for variants in found.values()):
            return dict.fromkeys(found, variant)
    return {name: variants[0] for name, variants in found.items()}


def _there(there: Mapping[str, HubFile], place: str, stem: str) -> list[str | None]:
    """The sets of weights that a part has, half precision first."""
    return [variant for variant in (_HALF, None) if _weights(there, place, stem, variant)]


def _variant(there: Mapping[str, HubFile], place: str, stem: str) -> str | None:
    """Half precision where there is such a set of weights, None where there are none at all."""
    found = _there(there, place, stem)
    return (found[0] or "") if found else None


def _weights(there: Mapping[str, HubFile], place: str, stem: str, variant: str | None) -> list[HubFile]:
    """One set of a part's weights: the file, or its pieces and their list; where both are there, the file."""
    middle = re.escape(f".{variant}") if variant else ""
    weights = re.compile(re.escape(place) + _WEIGHTS.format(stem=stem, variant=middle))
    matches = {path: found for path in there if (found := weights.fullmatch(path))}
    whole = [there[path] for path, match in matches.items() if not any(match.groups())]
    if whole:
        return whole
    pieces = re.compile(re.escape(place) + _PIECES.format(stem=stem, variant=middle))
    return [there[path] for path in matches] + [file for path, file in there.items() if pieces.fullmatch(path)]


def _read(repository: str, index: bytes) -> dict[str, Any]:
    try:
        data = json.loads(index)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise _refuse(f"The {INDEX} of {repository} is damaged.", "Choose another model.")
    return data


def _runs(path: str) -> bool:
    return path.endswith((*_PICKLES, ".py", ".pyc", ".so", ".sh", ".bat", ".exe", ".html", ".htm", ".svg"))


def _pickled(repository: str, path: str) -> tuple[str, str]:
    message = f"{repository} has {path} only as a pickle, which can run code when it is opened."
    return message, "Tilewright downloads safetensors only: choose another model."


def _foreign(repository: str, path: str) -> tuple[str, str]:
    return f"{path} of {repository} is no safetensors file.", "Tilewright downloads safetensors only."


def _refuse(message: str, hint: str) -> UserError:
    return UserError(ErrorKind.MODEL, message, hint)
