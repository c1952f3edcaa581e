# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs Stable Diffusion 1.x and 2.x, and what is built like them. Imports core and engine."""

from typing import Any

from ...core.families.stable_diffusion import STABLE_DIFFUSION
from .adapter import Adapter
from .u_net import PERIODIC, first_names


def _safety_checker() -> Any:
    from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker

    return StableDiffusionSafetyChecker


ADAPTER = Adapter(
    STABLE_DIFFUSION,
    PERIODIC,
    safety_checker=_safety_checker,
    takes_templates=True,
    other_names=first_names,
    last_layer=1,
)
