# SPDX-License-Identifier: GPL-3.0-or-later
"""The safety checker that some model folders bring: honoured where it is there. Imports core, engine, transformers.

It runs apart from the pipeline, which decodes no pictures here, on the processor: of each job's time it takes little.
"""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from ..core.errors import ErrorKind, UserError
from ..core.model_files import folder as model_folder
from .families.adapter import Adapter

log = logging.getLogger(__name__)

_CHECKER, _EXTRACTOR = "safety_checker", "feature_extractor"


class SafetyChecker:
    """Looks at finished pictures. `blanks` is what diffusers' own pipeline would make a black picture of."""

    def __init__(self, network: Any, extractor: Any) -> None:
        self._network, self._extractor = network, extractor

    @torch.inference_mode()
    def blanks(self, pixels: NDArray[np.uint8]) -> bool:
        """Whether a picture (H, W, 3) is not to be shown."""
        seen = self._extractor(Image.fromarray(pixels), return_tensors="pt").pixel_values
        _, found = self._network(clip_input=seen.to(self._network.dtype), images=[pixels])
        return bool(found[0])


def load(folder: Path, adapter: Adapter) -> SafetyChecker | None:
    """The checker of a model's folder, None where it brings none that is whole, or its family has none.

    Raises `UserError` (kind `MODEL`) where it is there and cannot be loaded: a model is not run without its checker.
    """
    if adapter.safety_checker is None or not all((folder / part).is_dir() for part in (_CHECKER, _EXTRACTOR)):
        return None
    model_folder.check_part(folder, _CHECKER)
    model_folder.check_part(folder, _EXTRACTOR, has_weights=False)
    try:
        from transformers import CLIPImageProcessor

        cls = adapter.safety_checker()
        network = cls.from_pretrained(str(folder / _CHECKER), local_files_only=True, use_safetensors=True)
        extractor = CLIPImageProcessor.from_pretrained(
            str(folder / _EXTRACTOR), local_files_only=True, use_safetensors=True
        )
    except Exception as error:  # whatever a library makes of a file's contents is the file's fault
        log.exception("loading the safety checker of %s failed", folder)
        raise UserError(
            ErrorKind.MODEL,
            f"The safety checker in {folder} cannot be loaded.",
            "Download the model again, or choose another folder.",
        ) from error
    return SafetyChecker(network.eval(), extractor)
