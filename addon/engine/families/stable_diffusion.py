# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs Stable Diffusion 1.x and 2.x, and what is built like them. Imports core and engine."""

from ...core.families.stable_diffusion import STABLE_DIFFUSION
from .adapter import Adapter
from .u_net import PERIODIC

ADAPTER = Adapter(STABLE_DIFFUSION, PERIODIC, takes_templates=True)
