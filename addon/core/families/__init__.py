# SPDX-License-Identifier: GPL-3.0-or-later
"""Model families, and the models known by name. This is the list of families; each has a module of its own."""

from .aura_flow import AURA_FLOW
from .bases import Base
from .chroma1 import CHROMA
from .cogview4 import COGVIEW4
from .ernie_image import ERNIE_IMAGE
from .family import Family
from .flux import FLUX
from .flux2_klein import FLUX2_KLEIN
from .lumina2 import LUMINA2
from .pixart_alpha import PIXART_ALPHA
from .pixart_sigma import PIXART_SIGMA
from .qwen_image import QWEN_IMAGE
from .sana import SANA
from .sdxl import SDXL
from .stable_diffusion import STABLE_DIFFUSION
from .stable_diffusion_3 import STABLE_DIFFUSION_3
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
    LUMINA2,
    COGVIEW4,
    STABLE_DIFFUSION_3,
    PIXART_SIGMA,
    PIXART_ALPHA,
    SANA,
    AURA_FLOW,
)


def by_pipeline(name: object) -> Family | None:
    """The family of a folder that names this pipeline, None where it is not known. name: anything, as files may say."""
    if not isinstance(name, str) or not name:
        return None
    return next((family for family in FAMILIES if name in (family.pipeline, family.inpainting)), None)


def by_base(base: Base | None) -> Family | None:
    """The family that runs models of this base, None where none does."""
    return next((family for family in FAMILIES if base is not None and base in family.bases), None)
