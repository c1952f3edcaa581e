# SPDX-License-Identifier: GPL-3.0-or-later
"""A pool's tiles as latents, each encoded once and drawn several times. May import torch and diffusers."""

import torch
from diffusers import AutoencoderTiny

from . import cache
from .pool import Pool
from .tokens import MAX_TOKENS


class Encoded:
    """Latents (kept, channels, side, side) of variance about 1, and the tokens of a caption each.

    On one core of a processor, encoding took 7.5 ms a tile of 128 px where a training step took 21 ms; so it is done
    for every `reuse`th tile of a batch, and the others are drawn from those that are kept, rolled by whole latents.
    """

    def __init__(self, pool: Pool, autoencoder: AutoencoderTiny, scale: float, reuse: int, kept: int = 4096) -> None:
        """autoencoder: wrapped. scale: its scaling_factor. reuse: 1 encodes every tile anew."""
        self._pool, self._autoencoder, self._scale, self._reuse, self._kept = pool, autoencoder, scale, reuse, kept
        self._latents = torch.empty(0)
        self._ids = torch.empty((kept if reuse > 1 else 0, MAX_TOKENS), dtype=torch.int16, device=pool.device)
        self._seen = 0

    @torch.no_grad()
    def draw(self, batch: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Latents (batch, channels, side, side) and token ids (batch, MAX_TOKENS)."""
        if self._reuse == 1:
            return self._encode(batch)
        self._keep(*self._encode(batch if self._seen < self._kept // 8 else -(-batch // self._reuse)))
        rows = torch.randint(min(self._seen, self._kept), (batch,), device=self._pool.device)
        side = self._latents.shape[-1]
        along = torch.arange(side, device=rows.device)
        y, x = ((along + torch.randint(side, (batch, 1), device=rows.device)) % side for _ in range(2))
        rolled = self._latents[rows[:, None, None], :, y[:, :, None], x[:, None, :]]
        return rolled.permute(0, 3, 1, 2).float().contiguous(), self._ids[rows]

    def _encode(self, batch: int) -> tuple[torch.Tensor, torch.Tensor]:
        pixels, ids = self._pool.draw(batch)
        with cache.mixed_precision(self._pool.device):
            z = self._autoencoder.encoder(pixels.contiguous(memory_format=torch.channels_last))
        return (z.float() * self._scale).contiguous(), ids

    def _keep(self, latents: torch.Tensor, ids: torch.Tensor) -> None:
        """In place of the oldest."""
        if not self._seen:
            self._latents = latents.new_empty((self._kept, *latents.shape[1:]), dtype=torch.float16)
        places = (self._seen + torch.arange(len(ids), device=ids.device)) % self._kept
        self._latents[places], self._ids[places] = latents.half(), ids.to(self._ids.dtype)
        self._seen += len(ids)
