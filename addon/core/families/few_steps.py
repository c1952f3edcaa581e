# SPDX-License-Identifier: GPL-3.0-or-later
"""Models, and LoRAs, that were trained to need few steps, told by how they are called. Imports the standard library.

Their tensors are those of any other model of the base, so their makers' words are all there is: the file's or folder's
name, and its metadata. Who has another opinion sets steps and guidance by hand.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class FewSteps:
    """How such a model is sampled. guidance_scale: 1 is none. exact: its name says the number of steps.

    scheduler: diffusers' class and what its configuration changes, for files that bring none.
    """

    title: str
    steps: int
    guidance_scale: float
    scheduler: tuple[str, Mapping[str, Any]]
    exact: bool = False


_EULER = ("EulerDiscreteScheduler", {"timestep_spacing": "trailing"})
# As their authors' pages say.
_KINDS = (
    ("lightning", FewSteps("Lightning", 4, 1.0, _EULER)),
    ("hyper", FewSteps("Hyper", 8, 1.0, ("DDIMScheduler", {"timestep_spacing": "trailing", "clip_sample": False}))),
    ("dmd2?", FewSteps("DMD", 4, 1.0, ("LCMScheduler", {}))),
    ("lcm", FewSteps("LCM", 4, 1.0, ("LCMScheduler", {}))),
    ("tcd", FewSteps("TCD", 4, 1.0, ("TCDScheduler", {}))),
    ("turbo", FewSteps("Turbo", 4, 1.0, ("EulerAncestralDiscreteScheduler", {"timestep_spacing": "trailing"}))),
)
_OWN = ("LCM", "TCD")
_STEPS = re.compile(r"(?<![a-z0-9])(\d{1,2})[ _-]?steps?(?![a-z])")


def scheduled_by(scheduler: object) -> FewSteps | None:
    """What the class of a model's own scheduler says of few steps: of these, no other model makes use."""
    return next((kind for _word, kind in _KINDS if kind.title in _OWN and scheduler == kind.scheduler[0]), None)


def told_by(*names: str) -> FewSteps | None:
    """What names, or descriptions, say of few steps; None where they say nothing."""
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])", " ", " ".join(names)).lower()
    for word, kind in _KINDS:
        if re.search(rf"(?<![a-z]){word}(?![a-z])", text):
            number = _STEPS.search(text)
            if number is None or not 1 <= int(number[1]) <= 16:
                return kind
            return FewSteps(kind.title, int(number[1]), kind.guidance_scale, kind.scheduler, exact=True)
    return None
