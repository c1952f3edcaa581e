# SPDX-License-Identifier: GPL-3.0-or-later
"""Model families and known models: what can be run, with which defaults. Imports core and the standard library only.

Reads a model folder's small JSON files, never its weights (`model_folder` checks those, in the worker).
"""

import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from .errors import ErrorKind, UserError
from .request import GRID, MAX_SIDE, MIN_SIDE, STARTER, Scheduler

STARTER_FOLDER = Path(__file__).resolve().parents[1] / "models" / "starter"
_MAX_CONFIG = 1 << 20  # bytes; these files have a few kilobytes


class Family(StrEnum):
    """Kinds of pipeline, by the class that a folder's model_index.json names."""

    SD = "StableDiffusionPipeline"
    SDXL = "StableDiffusionXLPipeline"


@dataclass(frozen=True)
class Defaults:
    """What suits a family or a model where the user has not chosen. `size` is one side in pixels.

    weighing: the guidance scale where there is a negative prompt, for models whose usual one is too low to weigh it; a
    second pass a step, which costs time, is then worth it.
    distilled: the weights were trained for exactly these steps of the model's own scheduler; see `ModelInfo.warning`.
    """

    steps: int
    guidance_scale: float
    size: int
    weighing: float | None = None
    distilled: bool = False

    def guidance_for(self, negative_prompt: str) -> float:
        """The guidance scale that suits a request with this negative prompt."""
        if self.weighing is None or not negative_prompt.strip():
            return self.guidance_scale
        return self.weighing


_FAMILY_DEFAULTS = {Family.SD: Defaults(25, 7.0, 512), Family.SDXL: Defaults(25, 6.0, 1024)}
# Guidance is baked into the starter (tools/starter/denoiser.py): one pass a step is enough, unless a negative prompt is
# to be weighed. It takes four long steps, which it was distilled for (tools/starter/distil.py).
_STARTER_DEFAULTS = Defaults(4, 1.0, 512, weighing=2.0, distilled=True)
# Fingerprints of the starter's earlier weights: which version they were, and the steps that were its own.
FORMER_STARTERS: dict[str, tuple[int, int]] = {
    "19f46b39cd658788": (1, 10),
    "3f9fb36bdc2bba7e": (2, 8),
    "d0259fe5e7152a8c": (3, 8),
    "f696cbda79116845": (4, 8),
}

_ALL = tuple(Scheduler)
# Straight-path models: the Euler and DDIM of diffusers ignore or refuse flow prediction (FIELD.md)
_FLOW = (Scheduler.MODEL, Scheduler.DPMPP_2M, Scheduler.UNIPC)
_SCHEDULERS = {"epsilon": _ALL, "v_prediction": _ALL, "flow_prediction": _FLOW}


@dataclass(frozen=True)
class ModelInfo:
    """A model that can be asked for.

    id: what `TextureRequest.model` says. folder: its diffusers folder. exact: whether the whole chain is periodic to
    1e-5 (otherwise its seamlessness is measured). schedulers: those that fit its prediction type.
    """

    id: str
    title: str
    folder: Path
    family: Family
    prediction_type: str
    defaults: Defaults
    schedulers: tuple[Scheduler, ...]
    licence: str
    exact: bool = True

    def warning(self, steps: int, scheduler: str) -> str:
        """A sentence where distilled weights are asked for other steps than they were trained for, else ""."""
        if not self.defaults.distilled or (steps == self.defaults.steps and scheduler == Scheduler.MODEL):
            return ""
        return f"{self.title} is made for {self.defaults.steps} steps of its own scheduler; others give worse textures."


def resolve(model: str) -> ModelInfo:
    """The model of that id or folder. Raises `UserError` (kind `MODEL`) where there is none or it cannot be run."""
    if model == STARTER:
        return _describe(STARTER, "Starter", STARTER_FOLDER, _STARTER_DEFAULTS, "GPL-3.0-or-later")
    try:
        folder = Path(model).expanduser()
    except RuntimeError:  # "~somebody", whom the system does not know
        folder = Path(model)
    if not folder.is_absolute():
        raise UserError(
            ErrorKind.MODEL,
            f"There is no model {model!r}.",
            f"Choose {STARTER!r}, or a folder that holds a diffusers model.",
        )
    return _describe(str(folder), folder.name, folder, None, "see the model's own page")


def known_models() -> tuple[str, ...]:
    """The ids that are always there, for the panel's search."""
    return (STARTER,)


def _describe(id_: str, title: str, folder: Path, defaults: Defaults | None, licence: str) -> ModelInfo:
    index = read_config(folder, "model_index.json")
    name = index.get("_class_name")
    if name not in [family.value for family in Family]:  # a list: a file may name what has no hash
        raise UserError(
            ErrorKind.MODEL,
            f"{folder.name} is a {name!r}, which Tilewright cannot run.",
            "Choose a folder whose model_index.json names " + " or ".join(family.value for family in Family) + ".",
        )
    family = Family(name)
    prediction = read_config(folder, "scheduler/scheduler_config.json").get("prediction_type", "epsilon")
    if prediction not in list(_SCHEDULERS):
        raise UserError(ErrorKind.MODEL, f"{folder.name} predicts {prediction!r}, which Tilewright does not know.")
    if defaults is None:
        defaults = _FAMILY_DEFAULTS[family]
        latents = read_config(folder, "unet/config.json").get("sample_size")
        if isinstance(latents, int):
            side = min(max(latents * 8 // GRID * GRID, MIN_SIDE), MAX_SIDE)
            defaults = Defaults(defaults.steps, defaults.guidance_scale, side)
    return ModelInfo(id_, title, folder, family, prediction, defaults, _SCHEDULERS[prediction], licence)


def read_config(folder: Path, name: str) -> dict[str, Any]:
    """A JSON object from the model's folder. Raises `UserError` (kind `MODEL`), naming the file."""
    path = folder / name
    hint = "Choose a complete diffusers folder, or download the model again."
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_CONFIG + 1)
    except OSError as error:
        raise UserError(ErrorKind.MODEL, f"{path} cannot be read: {error.strerror}.", hint) from error
    if len(text) > _MAX_CONFIG:
        raise UserError(ErrorKind.MODEL, f"{path} is too large for a configuration.", hint)
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(ErrorKind.MODEL, f"{path} is not JSON.", hint) from error
    if not isinstance(data, dict):
        raise UserError(ErrorKind.MODEL, f"{path} does not hold a configuration.", hint)
    return data
