# SPDX-License-Identifier: GPL-3.0-or-later
"""Attention some queries at once gives what attention of all of them gives, and holds no more scores than allowed."""

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch.nn import functional as F

from addon.engine.attention import by_queries
from tests.engine import networks

LIMIT = 1e-6  # greatest difference over greatest value, in float32


def off(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one - other).abs().max() / other.abs().max())


@pytest.mark.parametrize("mask", [None, (1, 1, 1, 19), (2, 1, 37, 19), (37, 19)])
@pytest.mark.parametrize("rows_at_once", [1, 5, 37, 100])
def test_parts_of_the_queries_give_what_all_of_them_give(mask: tuple[int, ...] | None, rows_at_once: int) -> None:
    torch.manual_seed(0)
    query, key = torch.randn(2, 37, 3, 8).transpose(1, 2), torch.randn(2, 3, 19, 8)
    value = torch.randn(2, 19, 3, 4).transpose(1, 2)
    given = None if mask is None else torch.randn(mask)
    whole = F.scaled_dot_product_attention(query, key, value, attn_mask=given, scale=0.3)
    with by_queries(rows_at_once * 4 * 19 * 2 * 3):
        parts = F.scaled_dot_product_attention(query, key, value, attn_mask=given, scale=0.3)
    assert off(parts, whole) <= LIMIT


def test_no_call_holds_more_scores_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """So much as Apple's graphics would write down: a number of 4 bytes for each head, query and key."""
    held = []
    plain = F.scaled_dot_product_attention

    def counted(query: torch.Tensor, key: torch.Tensor, *more: object, **named: object) -> torch.Tensor:
        held.append(4 * query.shape[0] * query.shape[1] * query.shape[2] * key.shape[2])
        return plain(query, key, *more, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(F, "scaled_dot_product_attention", counted)
    unet, vae = networks.sd_unet(), networks.kl_autoencoder()
    assert isinstance(unet, UNet2DConditionModel)
    assert isinstance(vae, AutoencoderKL)
    text = torch.randn(1, 7, networks.TEXT_WIDTH)
    latents = torch.randn(1, 4, 32, 32)
    with torch.no_grad():
        plain_step = unet(latents, 400, encoder_hidden_states=text).sample
        plain_picture = vae.decode(latents).sample
        most, limit = max(held), max(held) // 10
        held.clear()
        with by_queries(limit):
            step = unet(latents, 400, encoder_hidden_states=text).sample
            picture = vae.decode(latents).sample
    assert max(held) <= limit < most
    assert off(step, plain_step) <= LIMIT
    assert off(picture, plain_picture) <= LIMIT


def test_without_a_limit_and_afterwards_torch_is_as_it_was() -> None:
    plain = F.scaled_dot_product_attention
    with by_queries(0):
        assert F.scaled_dot_product_attention is plain
    query = torch.randn(1, 1, 4, 8)
    with pytest.raises(RuntimeError), by_queries(1):
        F.scaled_dot_product_attention(query, query[..., :3], query)
    assert F.scaled_dot_product_attention is plain


def test_what_sees_only_what_came_before_is_left_alone() -> None:
    query = torch.randn(1, 2, 9, 4)
    whole = F.scaled_dot_product_attention(query, query, query, is_causal=True)
    with by_queries(1):
        assert torch.equal(F.scaled_dot_product_attention(query, query, query, is_causal=True), whole)
