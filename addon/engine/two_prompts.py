# SPDX-License-Identifier: GPL-3.0-or-later
"""Has a U-Net read one prompt here and another there. Imports core, engine and torch.

It is run once for each, and what it predicts is mixed by place: words of both at once would make a mixture everywhere.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from .forwards import replaced_forward
from .models import LoadedModel


@contextmanager
def by_two_prompts(loaded: LoadedModel, second: dict[str, Any] | None, share: torch.Tensor | None) -> Iterator[None]:
    """While the block runs, each place is denoised by the pipeline's own prompt and by another.

    second: what `prompts.embed` gives for that. share: how much of it counts, (1, 1, h, w), 0 to 1. None: nothing.
    """
    if second is None or share is None:
        yield
        return
    network = loaded.pipeline.components[loaded.info.family.denoiser]
    plain = network.forward

    def forward(latents: torch.Tensor, timestep: Any, encoder_hidden_states: torch.Tensor, **named: Any) -> Any:
        (first, *_) = plain(latents, timestep, encoder_hidden_states=encoder_hidden_states, **named)
        other = dict(named)
        if (added := named.get("added_cond_kwargs")) and "text_embeds" in added:
            other["added_cond_kwargs"] = {**added, "text_embeds": _like(added["text_embeds"], second, "pooled_")}
        text = _like(encoder_hidden_states, second, "")
        (made, *_) = plain(latents, timestep, encoder_hidden_states=text, **other)
        part = share.to(first)
        return (first * (1 - part) + made * part,)

    with replaced_forward(network, forward):
        yield


def _like(text: torch.Tensor, embeddings: dict[str, Any], kind: str) -> torch.Tensor:
    """Embeddings as the pipeline hands them to its U-Net: what is not wanted before what is, where it weighs both."""
    both = (embeddings.get(f"negative_{kind}prompt_embeds"), embeddings[f"{kind}prompt_embeds"])
    parts = [part for part in both if part is not None] if len(text) > 1 else [both[1]]
    return torch.cat(parts).to(text)
