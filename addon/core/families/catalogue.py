# SPDX-License-Identifier: GPL-3.0-or-later
"""Models: those known by name, and what a folder's are. Imports core and the standard library only.

Reads a model folder's small JSON files, never its weights (`model_files.folder` checks those, in the worker).
"""

from dataclasses import dataclass, replace
from pathlib import Path

from .. import families
from ..errors import ErrorKind, UserError
from ..hub import stored
from ..model_files import checkpoint, configs
from ..model_files.configs import read_config
from ..model_files.kinds import FileKind
from ..requests.extras import Extras
from ..requests.texture import GRID, MAX_SIDE, MIN_SIDE, STARTER, Axes, Scheduler, Sigmas
from . import bases, few_steps
from .bases import Base
from .family import Defaults, Family
from .few_steps import FewSteps

STARTER_FOLDER = Path(__file__).resolve().parents[2] / "models" / "starter"
_INDEX, _SCHEDULER = configs.INDEX, "scheduler/scheduler_config.json"

# Guidance is baked into the starter (tools/starter/denoiser.py): one pass a step is enough, unless a negative prompt is
# to be weighed. It takes three long steps, which it was taught (tools/starter/refine.py).
_STARTER_DEFAULTS = Defaults(3, 1.0, 512, weighing=2.0, distilled=True, periodic=True)
# Fingerprints of the starter's earlier weights: which version they were, and the steps that were its own.
FORMER_STARTERS: dict[str, tuple[int, int]] = {
    "19f46b39cd658788": (1, 10),
    "3f9fb36bdc2bba7e": (2, 8),
    "d0259fe5e7152a8c": (3, 8),
    "f696cbda79116845": (4, 8),
    "dcd381186f7859fa": (5, 4),
    "0249e6242e47305c": (6, 4),
    "7a3102336582d141": (7, 4),
    "3e2471fc2ec633b3": (8, 4),
    "182d414ef58da51a": (9, 3),
}


_LEVELS = (Sigmas.KARRAS, Sigmas.EXPONENTIAL, Sigmas.TRAILING)
_SPREADS: dict[str, tuple[Sigmas, ...]] = {
    Scheduler.DPMPP_2M: _LEVELS,
    Scheduler.UNIPC: _LEVELS,
    Scheduler.EULER: _LEVELS,
    Scheduler.EULER_A: (Sigmas.TRAILING,),
    Scheduler.DDIM: (Sigmas.TRAILING,),
}


@dataclass(frozen=True)
class ModelInfo:
    """A model that can be asked for.

    id: what `TextureRequest.model` says. folder: its diffusers folder, or its file. exact: whether the whole chain is
    periodic to 1e-5 (otherwise its seamlessness is measured). schedulers: those that fit its prediction type.
    base: its denoiser, None where that is none that files are made for. kind: what its file is, None for a folder.
    guessed: whether its prediction type is a guess. alone: its file holds the denoiser alone, see `model_files.parts`.
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
    base: Base | None = None
    kind: FileKind | None = None
    few: FewSteps | None = None
    guessed: bool = False
    alone: bool = False

    @property
    def sentence(self) -> str:
        """What the model is, for people, "" where there is nothing to say: one line under its name in the panel."""
        base = self.base.title if self.base else ""
        what = self.kind.what.removeprefix("a ").removeprefix("an ") if self.kind else base
        few = f"{self.few.title}: {self.few.steps} steps" if self.few else ""
        guess = "taken for v-prediction, which its file does not say" if self.guessed else ""
        needs = f"also needs {self.kind.needs}" if self.alone and self.kind and self.kind.needs else ""
        return ", ".join(filter(None, [what[:1].upper() + what[1:], needs, few, guess]))

    def sigmas(self, scheduler: str) -> tuple[Sigmas, ...]:
        """The ways to spread the noise over the steps that it has with this scheduler; its own is the first."""
        if scheduler not in _SPREADS or self.prediction_type == "flow_prediction":
            return (Sigmas.MODEL,)
        return (Sigmas.MODEL, *_SPREADS[scheduler])

    def with_extras(self, extras: Extras) -> "ModelInfo":
        """The model with LoRAs: one that makes it need few steps changes what suits it.

        `few` is then that LoRA's, and how its own scheduler is.
        """
        names = (lora.name.rpartition(".")[0] for lora in extras.loras if lora.weight > 0)
        few = next((found for name in names if (found := few_steps.told_by(name))), None)
        return self if few is None else replace(self, defaults=_few_steps(self.defaults, few), few=few)

    def sampled_on(self, asked: Axes) -> Axes:
        """The axes on which its networks are periodic where a texture is to repeat on `asked`.

        A model that knows a torus alone repeats on the other axis as well, which does no harm; dark borders would.
        """
        return Axes.XY if self.defaults.periodic else asked

    @property
    def takes_guides(self) -> bool:
        """Whether there are ControlNets and IP-Adapters for it that run here; nobody made any for the starter."""
        return self.id != STARTER and bool(self.family.controls)

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
            f"Choose {STARTER!r}, or the whole path of a .safetensors file or a diffusers folder; "
            "models of the hub are downloaded under Models in the preferences.",
        )
    if folder.suffix.lower() in checkpoint.SUFFIXES and not folder.is_dir():
        return _describe_file(str(folder), folder)
    found = configs.root(folder)
    title = found.parents[1].name if found.parent.name == "snapshots" else found.name
    title = title.removeprefix("models--").replace("--", "/")
    return _describe(str(folder), title, found, None, _licence_of(found))


def files_read() -> tuple[str, ...]:
    """The files of a folder that `resolve` may read: while they are the same, so is what it says."""
    denoisers = dict.fromkeys(f"{family.denoiser}/config.json" for family in families.FAMILIES)
    return (_INDEX, _SCHEDULER, *denoisers)


def _describe_file(id_: str, path: Path) -> ModelInfo:
    model = checkpoint.describe(path)
    defaults = model.family.by_file(path.stem.lower(), model.kind.guided) or model.family.defaults
    return ModelInfo(
        id_,
        path.stem,
        path,
        model.family,
        model.prediction,
        _few_steps(replace(defaults, size=model.side), model.few),
        model.family.schedulers[model.prediction],
        model.kind.metadata.get("modelspec.license", "") or _licence_of(path.parent),
        base=model.kind.base,
        kind=model.kind,
        few=model.few,
        guessed=model.guessed,
        alone=model.alone,
    )


def _licence_of(folder: Path) -> str:
    """Of a download, what the hub called it."""
    plan = stored.load(folder)
    return (plan.licence if plan else "") or "see the model's own page"


def _few_steps(defaults: Defaults, few: FewSteps | None) -> Defaults:
    if few is None:
        return defaults
    return replace(defaults, steps=few.steps, guidance_scale=few.guidance_scale, distilled=few.exact)


def _describe(id_: str, title: str, folder: Path, defaults: Defaults | None, licence: str) -> ModelInfo:
    name = read_config(folder, _INDEX).get("_class_name")
    family = families.by_pipeline(name)
    if family is None:
        raise UserError(
            ErrorKind.MODEL,
            f"{folder.name} is a {name!r}, which Tilewright cannot run.",
            "Choose a folder whose model_index.json names "
            + " or ".join(known.pipeline for known in families.FAMILIES)
            + ".",
        )
    prediction = read_config(folder, _SCHEDULER).get("prediction_type", family.prediction_type)
    if prediction not in list(family.schedulers):  # a list: a file may name what has no hash
        raise UserError(ErrorKind.MODEL, f"{folder.name} predicts {prediction!r}, which Tilewright does not know.")
    own = family.few_steps(folder) if defaults is None else None
    few = few_steps.told_by(title) if defaults is None and own is None else None
    few = few or few_steps.scheduled_by(read_config(folder, _SCHEDULER).get("_class_name"))
    base = bases.of_config(read_config(folder, f"{family.denoiser}/config.json")) if defaults is None else None
    if defaults is None:
        defaults, side = own or family.defaults, family.side(folder)
        if side is not None:
            defaults = replace(defaults, size=min(max(side // GRID * GRID, MIN_SIDE), MAX_SIDE))
    return ModelInfo(
        id_,
        title,
        folder,
        family,
        prediction,
        _few_steps(defaults, few),
        family.schedulers[prediction],
        licence,
        family.exact,
        base=base,
        few=few,
    )
