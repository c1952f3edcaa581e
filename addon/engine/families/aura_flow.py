# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs AuraFlow. Imports core and engine."""

from ...core.families.aura_flow import AURA_FLOW
from .adapter import convolutions_only
from .autoencoders import PERIODIC
from .masked import EMBEDDINGS, Masked

ADAPTER = Masked(
    AURA_FLOW,
    {"AuraFlowTransformer2DModel": convolutions_only, **PERIODIC},  # it is rolled instead
    embeddings=EMBEDDINGS,
    takes_templates=True,
    reads=256,
    rolls=True,
)
