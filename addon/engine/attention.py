# SPDX-License-Identifier: GPL-3.0-or-later
"""Attention some queries at once, where torch writes down a score for each query and key. Imports torch.

On Apple's graphics it does (2.14, `sdpa_general_mps`), in float32, and a tensor of 4 GiB ends the process there: no
exception, an assertion of Metal's (pytorch/pytorch#149261). Eight heads over 128 x 128 latents, twice for the guidance,
would need 16 GiB. Each query's result is its own, so parts of them give the same numbers. diffusers' slices are by
heads instead, of which one alone may be too large, and are lost with every other attention processor (IP-Adapter's).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn import functional as F


@contextmanager
def by_queries(limit: int) -> Iterator[None]:
    """Have torch's attention hold scores of at most so many bytes at once while the block runs; 0 changes nothing.

    In this process, whoever calls it: diffusers and transformers look it up for each call. One block at a time.
    """
    plain = F.scaled_dot_product_attention

    def attend(
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attn_mask: torch.Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        **more: Any,
    ) -> torch.Tensor:
        rows = query.shape[-2]
        row = 4 * key.shape[-2] * (query.numel() // max(rows * query.shape[-1], 1))
        count = max(limit // max(row, 1), 1)
        if is_causal or count >= rows:
            return plain(query, key, value, attn_mask, dropout_p, is_causal, **more)
        # Views that were permuted gave wrong numbers on Apple's graphics, without a word (pytorch/pytorch#181133).
        key, value = key.contiguous(), value.contiguous()
        out = query.new_empty((*query.shape[:-1], value.shape[-1]))
        for first in range(0, rows, count):
            part = slice(first, first + count)
            mask = attn_mask
            if mask is not None and mask.shape[-2] > 1:
                mask = mask[..., part, :]
            out[..., part, :] = plain(query[..., part, :].contiguous(), key, value, mask, dropout_p, **more)
        return out

    if limit:
        F.scaled_dot_product_attention = attend
    try:
        yield
    finally:
        F.scaled_dot_product_attention = plain
