# SPDX-License-Identifier: GPL-3.0-or-later
"""The pictures that rows of a table name: templates, masks, guides. Imports core, and the engine with the first one.

All of them are read, and their networks' headers, before anything is made: a wrong one is a bad row. Each file counts
by what it holds, however often and under whatever name a table has it.
"""

import re
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ...core import picture_facts
from ...core.errors import UserError, bad_request
from ...core.families.catalogue import ModelInfo
from ...core.prompt_files import Wish
from ...core.recipe import read_png
from ...core.requests.guides import Control, ControlKind, Guides, Style, kind_of
from ...core.requests.template import USUAL_STRENGTH, Fit, Region, Template
from ...core.requests.texture import GRID, MAX_SIDE, MIN_SIDE, Axes, Size
from ...core.torus_fill import looks_cut

_OF_TEMPLATE = ("strength", "fit", "region", "mask", "tileable")
_OF_CONTROL = ("control_picture", "control_kind", "control_strength", "control_start", "control_end")
_OF_STYLE = ("style_picture", "style_encoder", "style_strength")
_GROWN = 2  # times as long and as wide
K = TypeVar("K", bound=StrEnum)


@dataclass(frozen=True)
class _Known:
    """A picture: its sides, its hash, whether its edges do not go on into each other, and what made it."""

    width: int
    height: int
    sha256: str
    is_cut: bool
    recipe: str


def parts(text: str | None) -> list[str]:
    """The cells in a cell, with semicolons or lines between; empty ones keep their places."""
    return [part.strip() for part in re.split(r"[;\n]", text)] if text else []


class RowPictures:
    """For one table. Methods raise `UserError`."""

    def __init__(self) -> None:
        self._known = cache(_known)
        self._control, self._style = cache(_checked_control), cache(_checked_style)

    def template(self, wish: Wish, axes: Axes) -> tuple[Template | None, Size | None]:
        """What a row starts from, and the size that goes with it; None where that is the model's."""
        if not wish.template_image:
            _refuse(wish, _OF_TEMPLATE, "template_image")
            return None, None
        known = self._known(wish.template_image)
        region = _one_of(Region, wish.region, Region.MASK if wish.mask else Region.ALL)
        template = Template(
            source=wish.template_image,
            strength=USUAL_STRENGTH[region] if wish.strength is None else wish.strength,
            fit=_one_of(Fit, wish.fit, Fit.STRETCH),
            tileable=_said(wish.tileable, known.is_cut) and axes is not Axes.NONE,
            region=region,
            mask=wish.mask or "",
            sha256=known.sha256,
            mask_sha256=self._known(wish.mask).sha256 if wish.mask else "",
            source_recipe=known.recipe,
        )
        return template, None if region is Region.ALL else _own_size(known, region)

    def guides(self, wish: Wish, axes: Axes, info: ModelInfo) -> Guides:
        """What guides a row's texture."""
        controls = self._controls(wish, axes, info)
        style = None
        if wish.style:
            if not wish.style_picture:
                raise bad_request("style needs a style_picture.", "Name the picture whose style it takes.")
            known = self._known(wish.style_picture)
            plain = Style(wish.style, wish.style_picture, wish.style_encoder or "", sha256=known.sha256)
            strength = plain.strength if wish.style_strength is None else wish.style_strength
            style = self._style(replace(plain, strength=strength))
        else:
            _refuse(wish, _OF_STYLE, "style")
        if (controls or style) and not info.takes_guides:
            raise bad_request(f"{info.title} takes no ControlNet and no IP-Adapter.", "Choose another model.")
        return Guides(controls, style)

    def _controls(self, wish: Wish, axes: Axes, info: ModelInfo) -> tuple[Control, ...]:
        models = parts(wish.control)
        if not models:
            _refuse(wish, (*_OF_CONTROL, "control_tileable"), "control")
            return ()
        if not info.takes_guides:
            raise bad_request(f"{info.title} takes no ControlNet and no IP-Adapter.", "Choose another model.")
        cells = {name: parts(getattr(wish, name)) for name in (*_OF_CONTROL, "control_tileable")}
        long = next((name for name, values in cells.items() if len(values) > len(models)), None)
        if long is not None:
            raise bad_request(f"{long} has more parts than control.", "Write one for each, semicolons between.")
        controls = []
        for place, model in enumerate(models):
            said = {name: values[place] for name, values in cells.items() if place < len(values) and values[place]}
            if not model or "control_picture" not in said:
                raise bad_request("control needs a control_picture for each.", "Name the picture that it reads.")
            known = self._known(said["control_picture"])
            numbers: dict[str, Any] = {
                name: _number(f"control_{name}", said[f"control_{name}"])
                for name in ("strength", "start", "end")
                if f"control_{name}" in said
            }
            plain = Control(
                model,
                said["control_picture"],
                _one_of(ControlKind, said.get("control_kind"), kind_of(model)),
                tileable=_said(said.get("control_tileable"), known.is_cut) and axes is not Axes.NONE,
                sha256=known.sha256,
                **numbers,
            )
            controls.append(self._control(plain, info))
        return tuple(controls)


def without_places(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe's JSON with its files by what they hold: where they lie changes no pixel."""
    bare = dict(recipe)
    if "template" in bare:
        bare["template"] = _without(bare["template"], "source", "mask", "source_recipe")
    guides = bare.get("guides")
    if guides:
        bare["guides"] = {
            "controls": [_without(control, "model", "picture") for control in guides.get("controls", ())],
            "style": _without(guides.get("style", {}), "file", "picture", "encoder"),
        }
    return bare


def _without(values: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in names}


def _known(file: str) -> _Known:
    from .. import pictures  # torch
    from ..template import hash_of

    path = Path(file)
    pixels = pictures.read(path)
    if picture_facts.read(path).orientation != 1:
        raise bad_request(f"{path.name} is meant to be turned, as cameras note it.", "Save it turned.")
    try:
        made = read_png(path)
    except UserError:
        made = None
    height, width, channels = pixels.shape
    values = pixels.astype(np.float32)
    if np.issubdtype(pixels.dtype, np.integer):
        values /= np.iinfo(pixels.dtype).max
    is_cut = not pictures.repeats_exactly(path, Axes.XY)
    is_cut = is_cut and looks_cut(array("f", values.tobytes()), width, height, channels)
    return _Known(width, height, hash_of(path), is_cut, made.as_source() if made else "")


def _checked_control(control: Control, info: ModelInfo) -> Control:
    from ..guide_files import find_control

    return replace(control, fingerprint=find_control(control, info.family).fingerprint)


def _checked_style(style: Style) -> Style:
    from ..guide_files import find_style

    return replace(style, fingerprint=find_style(style).fingerprint)


def _own_size(known: _Known, region: Region) -> Size:
    """Where a part stays, it stays as it is at the picture's own size; where it grows, at a multiple of that."""
    times = _GROWN if region is Region.GROW else 1
    sides = (round(side * times / GRID) * GRID for side in (known.width, known.height))
    return Size(*(min(max(side, MIN_SIDE), MAX_SIDE) for side in sides))


def _one_of(kind: type[K], text: str | None, usual: K) -> K:
    if not text:
        return usual
    try:
        return kind(text.upper())
    except ValueError as error:
        names = ", ".join(item.value.lower() for item in kind)
        raise bad_request(f"{text!r} is not known.", f"Choose one of: {names}.") from error


def _said(text: str | None, usual: bool) -> bool:
    ways = {"auto": usual, "yes": True, "no": False}
    if text is not None and text.lower() not in ways:
        raise bad_request(f"tileable is {text!r}.", "Write auto, yes or no.")
    return ways[(text or "auto").lower()]


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise bad_request(f"{text!r} is no number for {name}.", "Correct it.") from error


def _refuse(wish: Wish, names: tuple[str, ...], needed: str) -> None:
    """Raise `UserError` where a row says something of what it does not have."""
    for name in names:
        if getattr(wish, name) is not None:
            raise bad_request(f"{name} needs {needed}.", "Name a file there, or leave it empty.")
