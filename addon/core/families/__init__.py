# SPDX-License-Identifier: GPL-3.0-or-later
"""Model families, and the models known by name. This is the list of families; each has a module of its own."""

from .chroma1 import CHROMA
from .ernie_image import ERNIE_IMAGE
from .family import Family
from .flux import FLUX
from .flux2_klein import FLUX2_KLEIN
from .qwen_image import QWEN_IMAGE
from .sdxl import SDXL
from .stable_diffusion import STABLE_DIFFUSION
from .z_image import Z_IMAGE

FAMILIES: tuple[Family, ...] = (
    STABLE_DIFFUSION,
    SDXL,
    Z_IMAGE,
    FLUX2_KLEIN,
    FLUX,
    CHROMA,
    QWEN_IMAGE,
    ERNIE_IMAGE,
)


def by_pipeline(name: object) -> Family | None:
    """The family of a folder that names this pipeline, None where it is not known. name: anything, as files may say."""
    if not isinstance(name, str) or not name:
        return None
    return next((family for family in FAMILIES if name in (family.pipeline, family.inpainting)), None)
