# SPDX-License-Identifier: GPL-3.0-or-later
"""The template and the guides that the settings name, as files that the worker reads. Imports bpy and core.

The images are written by the way of `sources`, as those of Upscale are: what is painted, packed or float too.
"""

import shutil
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy

from ...core.errors import ErrorKind, UserError
from ...core.requests.guides import Control, Guides, Style
from ...core.requests.template import Fit, Region, Template
from ..common import state
from ..common.languages import rpt_
from ..pictures import sources
from ..settings import library, properties
from ..settings.properties import TILEWRIGHT_PG_control, TILEWRIGHT_PG_settings
from ..settings.request import decimal, network

_HALF_A_LEVEL = 0.5 / 255


@dataclass(frozen=True)
class Pictures:
    """What a request is made from besides words. folder: of what was written for it, None for nothing."""

    template: Template | None = None
    guides: Guides = field(default_factory=Guides)
    folder: Path | None = None


@contextmanager
def prepared(settings: TILEWRIGHT_PG_settings) -> Iterator[Pictures]:
    """The template and the guides, as far as images are chosen.

    The folder goes where the block raises, unless a job reads from it by then. Raises `UserError`.
    """
    controls = [control for control in settings.controls if control.use]
    if settings.template_image is None and not controls and settings.style_picture is None:
        yield Pictures()
        return
    folder = sources.new_folder()
    try:
        template = _template(settings, folder) if settings.template_image is not None else None
        guides = tuple(
            _control(control, settings, folder / f"control{place}") for place, control in enumerate(controls)
        )
        yield Pictures(template, Guides(guides, _style(settings, folder / "style")), folder)
    except BaseException:
        drop(folder)
        raise


def drop(folder: Path | None) -> None:
    """Remove what was written for jobs, unless one still reads from it."""
    if folder is not None and folder not in state.current.folders.values():
        shutil.rmtree(folder, ignore_errors=True)


def _template(settings: TILEWRIGHT_PG_settings, folder: Path) -> Template:
    image, region = settings.template_image, Region(settings.region)
    source, _content = sources.prepare(image, folder)
    mask = ""
    if region is Region.MASK:
        mask = str(_mask(settings.mask, folder / "mask"))
    return Template(
        source=str(source),
        strength=decimal(settings.strength),
        fit=Fit(settings.fit),
        tileable=settings.make_tileable and settings.tiling != "NONE",
        region=region,
        mask=mask,
        cover=settings.cover,
        feather=decimal(settings.feather),
        amount=decimal(settings.wear_amount),
        keep_edges=settings.keep_edges,
        source_recipe=properties.as_source(image),
    )


def _control(control: TILEWRIGHT_PG_control, settings: TILEWRIGHT_PG_settings, folder: Path) -> Control:
    if not control.model.strip():
        raise _refusal("A control has no ControlNet.", "Choose its file or folder, or turn it off.")
    if control.picture is None:
        raise _refusal("A control has no picture.", "Choose one, or turn it off.")
    picture, _content = sources.prepare(control.picture, folder)
    return Control(
        model=network(control.model),
        picture=str(picture),
        kind=control.get_kind(),
        strength=decimal(control.strength),
        start=decimal(control.start),
        end=decimal(control.end),
        tileable=control.make_tileable and settings.tiling != "NONE",
    )


def _style(settings: TILEWRIGHT_PG_settings, folder: Path) -> Style | None:
    if settings.style_picture is None:
        return None
    if not settings.style_file.strip():
        raise _refusal("The style picture has no IP-Adapter.", "Choose its file, or remove the picture.")
    picture, _content = sources.prepare(settings.style_picture, folder)
    file = network(settings.style_file)
    return Style(
        file=file,
        picture=str(picture),
        encoder=network(settings.style_encoder) if settings.style_encoder.strip() else library.elsewhere(Path(file)),
        strength=decimal(settings.style_strength),
    )


def _mask(image: bpy.types.Image | None, folder: Path) -> Path:
    if image is None:
        raise _refusal("There is no mask.", "Press Paint Mask, or choose another part to make anew.")
    path, _content = sources.prepare(image, folder)
    if is_black(image):
        raise _refusal(
            rpt_("The mask {name} is all black: nothing would be made anew.").format(name=image.name),
            "Paint white where the texture should be new.",
        )
    return path


def is_black(image: bpy.types.Image) -> bool:
    """Whether no pixel of it is brighter than black; reads them all."""
    source: Any = image.pixels
    pixels = array("f", [0.0]) * len(source)
    source.foreach_get(pixels)
    channels = image.channels
    colors = channels if channels in (1, 3) else channels - 1  # alpha is the last
    return all(max(pixels[channel::channels], default=0.0) <= _HALF_A_LEVEL for channel in range(colors))


def _refusal(message: str, hint: str) -> UserError:
    return UserError(ErrorKind.REQUEST, message, hint)
