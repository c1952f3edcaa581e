# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a VAE that takes the place of a model's own is made for that model, by its weights. Imports core and torch.

Names and shapes do not tell the VAEs of some models apart. Weights do: who trains a VAE for a model begins with its own
and often leaves the encoder as it was, or else the model would have to be trained again; two that were trained from
nothing have no more in common than noise.
"""

from pathlib import Path

import torch

from ..core.model_files import checkpoint
from ..core.model_files.folder import ModelFolder
from ..core.model_files.header import read_header
from .weights import read_one

# Small ones next to pictures and latents, which training that goes on changes least.
_TELLING = ("encoder.conv_in.weight", "decoder.conv_in.weight")
_ALIKE = 0.5  # of a cosine: of a relative near 1, of two strangers with a thousand numbers or more below 0.1


def doubt(own: ModelFolder, other: ModelFolder, path: Path) -> str:
    """A sentence where the VAE of `other`, from `path`, may be another model's; "" where there is no sign of that.

    own: the same model with the VAE that it came with. Raises `UserError`.
    """
    file = other.in_files.get("vae")
    if checkpoint.space_of(file.path if file else other.place("vae")) is not None:
        return ""  # it says whose it is, and that it fits was looked at
    pairs = [(_weight(own, name), _weight(other, name)) for name in _TELLING]
    known = [(one, two) for one, two in pairs if one is not None and two is not None]
    if not known or any(_alike(one, two) for one, two in known):
        return ""
    return f"{path.name} has nothing in common with the model's own VAE: if the colors are off, it is another model's."


def _weight(model: ModelFolder, name: str) -> torch.Tensor | None:
    network = model.in_files.get("vae")
    if network is not None:
        source = network.part.weights.get(name)
        return None if source is None else read_one(network.file_of(source.tensor), network.tensors[source.tensor])
    for path in model.weights["vae"]:
        if (stored := read_header(path).tensors.get(name)) is not None:
            return read_one(path, stored)
    return None


def _alike(one: torch.Tensor, other: torch.Tensor) -> bool:
    same = one.shape == other.shape
    return same and torch.nn.functional.cosine_similarity(one.flatten(), other.flatten(), dim=0).item() > _ALIKE
