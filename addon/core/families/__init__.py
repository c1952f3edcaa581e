# SPDX-License-Identifier: GPL-3.0-or-later
"""Model families, and the models known by name. This is the list of families; each has a module of its own."""

from .bases import Base
from .family import Family
from .sdxl import SDXL
from .stable_diffusion import STABLE_DIFFUSION

FAMILIES: tuple[Family, ...] = (STABLE_DIFFUSION, SDXL)


def by_pipeline(name: object) -> Family | None:
    """The family of a folder that names this pipeline, None where it is not known. name: anything, as files may say."""
    if not isinstance(name, str) or not name:
        return None
    return next((family for family in FAMILIES if name in (family.pipeline, family.inpainting)), None)


def by_base(base: Base | None) -> Family | None:
    """The family that runs models of this base, None where none does."""
    return next((family for family in FAMILIES if base is not None and base in family.bases), None)
