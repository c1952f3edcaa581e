# SPDX-License-Identifier: GPL-3.0-or-later
"""The request: everything that one generation needs, validated, in one frozen value. Imports core only.

The panel, the command line and the worker all build a `TextureRequest`; none has rules of its own.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from pathlib import PurePath
from typing import Any, ClassVar, NoReturn

from ..errors import bad_request
from ..naming import slug
from ..variants import COUNTS, Sheet
from .detail import Detail
from .extras import Extras
from .finish import Finish
from .guides import Guides
from .template import Region, Template
from .transition import Transition

GRID = 64  # pixels; a multiple of the grid of nearly every model (`families.Family.grid`)
MIN_SIDE = 64
MAX_SIDE = 2048  # larger is the upscaler's work
MAX_PROMPT = 20_000  # characters; far more than any text encoder reads, and far less than a protocol frame holds
MAX_STEPS = 150
MAX_GUIDANCE = 30.0
MAX_COUNT = 1000
MAX_SEED = 2**31 - 1  # Blender's integers have 31 bits
STARTER = "starter"  # the model in the package; its networks: `finish.STARTER_NETWORKS`


class Axes(StrEnum):
    """The axes on which the texture repeats without a seam."""

    XY = "XY"
    X = "X"
    Y = "Y"
    NONE = "NONE"

    @property
    def x(self) -> bool:
        """Whether the left edge continues the right one."""
        return "X" in self.value

    @property
    def y(self) -> bool:
        """Whether the top edge continues the bottom one."""
        return "Y" in self.value

    @property
    def in_words(self) -> str:
        """What the texture does there, in English."""
        return {
            Axes.XY: "repeats both ways",
            Axes.X: "repeats left to right",
            Axes.Y: "repeats bottom to top",
            Axes.NONE: "does not repeat",
        }[self]


class Scheduler(StrEnum):
    """Sampling methods. `MODEL` is the one that the model's folder names; which others fit, the catalogue tells."""

    MODEL = "MODEL"
    DPMPP_2M = "DPMPP_2M"
    UNIPC = "UNIPC"
    EULER = "EULER"
    EULER_A = "EULER_A"
    DDIM = "DDIM"
    LCM = "LCM"
    TCD = "TCD"


class Sigmas(StrEnum):
    """How much noise each step leaves, for schedulers that have the choice; which have, `ModelInfo.sigmas` tells."""

    MODEL = "MODEL"  # as the model's scheduler is set
    KARRAS = "KARRAS"
    EXPONENTIAL = "EXPONENTIAL"
    TRAILING = "TRAILING"  # from pure noise on: what models for few steps are trained for


def _whole(name: str, value: object, low: int, high: int) -> int:
    # bool is an int to Python, never to a user
    if isinstance(value, bool) or not isinstance(value, int):
        raise bad_request(f"{name} must be a whole number, not {value!r}.")
    if not low <= value <= high:
        raise bad_request(f"{name} must be from {low} to {high}, not {value}.")
    return value


def _check_template(template: Template, axes: Axes, sheet: Sheet) -> None:
    """Raise `UserError` where the template needs a set of tiles, or an axis on which the texture repeats."""
    if template.region is Region.TILE:
        column, row = template.tile
        if sheet.count == 1:
            raise bad_request("The template is no set of tiles.", "Choose a set, or another part to be made anew.")
        if not (0 <= column < sheet.columns and 0 <= row < sheet.rows):
            raise bad_request(
                f"The set has no tile in column {column + 1} and row {row + 1}.",
                f"It has {sheet.columns} columns and {sheet.rows} rows.",
            )
    if axes is not Axes.NONE:
        return
    if template.tileable:
        raise bad_request("Making a template tileable needs an axis.", "Choose both, X or Y.")
    if template.region is Region.SEAM:
        raise bad_request("A texture that does not repeat has no seam.", "Choose both, X or Y.")


def _text(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise bad_request(f"{name} must be text.")
    if len(value) > MAX_PROMPT:
        raise bad_request(f"{name} has {len(value)} characters; at most {MAX_PROMPT} are allowed.", "Shorten it.")
    if "\0" in value:
        raise bad_request(f"{name} contains a NUL character.", "Remove it, or type the text again.")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise bad_request(f"{name} contains half of a character (a lone surrogate).", "Type the text again.")


@dataclass(frozen=True, slots=True)
class Size:
    """Width and height in pixels: multiples of 64, from 64 to 2048 each. Raises `UserError`."""

    width: int
    height: int

    def __post_init__(self) -> None:
        for name, value in (("The width", self.width), ("The height", self.height)):
            _whole(name, value, MIN_SIDE, MAX_SIDE)
            if value % GRID:
                down = value // GRID * GRID
                raise bad_request(f"{name} must be a multiple of {GRID}, not {value}.", f"Use {down} or {down + GRID}.")

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"

    @classmethod
    def parse(cls, text: str) -> "Size":
        """`"512"` or `"512x256"` (width first). Raises `UserError`."""
        match = re.fullmatch(r"\s*(-?\d{1,20})\s*(?:[xX]\s*(-?\d{1,20}))?\s*", text, re.ASCII)
        if not match:
            raise bad_request(f"{text!r} is not a size.", "Write 512 or 512x256.")
        width = int(match[1])
        return cls(width, int(match[2]) if match[2] else width)


@dataclass(frozen=True, slots=True)
class PictureSize(Size):
    """Width and height of a picture of several tiles, up to four times as long and wide as one may be."""

    def __post_init__(self) -> None:
        _whole("The width", self.width, MIN_SIDE, 4 * MAX_SIDE)
        _whole("The height", self.height, MIN_SIDE, 4 * MAX_SIDE)


def _check_transition(request: "TextureRequest") -> None:
    """Raise `UserError` where a request with a transition asks for what cannot be had beside it."""
    if not isinstance(request.transition, Transition):
        raise bad_request("The settings are not those of a transition.")
    _text("The second prompt", request.transition.prompt)
    if request.variants > 1 or request.template is not None or request.guides:
        raise bad_request("A transition has no variants, no template and no guides.", "Make it without them.")
    if request.axes is not Axes.XY:
        raise bad_request("The tiles of a transition repeat both ways.", "Set Tiling to both.")
    if request.finish.upscale > 1 or request.finish.delight:
        raise bad_request("A transition keeps its two pictures as they are.", "Upscale or de-light those first.")


@dataclass(frozen=True, slots=True)
class TextureRequest:
    """One generation: `count` pictures of one prompt, with the seeds `seed`, `seed + 1` ...

    Every value is final: defaults that depend on the model are filled in before (`catalogue.ModelInfo`).
    Creating one validates it; what is wrong raises `UserError` of kind `REQUEST`.

    prompt, negative_prompt: any text of at most 20,000 characters without NUL and lone surrogates, kept exactly.
    steps: 1 to 150. guidance_scale: 0 to 30; up to 1 the text is not weighed against the negative prompt.
    seed: 0 to 2**31 - 1. count: 1 to 1000.
    model: a model's id in the catalogue, or the path of a diffusers folder.
    vae: the path of a VAE that takes the place of the model's own, a .safetensors file or a folder; "": its own.
    parts: for a model in a file with the denoiser alone, the path of a model of the same kind that its other parts are
        taken from, a folder or a checkpoint; "": one that lies beside it.
    finish: what is done to each picture afterwards.
    template: a picture to start from; None: from noise alone.
    variation: 0 to 1, how far the noise goes from that of `seed` to that of `variation_seed`: a little is a variation
        of the same picture. With more than 0, `count` counts `variation_seed` up, and `seed` stays.
    extras: LoRAs, embeddings, clip skip.
    guides: pictures for structure and style, beside the words.
    variants: 1, or 4, 8 or 16 tiles whose edges fit each other, on one picture (see `variants.Sheet`); `size` is a
        tile's.
    transition: two pictures of that size, and the tiles that lead from one to the other.
    detail: how large pieces are in the picture; for models that know tori of any size, and one picture from noise.

    is_sampled: whether a model samples it in steps, so that another seed gives another picture.
    """

    kind: ClassVar[str] = "texture"
    is_sampled: ClassVar[bool] = True

    prompt: str
    negative_prompt: str = ""
    size: Size = Size(512, 512)
    steps: int = 25
    guidance_scale: float = 7.0
    seed: int = 0
    count: int = 1
    axes: Axes = Axes.XY
    scheduler: Scheduler = Scheduler.MODEL
    model: str = STARTER
    finish: Finish = field(default_factory=Finish)
    template: Template | None = None
    variation: float = 0.0
    variation_seed: int = 0
    extras: Extras = field(default_factory=Extras)
    vae: str = ""
    parts: str = ""
    sigmas: Sigmas = Sigmas.MODEL
    guides: Guides = field(default_factory=Guides)
    variants: int = 1
    transition: Transition | None = None
    detail: Detail = Detail.MEDIUM

    def __post_init__(self) -> None:
        _text("The prompt", self.prompt)
        _text("The negative prompt", self.negative_prompt)
        if not isinstance(self.size, Size):
            raise bad_request("The size must have a width and a height.")
        _whole("Steps", self.steps, 1, MAX_STEPS)
        guidance = self.guidance_scale
        if isinstance(guidance, bool) or not isinstance(guidance, int | float):
            raise bad_request(f"The guidance scale must be a number, not {guidance!r}.")
        if not 0 <= guidance <= MAX_GUIDANCE:
            raise bad_request(f"The guidance scale must be from 0 to {MAX_GUIDANCE:g}, not {guidance}.")  # nan too
        object.__setattr__(self, "guidance_scale", float(guidance))
        _whole("The seed", self.seed, 0, MAX_SEED)
        _whole("The number of textures", self.count, 1, MAX_COUNT)
        if not isinstance(self.axes, Axes) or not isinstance(self.scheduler, Scheduler):
            raise bad_request("The axes or the scheduler are not known.")
        if not isinstance(self.sigmas, Sigmas):
            raise bad_request("The sigmas are not known.")
        _text("The model's name", self.model)
        if not self.model.strip():
            raise bad_request("No model is chosen.", f"Choose one, or type {STARTER}.")
        for what, path in (("VAE", self.vae), ("model with other parts", self.parts)):
            _text(f"The path of a {what}", path)
            if path and not PurePath(path).is_absolute():
                raise bad_request(f"{path!r} is not the whole path of a {what}.", "Give its full path.")
        if not isinstance(self.finish, Finish):
            raise bad_request("The settings for upscaling and maps are not known.")
        self.finish.check_size(self.size.width, self.size.height)
        if self.template is not None:
            if not isinstance(self.template, Template):
                raise bad_request("The settings are not those of a template.")
            _check_template(self.template, self.axes, self.sheet)
        if not isinstance(self.guides, Guides):
            raise bad_request("The settings are not those of guides.")
        if self.axes is Axes.NONE and any(control.tileable for control in self.guides.controls):
            raise bad_request("Making a control picture tileable needs an axis.", "Choose both, X or Y.")
        variation = self.variation
        if isinstance(variation, bool) or not isinstance(variation, int | float) or not 0 <= variation <= 1:
            raise bad_request(f"The variation must be from 0 to 1, not {variation!r}.")
        object.__setattr__(self, "variation", float(variation))
        _whole("The variation's seed", self.variation_seed, 0, MAX_SEED)
        if not variation:
            object.__setattr__(self, "variation_seed", 0)  # it changes nothing, and recipes leave it out
        if not isinstance(self.extras, Extras):
            raise bad_request("The settings for LoRAs and embeddings are not known.")
        if isinstance(self.variants, bool) or self.variants not in COUNTS:
            raise bad_request(f"The number of variants must be 1, 4, 8 or 16, not {self.variants!r}.")
        if not isinstance(self.detail, Detail):
            raise bad_request("The detail size is not known.")
        if self.detail is not Detail.MEDIUM:
            self.detail.check_size(self.size.width, self.size.height, MIN_SIDE, MAX_SIDE)
        if self.transition is not None:
            _check_transition(self)
        if self.sheet.count > 1:
            self.finish.check_size(self.size.width * self.sheet.columns, self.size.height * self.sheet.rows)

    def seeds(self) -> list[int]:
        """The seed of each picture, counting up and starting over at 0 after 2**31 - 1; for variations the same."""
        return [self.single(index).seed for index in range(self.count)]

    def single(self, index: int) -> "TextureRequest":
        """The request that makes picture `index` (from 0) of this one alone."""
        if not 0 <= index < self.count:
            raise IndexError(index)
        counting = "variation_seed" if self.variation else "seed"
        return replace(self, count=1, **{counting: (getattr(self, counting) + index) % (MAX_SEED + 1)})

    @property
    def sheet(self) -> Sheet:
        """How its tiles lie on the picture."""
        return Sheet(self.variants if self.transition is None else 16)

    @property
    def picture_size(self) -> Size:
        """What is sampled at once: all tiles, or one with half of each beside it; another size for another detail."""
        if self.sheet.count == 1:
            times = self.detail.times
            return self.size if times == 1 else PictureSize(int(self.size.width * times), int(self.size.height * times))
        columns, rows = self.sheet.columns, self.sheet.rows
        if self.template is not None:
            columns, rows = min(columns, 2), min(rows, 2)
        return PictureSize(self.size.width * columns, self.size.height * rows)

    @property
    def result_size(self) -> tuple[int, int]:
        """Width and height of the finished picture, in pixels; None for a request that does not know it."""
        across, down = self.sheet.columns * self.finish.upscale, self.sheet.rows * self.finish.upscale
        return self.size.width * across, self.size.height * down

    @property
    def is_fitted(self) -> bool:
        """Whether several tiles are sampled at once, whose rims have to be kept alike."""
        return self.sheet.count > 1 and self.template is None

    @property
    def strength(self) -> float:
        """How much of the noise it begins with: all, unless it is made from pictures."""
        begun_from = self.template or self.transition
        return 1.0 if begun_from is None else begun_from.strength

    @property
    def tileable(self) -> bool:
        """Whether a picture is made periodic by blending, before anything else is done to it."""
        return self.template is not None and self.template.tileable

    @property
    def source_recipe(self) -> str:
        """The recipe of the picture that this one is made from; "" where there is none."""
        return self.template.source_recipe if self.template else ""

    @property
    def holds_data(self) -> bool:
        """Whether the picture's numbers are no colors."""
        return False

    @property
    def holds_normals(self) -> bool:
        """Whether they are the directions of a normal map."""
        return False

    @property
    def search_text(self) -> str:
        """What a search in the history looks through."""
        width, height = self.result_size
        return f"{self.prompt} {self.model} {self.size} {width}x{height} {self.seed}"

    @property
    def file_stem(self) -> str:
        """A name for the picture's file, without a suffix."""
        return f"{slug(self.prompt)}-{self.seed}"

    @property
    def pace_key(self) -> str:
        """A name for all requests of one model whose steps, and what is beside them, take alike.

        A guided step runs the denoiser on two pictures, an unguided one on one.
        """
        guided = "guided" if self.guidance_scale > 1 else "not guided"
        finish = self.finish
        after = f"x{finish.upscale} {' '.join(finish.maps)}".strip() if finish.does_something else "as it is"
        after += " de-lit" * finish.delight
        before = " | template" if self.template else ""
        before += " | LoRA" * bool(self.extras.loras)
        before += f" | {self.variants} variants" if self.variants > 1 else ""
        before += " | transition" * bool(self.transition)
        before += f" | {self.detail.value.lower()}" * (self.detail is not Detail.MEDIUM)
        before += f" | {self.guides.pace_word}" if self.guides else ""
        return f"{self.size} | {guided} | {after}{before}"

    def sentences(self, model: str) -> list[str]:
        """What else than the prompt made it, for people. model: the title of the model."""
        lines = []
        if self.negative_prompt.strip():
            lines.append(f"Without: “{' '.join(self.negative_prompt.split())}”.")
        width, height = self.result_size
        lines.append(f"{width} x {height} pixels, {self.axes.in_words}.")
        lines.append(f"Made by Tilewright with the model {model}.")
        lines.append(f"Seed {self.seed}, {self.steps} steps, guidance {self.guidance_scale:g}.")
        if self.template:
            lines.append(self.template.in_words)
        if self.detail is not Detail.MEDIUM:
            lines.append(f"Detail size: {self.detail.value.lower()}.")
        if self.variants > 1:
            lines.append(f"{self.variants} tiles of {self.size} pixels, whose edges fit each other.")
        if self.transition:
            lines.append(self.transition.in_words)
        lines += self.guides.in_words
        if self.variation:
            lines.append(f"Varied by {self.variation:g} with the seed {self.variation_seed}.")
        return lines + self.extras.in_words

    def as_texture(self) -> "TextureRequest":
        """These settings as those that a texture is generated with. Raises `UserError` where they are none."""
        return self

    def as_picture(self) -> NoReturn:
        """These settings as those of work on a picture, where they are such. Raises `UserError`."""
        raise bad_request(f"{self.prompt} is generated, and no work on a picture.")

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON: the kind, and one entry a field; `size` is `[width, height]`.

        `finish`, `template`, `extras`, `guides`, `sigmas`, the variation, the VAE, the parts, the variants, the
        transition and the detail only where they are not the default, so that recipes stay what they were before there
        was any.
        """
        data: dict[str, Any] = {item.name: getattr(self, item.name) for item in fields(self)}
        finish, template, extras = data.pop("finish"), data.pop("template"), data.pop("extras")
        guides, transition = data.pop("guides"), data.pop("transition")
        if finish != Finish():
            data["finish"] = finish.to_json()
        if template is not None:
            data["template"] = template.to_json()
        if extras != Extras():
            data["extras"] = extras.to_json()
        if guides:
            data["guides"] = guides.to_json()
        if not self.variation:
            del data["variation"], data["variation_seed"]
        if self.variants == 1:
            del data["variants"]
        for name in ("vae", "parts"):
            if not data[name]:
                del data[name]
        if transition is not None:
            data["transition"] = transition.to_json()
        if data.pop("sigmas") is not Sigmas.MODEL:
            data["sigmas"] = self.sigmas.value
        if data.pop("detail") is not Detail.MEDIUM:
            data["detail"] = self.detail.value
        return data | {
            "size": [self.size.width, self.size.height],
            "axes": self.axes.value,
            "scheduler": self.scheduler.value,
            "kind": self.kind,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "TextureRequest":
        """The reverse of `to_json`; missing fields take their defaults. Raises `UserError` on anything else."""
        known = {item.name for item in fields(cls)}
        values = dict(data) if isinstance(data, Mapping) else {}
        if values.pop("kind", cls.kind) != cls.kind or not set(values) <= known or "prompt" not in values:
            raise bad_request("The settings are not those of a texture.")
        try:
            if "size" in values:
                width, height = values["size"]
                values["size"] = Size(width, height)
            if "axes" in values:
                values["axes"] = Axes(values["axes"])
            if "scheduler" in values:
                values["scheduler"] = Scheduler(values["scheduler"])
            if "sigmas" in values:
                values["sigmas"] = Sigmas(values["sigmas"])
            if "detail" in values:
                values["detail"] = Detail(values["detail"])
            if "finish" in values:
                values["finish"] = Finish.from_json(values["finish"])
            if "template" in values:
                values["template"] = Template.from_json(values["template"])
            if "extras" in values:
                values["extras"] = Extras.from_json(values["extras"])
            if "guides" in values:
                values["guides"] = Guides.from_json(values["guides"])
            if "transition" in values:
                values["transition"] = Transition.from_json(values["transition"])
        except (TypeError, ValueError) as error:
            raise bad_request(f"The settings are not those of a texture: {error}.") from error
        return cls(**values)
