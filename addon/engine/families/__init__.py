# SPDX-License-Identifier: GPL-3.0-or-later
"""How the engine runs each model family. This is the list of adapters; each has a module of its own."""

from ...core.families.family import Family
from . import aura_flow, pixart_alpha, pixart_sigma, sana, sdxl, stable_diffusion, stable_diffusion_3
from .adapter import Adapter, Changes

ADAPTERS: tuple[Adapter, ...] = (
    stable_diffusion.ADAPTER,
    sdxl.ADAPTER,
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
    """What makes a network, by the name of diffusers' class, obey the law of `seamless`; None where nothing does."""
    return next((adapter.periodic[network] for adapter in ADAPTERS if network in adapter.periodic), None)
