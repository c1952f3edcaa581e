# SPDX-License-Identifier: GPL-3.0-or-later
"""A model in one .safetensors file: whether it can be run, and how. Imports core and the standard library only."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..errors import ErrorKind, UserError
from ..families import bases, by_base, few_steps, latent_spaces, original
from ..families.family import Family
from ..families.few_steps import FewSteps
from ..families.latent_spaces import Space
from ..families.original import Checkpoint, Part, Tensors, Unusual
from . import kinds
from .configs import read_config
from .header import AGAIN, Header, read_header
from .kinds import FileKind, Role

SUFFIX = ".safetensors"
_PICKLES = (".ckpt", ".pt", ".pth", ".bin")
# Models in one file; of these the first is read, the others are told what they are.
SUFFIXES = (SUFFIX, *_PICKLES, ".gguf")
_RUN = (0, 4, 9)  # channels that a denoiser may read: latents, or with a mask and a masked picture beside them
_MAX_YAML = 1 << 16  # bytes


@dataclass(frozen=True)
class FileModel:
    """What is known of a model in one file before it is read.

    prediction: what its denoiser predicts. guessed: whether nothing but its base speaks for that.
    few: how it is sampled, where its name says that it needs few steps. side: pixels that it was trained at.
    alone: what else it takes to run comes from elsewhere, see `parts`.
    """

    kind: FileKind
    family: Family
    prediction: str
    guessed: bool
    few: FewSteps | None
    side: int
    alone: bool = False


@dataclass(frozen=True)
class InFile:
    """A network whose weights lie in files. path: the file, or the first of them. tensors: all that is in them.

    others: tensors that lie in another file than `path`.
    """

    path: Path
    part: Part
    tensors: Tensors
    others: Mapping[str, Path] = field(default_factory=dict)

    def file_of(self, tensor: str) -> Path:
        """Where a tensor lies."""
        return self.others.get(tensor, self.path)

    @property
    def size(self) -> int:
        """Bytes of its weights in the file."""
        sources = self.part.weights.values()
        used = ((self.tensors[source.tensor], source.parts, source.count) for source in sources)
        return sum((tensor.stop - tensor.start) // parts * count for tensor, parts, count in used)

    @property
    def parameters(self) -> int:
        """How many numbers it has."""
        return sum(
            math.prod(self.tensors[source.tensor].shape) // source.parts * source.count
            for source in self.part.weights.values()
        )


def describe(path: Path) -> FileModel:
    """The model in a file. Reads its header at most. Raises `UserError` (kind `MODEL`) that says what it is instead."""
    suffix = path.suffix.lower()
    if suffix in _PICKLES:
        raise _no_model(path, "is a pickle, and such files can hold code", "Choose the model as .safetensors.")
    if suffix != SUFFIX:
        raise _no_model(path, f"is a {suffix} file, which is not read here", "Choose the model as .safetensors.")
    kind = kinds.look(path)
    family = by_base(kind.base)
    if kind.role not in (Role.CHECKPOINT, Role.DENOISER):
        where = kind.place or "Choose a checkpoint, or a folder with a model_index.json."
        raise UserError(ErrorKind.MODEL, f"{path.name} is not a model of its own. {kind.sentence}", where)
    if family is None or kind.inputs not in _RUN:
        raise _no_model(path, f"is {kind.what}, which Tilewright cannot run", "Choose another model.")
    assert kind.base is not None  # its family was found by it
    if family.checkpoint is None:  # also of a whole one the denoiser alone is read
        return FileModel(kind, family, family.prediction_type, False, None, family.defaults.size, alone=True)
    prediction, guessed = _prediction(path, kind)
    few = few_steps.told_by(path.stem, kind.metadata.get("modelspec.title", ""))
    side, alone = original.side(kind.base, prediction), kind.role is Role.DENOISER
    return FileModel(kind, family, prediction, guessed, few, side, alone)


def read(path: Path, model: FileModel) -> tuple[Header, Checkpoint]:
    """The networks in the file. Reads its header alone. Raises `UserError` (kind `MODEL`)."""
    header = read_header(path)
    assert model.family.checkpoint is not None  # `describe` has looked
    assert model.kind.base is not None
    try:
        return header, model.family.checkpoint(header.tensors, model.kind.base, model.prediction)
    except Unusual as error:
        raise _no_model(path, f"cannot be read: {error}", AGAIN) from error


def autoencoder(path: Path, denoiser: Mapping[str, Any], own: Mapping[str, Any]) -> InFile:
    """The VAE in a file, for a model with these configurations. Raises `UserError` (kind `MODEL`)."""
    kind = kinds.look(path)
    header = read_header(path)
    prefix = original.VAE if kind.role is Role.CHECKPOINT else ""
    if kind.role not in (Role.VAE, Role.CHECKPOINT):
        raise UserError(ErrorKind.MODEL, f"{path.name} is not a VAE. {kind.sentence}", kind.place or "Choose a VAE.")
    try:
        part = original.autoencoder(header.tensors, bases.of_config(denoiser), prefix)
    except Unusual as error:
        raise _no_model(path, f"cannot be read: {error}", "Choose another VAE.") from error
    # How a model's latents are scaled is the model's, not the file's.
    scales = {key: own[key] for key in ("scaling_factor", "shift_factor") if key in own and part.cls != _TINY}
    return InFile(path, replace(part, config={**part.config, **scales}), header.tensors)


def space_of(path: Path) -> Space | None:
    """Whose VAE a file or a folder in diffusers' layout has; None where that is not told.

    By what the file is, what its maker wrote into it, or a configuration beside it. Raises `UserError` as `look`.
    """
    folder = path if path.is_dir() else path.parent
    if not path.is_dir():
        kind = kinds.look(path)
        if kind.role is Role.CHECKPOINT or len(kind.spaces) == 1:
            return latent_spaces.of_base(kind.base) or next(iter(kind.spaces), None)
        if not (path.name.startswith("diffusion_pytorch_model") and (folder / "config.json").is_file()):
            return None  # what lies beside a file of another name may be of anything
    config = read_config(folder, "config.json")
    return latent_spaces.of_config(config) if "_class_name" in config else None


_TINY = "AutoencoderTiny"  # its latents are scaled in its own weights


def latent_channels(config: Mapping[str, Any]) -> int:
    """The channels of a VAE's latents."""
    value = config.get("latent_channels", 4)
    return value if isinstance(value, int) else 0


def _prediction(path: Path, kind: FileKind) -> tuple[str, bool]:
    """What the denoiser predicts, and whether that is a guess: by the file, a .yaml beside it, its name, its base."""
    if kind.prediction:
        return kind.prediction, False
    beside = path.with_suffix(".yaml")
    try:
        with beside.open("rb") as file:
            text = file.read(_MAX_YAML).decode("utf-8", "replace")
        return ("v_prediction" if re.search(r"parameterization:\s*[\"']?v\b", text) else "epsilon"), False
    except (OSError, ValueError):
        pass  # few have one
    name = path.stem.lower()
    if re.search(r"v[ _-]?pred|768[ _-]?v(?![a-z0-9])", name):
        return "v_prediction", False
    if kind.base is not bases.SD2:
        return "epsilon", False
    if re.search(r"base|512", name):
        return "epsilon", False
    return "v_prediction", True


def _no_model(path: Path, reason: str, hint: str) -> UserError:
    return UserError(ErrorKind.MODEL, f"{path.name} {reason}.", hint)
