# SPDX-License-Identifier: GPL-3.0-or-later
"""What the adapters of families with a U-Net have in common. Imports engine."""

from .adapter import convolutions_only
from .autoencoders import PERIODIC as AUTOENCODERS

PERIODIC = {"UNet2DConditionModel": convolutions_only, **AUTOENCODERS}
