# SPDX-License-Identifier: GPL-3.0-or-later
"""How the engine runs each model family. This is the list of adapters; each has a module of its own."""

from ...core.families.family import Family
from . import (
    aura_flow,
    chroma1,
    cogview4,
    ernie_image,
    flux,
    flux2_klein,
    lumina2,
    pixart_alpha,
    pixart_sigma,
    qwen_image,
    rotary,
    sana,
    sdxl,
    stable_diffusion,
    stable_diffusion_3,
    z_image,
)
from .adapter import Adapter, Changes

ADAPTERS: tuple[Adapter, ...] = (
    stable_diffusion.ADAPTER,
    sdxl.ADAPTER,
    z_image.ADAPTER,
    flux2_klein.ADAPTER,
    flux.ADAPTER,
    chroma1.ADAPTER,
    qwen_image.ADAPTER,
    ernie_image.ADAPTER,
    lumina2.ADAPTER,
    cogview4.ADAPTER,
    stable_diffusion_3.ADAPTER,
    pixart_sigma.ADAPTER,
    pixart_alpha.ADAPTER,
    sana.ADAPTER,
    aura_flow.ADAPTER,
)


def adapter_of(family: Family) -> Adapter:
    """The adapter of a family of `core.families`; each has one (tests/engine/test_families.py)."""
    return next(adapter for adapter in ADAPTERS if adapter.family is family)


def periodic(network: str) -> Changes | None:
    """What makes a network, by the name of diffusers' class, obey the law of `seamless`; None where nothing does.

    Of networks with rotary positions also those that no family here runs.
    """
    listed = (adapter.periodic[network] for adapter in ADAPTERS if network in adapter.periodic)
    return next(listed, rotary.PERIODIC.get(network))
