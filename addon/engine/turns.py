# SPDX-License-Identifier: GPL-3.0-or-later
"""Text encoders and denoiser in turns, where memory has no room for both. Imports engine and torch.

Prompts are read first, by text encoders with their LoRAs and embeddings; then their weights go, and the denoiser's
come. What was read is kept, so that only another prompt costs reading both files again.
"""

from collections.abc import Callable
from typing import Any

from ..core.requests.texture import TextureRequest
from .canvas import trim_heap
from .devices import READS, empty_cache
from .embeddings import taught
from .loras import adapted
from .models import LoadedModel, put_back, take_out
from .prompts import embed


def read(
    loaded: LoadedModel, request: TextureRequest, note: Callable[[str], None], *, more: bool = False
) -> tuple[dict[str, Any], list[str]]:
    """As `prompts.embed`, also where the plan has networks in turns; the denoiser is there afterwards.

    more: another prompt follows at once, after which the denoiser is soon enough.
    """
    if not loaded.plan.in_turns:
        with taught(loaded, request, note) as taught_request:
            return embed(loaded, taught_request)
    key = (request.prompt, request.negative_prompt, request.guidance_scale > 1, request.extras)
    known = loaded.embeddings.get(key)
    if known is None:
        known = _read_alone(loaded, request, note)
        loaded.remember(key, known)
    if not more:
        _bring(loaded, reading=False)
    return known["embeddings"], known["notes"]


def _read_alone(loaded: LoadedModel, request: TextureRequest, note: Callable[[str], None]) -> dict[str, Any]:
    _bring(loaded, reading=True)
    # what is said of LoRAs is said with the denoiser there
    with adapted(loaded, request.extras.loras, lambda _text: None), taught(loaded, request, note) as taught_request:
        embeddings, notes = embed(loaded, taught_request)
    return {"embeddings": embeddings, "notes": notes}


def _bring(loaded: LoadedModel, *, reading: bool) -> None:
    """Have the text encoders in memory and the denoiser not, or the other way round."""
    wanted = [name for name in loaded.absent if name.startswith(READS) is reading]
    if not wanted:
        return
    for name in loaded.folder.weights:
        if name != "vae" and name.startswith(READS) is not reading and name not in loaded.absent:
            take_out(loaded, name)
    empty_cache(loaded.plan.device.name)
    trim_heap()
    for name in wanted:
        put_back(loaded, name)
