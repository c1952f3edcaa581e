# SPDX-License-Identifier: GPL-3.0-or-later
"""What a model family is: all that is true of its models and needs no torch. Imports core and the standard library.

The other half, which needs torch, is its adapter in `engine.families`. How to add a family: tools/docs/add-a-family.md.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..requests.texture import GRID, Scheduler
from .bases import Base
from .original import Checkpoint, Tensors


@dataclass(frozen=True)
class Defaults:
    """What suits a family or a model where the user has not chosen. `size` is one side in pixels.

    weighing: the guidance scale where there is a negative prompt, for models whose usual one is too low to weigh it; a
    second pass a step, which costs time, is then worth it.
    distilled: the weights were trained for exactly these steps of the model's own scheduler.
    periodic: they were trained as functions on a torus alone, and paint dark borders where an edge is free.
    """

    steps: int
    guidance_scale: float
    size: int
    weighing: float | None = None
    distilled: bool = False
    periodic: bool = False

    def guidance_for(self, negative_prompt: str) -> float:
        """The guidance scale that suits a request with this negative prompt."""
        if self.weighing is None or not negative_prompt.strip():
            return self.guidance_scale
        return self.weighing


@dataclass(frozen=True)
class Component:
    """A part that a folder must have. classes: those of the library that it may name; what is not listed is refused.

    library: "diffusers" or "transformers". has_weights: tokenizers and schedulers have none.
    optional: a folder without it runs as well.
    """

    library: str
    classes: tuple[str, ...]
    has_weights: bool = True
    optional: bool = False


@dataclass(frozen=True, eq=False)
class Family:
    """Models that run alike.

    pipeline: diffusers' class for them. A folder whose model_index.json names it belongs to the family.
    components: the parts of that folder. denoiser: the name of the one that runs in every step.
    defaults: for models that say nothing themselves.
    schedulers: for each prediction type that is known here, those that fit.
    prediction_type: of a model whose scheduler's configuration names none.
    step_bytes: what a step holds besides the weights, per pixel of the picture, at 2 bytes a number and with both
        halves of the guidance in one batch; counted, not guessed (tests/engine/test_devices.py).
    controls: diffusers' classes for its ControlNets; () where it takes none, nor an IP-Adapter.
    control_bytes: what a ControlNet adds to `step_bytes`, counted alike.
    grid: folder -> pixels by whose multiples a picture can be rolled, and of which its sides must be multiples.
    inpainting: diffusers' class for its inpainting checkpoints, which have the same parts and a denoiser that reads a
        mask and a masked picture as well; "" where there are none.
    side: folder -> pixels of a side that the model was trained at, None where it does not say.
    exact: whether its denoiser can be made periodic; else its pictures are rolled in every step, and measured.
    largest: folder -> pixels of the longest side that its positions reach; None: there is no such limit. All three read
        configurations only, and raise `UserError` (kind `MODEL`).
    bases: the denoisers that it runs, where files of theirs are told apart (`bases.py`).
    grid_of: the grid by the networks' configurations, for models that are put together of several files.
    checkpoint: a file's tensors, its base and what it predicts ("" if unknown) -> its networks; raises
        `original.Unusual`. None: its models are not read from one file.
    few_steps: folder -> defaults of a relative that was distilled to few steps; None: it is none. May go by its name.
    by_file: the same for a file with the denoiser alone: its name in small letters, whether it is told its guidance.
    schedule: for such a file, what its scheduler's configuration has to say, whatever model the other parts are of.
    dtype: torch's name for the 16 bits that its numbers fit into.
    unused: parts that its folders may name and that are not loaded.
    """

    pipeline: str
    components: Mapping[str, Component]
    denoiser: str
    defaults: Defaults
    schedulers: Mapping[str, tuple[Scheduler, ...]]
    prediction_type: str
    step_bytes: int
    grid: Callable[[Path], int]
    side: Callable[[Path], int | None]
    inpainting: str = ""
    controls: tuple[str, ...] = ()
    control_bytes: int = 0
    bases: tuple[Base, ...] = ()
    grid_of: Callable[[Mapping[str, Mapping[str, Any]]], int] = lambda _configs: GRID
    checkpoint: Callable[[Tensors, Base, str], Checkpoint] | None = None
    exact: bool = True
    largest: Callable[[Path], int | None] = lambda _folder: None
    few_steps: Callable[[Path], Defaults | None] = lambda _folder: None
    by_file: Callable[[str, bool], Defaults | None] = lambda _name, _guided: None
    schedule: Callable[[bool], Mapping[str, Any]] = lambda _guided: {}
    dtype: str = "float16"
    unused: tuple[str, ...] = ()
