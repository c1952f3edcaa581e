# SPDX-License-Identifier: GPL-3.0-or-later
"""What the adapters of families with a U-Net have in common. Imports engine."""

from .adapter import convolutions_only

PERIODIC = dict.fromkeys(
    ("UNet2DConditionModel", "AutoencoderKL", "AutoencoderTiny", "ControlNetModel", "ControlNetUnionModel"),
    convolutions_only,
)
