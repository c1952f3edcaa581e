# SPDX-License-Identifier: GPL-3.0-or-later
"""The autoencoders of all families that can be made periodic, decoding and encoding. Imports engine.

Their convolutions are all that keeps them from it. Those of Qwen-Image and Wan pad by hand, which `seamless` knows.
"""

from .adapter import convolutions_only

PERIODIC = dict.fromkeys(
    (
        "AutoencoderDC",
        "AutoencoderKL",
        "AutoencoderKLFlux2",
        "AutoencoderKLHunyuanImage",
        "AutoencoderKLQwenImage",
        "AutoencoderKLQwenImage21",
        "AutoencoderKLWan",
        "AutoencoderTiny",
    ),
    convolutions_only,
)
