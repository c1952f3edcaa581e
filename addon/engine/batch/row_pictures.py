# SPDX-License-Identifier: GPL-3.0-or-later
"""The pictures that rows of a table name: templates, masks, guides. Imports core, and the engine with the first one.

All of them are read, and their networks' headers, before anything is made: a wrong one is a bad row. Each file counts
by what it holds, however often and under whatever name a table has it.
"""

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ...core import guide_columns, picture_facts
from ...core.errors import UserError, bad_request
from ...core.families.catalogue import ModelInfo
from ...core.prompt_files import Wish
from ...core.recipe import read_png
from ...core.requests.guides import Control, ControlKind, Guides, Style, kind_of
from ...core.requests.template import USUAL_STRENGTH, Fit, Region, Template
from ...core.requests.texture import GRID, MAX_SIDE, MIN_SIDE, Axes, Size
from ...core.torus_fill import looks_cut

_OF_TEMPLATE = ("strength", "fit", "region", "mask", "tileable", "cover", "feather", "wear_amount", "keep_edges")
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


class RowPictures:
    """For one table. Methods raise `UserError`."""

    def __init__(self) -> None:
        self._known = cache(_known)
        self._control, self._style = cache(_checked_control), cache(_checked_style)

    def template(self, wish: Wish, axes: Axes) -> tuple[Template | None, Size | None]:
        """What a row starts from, and the size that goes with it; None where that is the model's."""
        if not wish.template_image:
            alone = next((name for name in _OF_TEMPLATE if getattr(wish, name) is not None), None)
            if alone is not None:
                raise bad_request(f"{alone} says nothing without template_image.", "Fill in that column.")
            return None, None
        known = self._known(wish.template_image)
        region = _one_of(Region, wish.region, Region.MASK if wish.mask else Region.ALL)
        plain = Template(wish.template_image)
        template = Template(
            source=wish.template_image,
            strength=USUAL_STRENGTH[region] if wish.strength is None else wish.strength,
            fit=_one_of(Fit, wish.fit, Fit.STRETCH),
            tileable=_said("tileable", wish.tileable, known.is_cut) and axes is not Axes.NONE,
            region=region,
            mask=wish.mask or "",
            cover=_said("cover", wish.cover, plain.cover),
            feather=plain.feather if wish.feather is None else wish.feather,
            amount=plain.amount if wish.wear_amount is None else wish.wear_amount,
            keep_edges=_said("keep_edges", wish.keep_edges, plain.keep_edges),
            sha256=known.sha256,
            mask_sha256=self._known(wish.mask).sha256 if wish.mask else "",
            source_recipe=known.recipe,
        )
        return template, None if region is Region.ALL else _own_size(known, region)

    def guides(self, wish: Wish, axes: Axes, info: ModelInfo) -> Guides:
        """What guides a row's texture."""
        controls, said, style = self._controls(wish, axes, info), guide_columns.style(wish), None
        if said is not None:
            if not info.takes_guides:
                raise _takes_none(info)
            if "style_picture" not in said:
                raise bad_request("style needs a style_picture.", "Name the picture whose style it takes.")
            known = self._known(said["style_picture"])
            plain = Style(said["style"], said["style_picture"], said.get("style_encoder", ""), sha256=known.sha256)
            style = self._style(replace(plain, strength=said.get("style_strength", plain.strength)))
        return Guides(controls, style)

    def _controls(self, wish: Wish, axes: Axes, info: ModelInfo) -> tuple[Control, ...]:
        rows = guide_columns.controls(wish) or []
        if rows and not info.takes_guides:
            raise _takes_none(info)
        controls = []
        for said in rows:
            known = self._known(said["control_picture"])
            numbers: dict[str, Any] = {
                name: said[f"control_{name}"] for name in ("strength", "start", "end") if f"control_{name}" in said
            }
            plain = Control(
                said["control"],
                said["control_picture"],
                ControlKind(said["control_kind"].upper()) if "control_kind" in said else kind_of(said["control"]),
                tileable=_said("tileable", said.get("control_tileable"), known.is_cut) and axes is not Axes.NONE,
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


def _said(name: str, text: str | None, usual: bool) -> bool:
    ways = {"auto": usual, "yes": True, "no": False}
    if text is not None and text.lower() not in ways:
        raise bad_request(f"{name} is {text!r}.", "Write auto, yes or no.")
    return ways[(text or "auto").lower()]


def _takes_none(info: ModelInfo) -> UserError:
    return bad_request(f"{info.title} takes no ControlNet and no IP-Adapter.", "Choose another model.")
