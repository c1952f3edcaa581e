# SPDX-License-Identifier: GPL-3.0-or-later
"""The image encoder that an IP-Adapter reads pictures with: which one it takes, and where it lies. Imports core.

An adapter's file does not hold it. Looking for one reads its config.json alone.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..errors import UserError
from .configs import read_config

FOLDER = "image_encoder"
_CONFIG = "config.json"
# Where published adapters keep their encoder, seen from the adapter's folder: beside it, beside its folder, and as
# h94/IP-Adapter has them, whose adapters for larger models read pictures with either one's encoder.
_PLACES = (FOLDER, f"../{FOLDER}", f"../models/{FOLDER}", f"../sdxl_models/{FOLDER}")
_USUAL = {"hidden_size": 768, "projection_dim": 512}  # where a configuration is silent, transformers' own defaults

Reads = tuple[str, int]  # a number of the encoder's configuration, and what it has to be


def reads(shapes: Mapping[str, tuple[int, ...]]) -> Reads | None:
    """What an adapter with these tensors reads of its encoder; None for one that is not run here, as those for faces.

    A plain one reads the encoder's summary ("projection_dim"), a Plus all that it sees ("hidden_size").
    """
    if "image_proj.proj.weight" in shapes:
        return "projection_dim", shapes["image_proj.proj.weight"][-1]
    if "image_proj.latents" in shapes and "image_proj.proj_in.weight" in shapes:
        return "hidden_size", shapes["image_proj.proj_in.weight"][-1]
    if "image_proj.proj.0.weight" in shapes and "image_proj.proj.3.weight" in shapes:
        return "hidden_size", shapes["image_proj.proj.0.weight"][0]
    return None


def fits(place: Path, wanted: Reads) -> bool:
    """Whether a folder's configuration says that it is such an encoder; False where it has none that can be read."""
    name, width = wanted
    try:
        return bool(read_config(place, _CONFIG).get(name, _USUAL[name]) == width)
    except UserError:
        return False


def beside(adapter: Path, wanted: Reads) -> Path | None:
    """The folder of the encoder that was published with an adapter's file, None where it is not there."""
    return first_fitting((Path(os.path.normpath(adapter.parent / place)) for place in _PLACES), wanted)


def first_fitting(places: Iterable[Path], wanted: Reads) -> Path | None:
    """The first of these folders that holds such an encoder."""
    return next((place for place in places if (place / _CONFIG).is_file() and fits(place, wanted)), None)
