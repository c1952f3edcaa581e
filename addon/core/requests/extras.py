# SPDX-License-Identifier: GPL-3.0-or-later
"""What is added to a model for one request: LoRAs, embeddings, another layer of its text encoder. Imports core only."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any, TypeVar

from ..errors import bad_request

MAX_WEIGHT = 4.0  # of a LoRA, either way; beyond that nothing but noise has been seen
MAX_FILES = 32  # of each kind
MAX_CLIP_SKIP = 12  # the layers of the smallest text encoder that has the choice
HASH_DIGITS = 10  # hexadecimal, of a file's sha256: as many as model pages show
_NO_HASH = re.compile(f"([0-9a-f]{{{HASH_DIGITS}}})?")
T = TypeVar("T", bound="Embedding")


def name_of(file: str) -> str:
    """The name of a file on this system or another: recipes travel."""
    return PureWindowsPath(file).name


def _is_whole(file: str) -> bool:
    """Whether it is a whole path on some system."""
    return PurePosixPath(file).is_absolute() or PureWindowsPath(file).is_absolute()


@dataclass(frozen=True, slots=True)
class Embedding:
    """A textual inversion: a word that a text encoder is taught. Creating one validates it.

    file: an absolute path to a .safetensors file.
    sha256: the first 10 hexadecimal digits of the file's hash; "" where it was not asked yet. A recipe has it, and the
        user is told where the file has another.
    """

    file: str
    sha256: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.file, str) or "\0" in self.file or not _is_whole(self.file):
            raise bad_request(f"A LoRA or embedding must be named by its whole path, not {self.file!r}.")
        if not self.file.lower().endswith(".safetensors"):
            raise bad_request(
                f"{self.name} is not a .safetensors file, the only kind that can't run code.",
                "Choose a .safetensors file.",
            )
        if not isinstance(self.sha256, str) or not _NO_HASH.fullmatch(self.sha256):
            raise bad_request(f"The hash of {self.name} is not one.")

    @property
    def name(self) -> str:
        """The file's name."""
        return name_of(self.file)

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON: the file, and what is not the default."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return {name: value for name, value in values.items() if name != "sha256" or value}

    @classmethod
    def from_json(cls: type[T], data: Mapping[str, Any]) -> T:
        """The reverse of `to_json`. Raises `UserError` on anything else."""
        known = {item.name for item in fields(cls)}
        if not isinstance(data, Mapping) or not set(data) <= known or "file" not in data:
            raise bad_request("The settings are not those of LoRAs and embeddings.")
        return cls(**data)


@dataclass(frozen=True, slots=True)
class Lora(Embedding):
    """A low-rank adapter (LoRA, or one of its relatives) and how strongly it acts.

    weight: -4 to 4; 1 is as it was trained, 0 does nothing.
    """

    weight: float = 1.0

    def __post_init__(self) -> None:
        Embedding.__post_init__(self)
        weight = self.weight
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not math.isfinite(weight):
            raise bad_request(f"The weight of {self.name} must be a number, not {weight!r}.")
        if abs(weight) > MAX_WEIGHT:
            raise bad_request(
                f"The weight of {self.name} must be from -{MAX_WEIGHT:g} to {MAX_WEIGHT:g}, not {weight}."
            )
        object.__setattr__(self, "weight", float(weight))


@dataclass(frozen=True, slots=True)
class Extras:
    """Everything of this kind that a request asks for. Creating one validates it; raises `UserError` (kind `REQUEST`).

    loras: each file once; those of weight 0 stay, so that a recipe restores them.
    embeddings: each file once; each is used where the prompts name it.
    clip_skip: which layer of the text encoder the model reads, counted from the end as on model pages: 1 the last, 2
        the one before ...; 0: the model's own.
    """

    loras: tuple[Lora, ...] = ()
    embeddings: tuple[Embedding, ...] = ()
    clip_skip: int = 0

    def __post_init__(self) -> None:
        for title, items, cls in (("LoRAs", self.loras, Lora), ("embeddings", self.embeddings, Embedding)):
            if not isinstance(items, tuple) or not all(type(item) is cls for item in items):
                raise bad_request(f"The {title} are not known.")
            if len(items) > MAX_FILES:
                raise bad_request(f"There are {len(items)} {title}; at most {MAX_FILES} are possible.")
            twice = [item.name for index, item in enumerate(items) if item.file in [one.file for one in items[:index]]]
            if twice:
                raise bad_request(f"{twice[0]} is there twice.", "Remove one of the two.")
        skip = self.clip_skip
        if isinstance(skip, bool) or not isinstance(skip, int) or not 0 <= skip <= MAX_CLIP_SKIP:
            raise bad_request(f"Clip skip must be a whole number from 0 to {MAX_CLIP_SKIP}, not {skip!r}.")

    @property
    def in_words(self) -> list[str]:
        """What was added, in English, a sentence each."""
        lines = [f"LoRA {lora.name}, weight {lora.weight:g}." for lora in self.loras]
        lines += [f"Embedding {embedding.name}." for embedding in self.embeddings]
        return [*lines, *([f"Clip skip {self.clip_skip}."] if self.clip_skip else [])]

    def with_hashes(self, hashes: Mapping[str, str]) -> "Extras":
        """The same files with these hashes. hashes: path -> the file's."""
        return replace(
            self,
            loras=tuple(replace(lora, sha256=hashes[lora.file]) for lora in self.loras),
            embeddings=tuple(replace(one, sha256=hashes[one.file]) for one in self.embeddings),
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON: what is not the default."""
        lists = {"loras": self.loras, "embeddings": self.embeddings}
        data: dict[str, Any] = {name: [item.to_json() for item in items] for name, items in lists.items() if items}
        return data | ({"clip_skip": self.clip_skip} if self.clip_skip else {})

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Extras":
        """The reverse of `to_json`; missing fields take their defaults. Raises `UserError` on anything else."""
        if not isinstance(data, Mapping) or not set(data) <= {item.name for item in fields(cls)}:
            raise bad_request("The settings are not those of LoRAs and embeddings.")
        values = dict(data)
        kinds: tuple[tuple[str, type[Embedding]], ...] = (("loras", Lora), ("embeddings", Embedding))
        for name, kind in kinds:
            if name in values:
                if not isinstance(values[name], list | tuple):
                    raise bad_request("LoRAs and embeddings must be lists.")
                values[name] = tuple(kind.from_json(item) for item in values[name])
        return cls(**values)


def parse_lora(text: str) -> tuple[str, float]:
    """File and weight of `FILE` or `FILE:WEIGHT`, as on the command line. Raises `UserError`."""
    file, colon, weight = text.rpartition(":")
    if not colon or text.lower().endswith(".safetensors"):  # the drive of Windows has a colon too
        return text, 1.0
    try:
        return file, float(weight)
    except ValueError as error:
        raise bad_request(f"{weight!r} is not a weight.", "Write FILE:WEIGHT, such as moss.safetensors:0.8.") from error
