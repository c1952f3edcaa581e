# SPDX-License-Identifier: GPL-3.0-or-later
"""What the adapters of families with a U-Net have in common. Imports engine."""

from .adapter import convolutions_only
from .autoencoders import PERIODIC as AUTOENCODERS

PERIODIC = {
    **dict.fromkeys(("UNet2DConditionModel", "ControlNetModel", "ControlNetUnionModel"), convolutions_only),
    **AUTOENCODERS,
}
