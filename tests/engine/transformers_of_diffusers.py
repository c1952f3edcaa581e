# SPDX-License-Identifier: GPL-3.0-or-later
"""Small transformers of diffusers' with rotary positions and random weights, for tests.

Their attention is sharpened: as they are initialized it hardly looks at anything, and positions would not matter.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import diffusers
import torch
from torch import nn

HEADS, HEAD = 2, 24
WIDTH = HEADS * HEAD
AXES = (4, 8, 12)  # channels of a head for time, rows and columns
TEXT, TEXT_WIDTH = 5, 16  # tokens, channels
TIME = torch.tensor([0.4])


@dataclass(frozen=True)
class Sample:
    """A network, and how to call it: latents (1, channels, rows, columns) -> the same shape.

    patch: latents of a token's side.
    """

    network: nn.Module
    run: Callable[[torch.Tensor], torch.Tensor]
    channels: int
    patch: int = 1


def sharpened(network: nn.Module, loudness: float) -> nn.Module:
    """The network with larger norms of queries and keys, louder values, and nothing that is zero or not initialized."""
    noise = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if any(part in name for part in ("norm_q", "norm_k", "q_rms", "k_rms")):
                parameter.add_(4)
            elif not parameter.any() or "pad_token" in name or "experts" in name:
                parameter.copy_(torch.randn(parameter.shape, generator=noise) * 0.2)
            elif "to_v." in name or "to_out." in name:
                parameter.mul_(loudness)
    return network.eval()


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def tokens(latents: torch.Tensor) -> torch.Tensor:
    return latents.flatten(2).transpose(1, 2)


def picture(values: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return values.transpose(1, 2).reshape(like.shape)


def places(rows: int, columns: int, *before: int, after: int = 0, offset: int = 0) -> torch.Tensor:
    """Ids (rows * columns, axes): fixed numbers, row, column, zeros."""
    grid = torch.cartesian_prod(torch.arange(rows), torch.arange(columns)) + offset
    fixed = [torch.full((len(grid), 1), value) for value in before]
    return torch.cat((*fixed, grid, torch.zeros(len(grid), after, dtype=torch.long)), 1)


def make(name: str, *, loudness: float = 3, **settings: Any) -> nn.Module:
    torch.manual_seed(2)
    return sharpened(getattr(diffusers, name)(**settings), loudness)


def of_flux_kind(name: str, *, text: str = "zeros", extra: dict[str, Any] | None = None, **settings: Any) -> Sample:
    """Those that are told the places of text and picture. text: the places of its tokens."""
    shared = {"in_channels": 4, "num_layers": 1, "num_single_layers": 1, "attention_head_dim": HEAD}
    shared |= {"num_attention_heads": HEADS, "joint_attention_dim": TEXT_WIDTH, "axes_dims_rope": AXES}
    network = make(name, **shared | settings)
    axes = len(settings.get("axes_dims_rope", AXES))
    txt_ids = torch.zeros(TEXT, axes, dtype=torch.long)
    if text == "diagonal":
        txt_ids[:, 1:3] = torch.arange(TEXT)[:, None]
    if text == "last":
        txt_ids[:, -1] = torch.arange(TEXT)
    offset = 12 if text == "diagonal" and "LongCat" in name else 0

    def run(x: torch.Tensor) -> torch.Tensor:
        ids = places(*x.shape[-2:], 1 if offset else 0, after=axes - 3, offset=offset)
        made = network(
            hidden_states=tokens(x),
            encoder_hidden_states=random(1, TEXT, TEXT_WIDTH),
            timestep=TIME,
            img_ids=ids.float(),
            txt_ids=txt_ids.float(),
            return_dict=False,
            **extra or {},
        )[0]
        return picture(made, x)

    return Sample(network, run, 4)


def flux() -> Sample:
    return of_flux_kind("FluxTransformer2DModel", pooled_projection_dim=8, extra={"pooled_projections": random(1, 8)})


def chroma() -> Sample:
    return of_flux_kind(
        "ChromaTransformer2DModel",
        approximator_num_channels=8,
        approximator_hidden_dim=16,
        approximator_layers=1,
    )


def bria() -> Sample:
    return of_flux_kind("BriaTransformer2DModel")


def bria_fibo() -> Sample:
    layers = [random(1, TEXT, 8, seed=seed) for seed in (3, 4)]
    return of_flux_kind("BriaFiboTransformer2DModel", text_encoder_dim=8, extra={"text_encoder_layers": layers})


def ovis() -> Sample:
    return of_flux_kind("OvisImageTransformer2DModel", text="diagonal", out_channels=4)


def longcat() -> Sample:
    return of_flux_kind("LongCatImageTransformer2DModel", text="diagonal", pooled_projection_dim=8)


def flux2() -> Sample:
    return of_flux_kind(
        "Flux2Transformer2DModel",
        text="last",
        axes_dims_rope=(4, 8, 8, 4),
        timestep_guidance_channels=8,
        guidance_embeds=False,
        extra={"guidance": None},
    )


def z_image() -> Sample:
    network = make(
        "ZImageTransformer2DModel",
        in_channels=4,
        dim=WIDTH,
        n_layers=1,
        n_refiner_layers=1,
        n_heads=HEADS,
        n_kv_heads=HEADS,
        cap_feat_dim=8,
        axes_dims=list(AXES),
        axes_lens=[64, 64, 64],
    )

    def run(x: torch.Tensor) -> torch.Tensor:
        return network([x[0][:, None]], TIME, [random(TEXT, 8)], return_dict=False)[0][0][None, :, 0]

    return Sample(network, run, 4, patch=2)


def qwen_image() -> Sample:
    settings = {"num_attention_heads": HEADS, "attention_head_dim": HEAD, "joint_attention_dim": TEXT_WIDTH}
    network = make(
        "QwenImageTransformer2DModel", in_channels=4, out_channels=1, num_layers=2, axes_dims_rope=AXES, **settings
    )

    def run(x: torch.Tensor) -> torch.Tensor:
        made = network(
            hidden_states=tokens(x),
            encoder_hidden_states=random(1, TEXT, TEXT_WIDTH),
            timestep=TIME,
            img_shapes=[[(1, *x.shape[-2:])]],
            return_dict=False,
        )[0]
        return picture(made, x)

    return Sample(network, run, 4)


def qwen_image_21() -> Sample:
    network = make(
        "QwenImage21Transformer2DModel",
        in_channels=4,
        out_channels=4,
        num_layers=2,
        attention_head_dim=HEAD,
        num_attention_heads=HEADS,
        context_in_dim=TEXT_WIDTH,
        axes_dims_rope=AXES,
    )

    def run(x: torch.Tensor) -> torch.Tensor:
        slots = x.shape[-2] * x.shape[-1] // 4
        mask = torch.tensor([[False] * TEXT + [True] * slots])
        made = network(
            hidden_states=tokens(x),
            encoder_hidden_states=random(1, TEXT, TEXT_WIDTH),
            timestep=TIME,
            img_shapes=[[(1, *x.shape[-2:])]],
            img_mask=mask,
            return_dict=False,
        )[0]
        return picture(made[:, -x.shape[-2] * x.shape[-1] :], x)

    return Sample(network, run, 4)


def nucleus() -> Sample:
    network = make(
        "NucleusMoEImageTransformer2DModel",
        loudness=1,  # or a change of its input comes out 380 times as large, and so does rounding
        in_channels=4,
        out_channels=1,
        num_layers=5,
        attention_head_dim=HEAD,
        num_attention_heads=HEADS,
        joint_attention_dim=TEXT_WIDTH,
        axes_dims_rope=AXES,
        num_experts=4,
        moe_intermediate_dim=16,
        capacity_factors=2.0,
    )

    def run(x: torch.Tensor) -> torch.Tensor:
        made = network(
            hidden_states=tokens(x),
            encoder_hidden_states=random(1, TEXT, TEXT_WIDTH),
            timestep=TIME,
            img_shapes=[(1, *x.shape[-2:])],
            return_dict=False,
        )[0]
        return picture(made, x)

    return Sample(network, run, 4)


def lumina2() -> Sample:
    network = make(
        "Lumina2Transformer2DModel",
        in_channels=4,
        hidden_size=WIDTH,
        num_layers=1,
        num_refiner_layers=1,
        num_attention_heads=HEADS,
        num_kv_heads=HEADS,
        multiple_of=8,
        axes_dim_rope=AXES,
        axes_lens=(64, 64, 64),
        cap_feat_dim=8,
    )

    def run(x: torch.Tensor) -> torch.Tensor:
        return network(x, TIME, random(1, TEXT, 8), torch.ones(1, TEXT, dtype=torch.bool), return_dict=False)[0]

    return Sample(network, run, 4, patch=2)


def hunyuan_image() -> Sample:
    network = make(
        "HunyuanImageTransformer2DModel",
        in_channels=4,
        out_channels=4,
        num_attention_heads=HEADS,
        attention_head_dim=HEAD,
        num_layers=1,
        num_single_layers=1,
        num_refiner_layers=1,
        text_embed_dim=8,
        rope_axes_dim=(12, 12),
    )

    def run(x: torch.Tensor) -> torch.Tensor:
        mask = torch.ones(1, TEXT, dtype=torch.bool)
        return network(x, TIME, random(1, TEXT, 8), mask, return_dict=False)[0]

    return Sample(network, run, 4)


def cogview4() -> Sample:
    network = make(
        "CogView4Transformer2DModel",
        in_channels=4,
        out_channels=4,
        num_layers=1,
        attention_head_dim=HEAD,
        num_attention_heads=HEADS,
        text_embed_dim=8,
        time_embed_dim=8,
        condition_dim=4,
        sample_size=16,
        rope_axes_dim=(64, 64),
    )
    size = torch.tensor([[64.0, 64.0]])

    def run(x: torch.Tensor) -> torch.Tensor:
        corner = torch.zeros(1, 2)
        return network(x, random(1, TEXT, 8), torch.tensor([400.0]), size, size, corner, return_dict=False)[0]

    return Sample(network, run, 4, patch=2)


def ernie() -> Sample:
    network = make(
        "ErnieImageTransformer2DModel",
        hidden_size=WIDTH,
        num_attention_heads=HEADS,
        num_layers=2,
        ffn_hidden_size=64,
        in_channels=4,
        out_channels=4,
        text_in_dim=8,
        rope_axes_dim=AXES,
    )

    def run(x: torch.Tensor) -> torch.Tensor:
        return network(x, torch.tensor([400.0]), random(1, TEXT, 8), torch.tensor([TEXT]), return_dict=False)[0]

    return Sample(network, run, 4)


def prx() -> Sample:
    network = make(
        "PRXTransformer2DModel",
        in_channels=4,
        context_in_dim=8,
        hidden_size=WIDTH,
        num_heads=HEADS,
        depth=2,
        axes_dim=[12, 12],
    )
    return Sample(network, lambda x: network(x, TIME, random(1, TEXT, 8), return_dict=False)[0], 4, patch=2)


def hidream() -> Sample:
    network = make(
        "HiDreamImageTransformer2DModel",
        patch_size=2,
        in_channels=4,
        out_channels=4,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=HEAD,
        num_attention_heads=HEADS,
        caption_channels=[8, 8],
        text_emb_dim=8,
        num_routed_experts=2,
        num_activated_experts=1,
        axes_dims_rope=AXES,
        max_resolution=(48, 48),
        llama_layers=[0, 1],
    )

    def run(x: torch.Tensor) -> torch.Tensor:
        return network(
            x, torch.tensor([400.0]), random(1, TEXT, 8), random(2, 1, TEXT, 8), random(1, 8), return_dict=False
        )[0]

    return Sample(network, run, 4, patch=2)


def krea2() -> Sample:
    network = make(
        "Krea2Transformer2DModel",
        in_channels=4,
        num_layers=2,
        attention_head_dim=HEAD,
        num_attention_heads=HEADS,
        num_key_value_heads=1,
        intermediate_size=32,
        timestep_embed_dim=8,
        text_hidden_dim=8,
        num_text_layers=2,
        text_num_attention_heads=2,
        text_num_key_value_heads=2,
        text_intermediate_size=16,
        num_layerwise_text_blocks=1,
        num_refiner_text_blocks=1,
        axes_dims_rope=AXES,
    )

    def run(x: torch.Tensor) -> torch.Tensor:
        ids = torch.cat((torch.zeros(TEXT, 3, dtype=torch.long), places(*x.shape[-2:], 0)))
        return picture(network(tokens(x), random(1, TEXT, 2, 8), TIME, ids, return_dict=False)[0], x)

    return Sample(network, run, 4)


def ideogram4() -> Sample:
    network = make(
        "Ideogram4Transformer2DModel",
        in_channels=4,
        num_layers=2,
        attention_head_dim=HEAD,
        num_attention_heads=HEADS,
        intermediate_size=32,
        adaln_dim=8,
        llm_features_dim=8,
        rope_theta=1000,
        mrope_section=(4, 4, 4),
    )

    def run(x: torch.Tensor) -> torch.Tensor:
        text = torch.arange(TEXT)[:, None].expand(-1, 3)
        ids = torch.cat((text, places(*x.shape[-2:], 65536, offset=65536)))[None]
        length = ids.shape[1]
        hidden = torch.cat((torch.zeros(1, TEXT, 4), tokens(x)), 1)
        features = torch.cat((random(1, TEXT, 8), torch.zeros(1, length - TEXT, 8)), 1)
        roles = torch.tensor([[3] * TEXT + [2] * (length - TEXT)])
        segments = torch.ones(1, length, dtype=torch.long)
        made = network(hidden, TIME, features, ids, segments, roles, return_dict=False)[0]
        return picture(made[:, TEXT:], x)

    return Sample(network, run, 4)


SAMPLES: dict[str, Callable[[], Sample]] = {
    "BriaFiboTransformer2DModel": bria_fibo,
    "BriaTransformer2DModel": bria,
    "ChromaTransformer2DModel": chroma,
    "CogView4Transformer2DModel": cogview4,
    "ErnieImageTransformer2DModel": ernie,
    "Flux2Transformer2DModel": flux2,
    "FluxTransformer2DModel": flux,
    "HiDreamImageTransformer2DModel": hidream,
    "HunyuanImageTransformer2DModel": hunyuan_image,
    "Ideogram4Transformer2DModel": ideogram4,
    "Krea2Transformer2DModel": krea2,
    "LongCatImageTransformer2DModel": longcat,
    "Lumina2Transformer2DModel": lumina2,
    "NucleusMoEImageTransformer2DModel": nucleus,
    "OvisImageTransformer2DModel": ovis,
    "PRXTransformer2DModel": prx,
    "QwenImage21Transformer2DModel": qwen_image_21,
    "QwenImageTransformer2DModel": qwen_image,
    "ZImageTransformer2DModel": z_image,
}
