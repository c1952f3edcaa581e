# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the pictures that guide a model ready: read, fitted on the torus, turned into what networks learned.

Imports core, engine. As with templates, a rolled control picture gives a rolled one. The style's picture is only looked
at as a whole.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..core import results
from ..core.families.catalogue import resolve
from ..core.recipe import PERIODIC, Recipe
from ..core.requests.guides import Control, ControlKind, Guides
from ..core.requests.template import Fit
from ..core.requests.texture import TextureRequest
from . import pictures
from .guide_files import ControlFiles, StyleFiles, find_control, find_style
from .template import Check, copied, encoded, fit, hash_of, kept, read_copy

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class GuidePictures:
    """The guides of a request made ready, for all pictures of a job.

    guides: with all hashes. controls: what each ControlNet reads, (1, 3, H, W), 0 to 1, with its files.
    style: the picture (H, W, 3), 8-bit sRGB, with the adapter's files; None for none.
    copies: the files as they were read, by their kind in a result.
    exact: whether all control pictures are periodic by construction.
    """

    guides: Guides
    controls: tuple[tuple[ControlFiles, torch.Tensor], ...]
    style: tuple[StyleFiles, NDArray[np.uint8]] | None
    copies: dict[str, Path]
    exact: bool

    def of(self, request: TextureRequest) -> TextureRequest:
        """One picture's request with the hashes of the files."""
        return replace(request, guides=self.guides)

    def recipe(self, made: Recipe) -> Recipe:
        """The recipe of a picture that they guided."""
        return made if self.exact else made.noting({PERIODIC: "as measured"})

    def keep(self, draft: results.Draft) -> dict[str, str]:
        """Put the files beside the result: kind -> name. Raises `UserError` (kind `DISK`)."""
        return kept(self.copies, draft)


@contextmanager
def guide_pictures(request: TextureRequest, store: Path, check: Check) -> Iterator[GuidePictures | None]:
    """The guides of a job while the block runs, None where its request has none.

    Their networks are checked, not loaded. Raises `UserError` (kinds `REQUEST`, `MODEL`, `NUMERICS`, `DISK`), or what
    `check` raises.
    """
    if not request.guides:
        yield None
        return
    with results.draft(store, "guides", 0) as scratch:
        yield _ready(request, scratch.folder, check)


def _ready(request: TextureRequest, folder: Path, check: Check) -> GuidePictures:
    family = resolve(request.model).family
    copies: dict[str, Path] = {}
    controls, known, exact = [], [], True
    for place, control in enumerate(request.guides.controls):
        kind = f"{results.GUIDE}{place + 1}"
        files = find_control(control, family)
        copies[kind] = copied("The control picture", Path(control.picture), folder, kind, control.sha256)
        source = read_copy(copies[kind], Path(control.picture).name)
        controls.append((files, _control_picture(source, control, request, check)))
        known.append(replace(control, sha256=hash_of(copies[kind]), fingerprint=files.fingerprint))
        exact = exact and not control.tileable and pictures.repeats_exactly(copies[kind], request.axes)
    style, guided = request.guides.style, None
    if style is not None:
        kind = f"{results.GUIDE}{len(controls) + 1}"
        found = find_style(style)
        copies[kind] = copied("The style picture", Path(style.picture), folder, kind, style.sha256)
        source = read_copy(copies[kind], Path(style.picture).name)
        guided = found, _rounded(_three(encoded(source)))
        style = replace(style, sha256=hash_of(copies[kind]), fingerprint=found.fingerprint)
    return GuidePictures(Guides(tuple(known), style), tuple(controls), guided, copies, exact)


def _control_picture(source: NDArray[Any], control: Control, request: TextureRequest, check: Check) -> torch.Tensor:
    """What the ControlNet reads of a picture (h, w, C): (1, 3, H, W), float32, 0 to 1."""
    is_color = control.kind in (ControlKind.TILE, ControlKind.OTHER, ControlKind.EDGES)
    values = fit(
        _three(encoded(source) if is_color else source),
        request.size,
        Fit.STRETCH,
        request.axes,
        check,
        control.tileable,
    )
    if control.kind is ControlKind.DEPTH:
        values = _spread(values)
    elif control.kind is ControlKind.NORMAL:
        values = _as_control_nets_see_normals(values)
    return torch.from_numpy(np.ascontiguousarray(values.clip(0, 1).transpose(2, 0, 1)))[None]


def _three(source: NDArray[Any]) -> NDArray[Any]:
    """The colors (h, w, 3) of a picture with 1 to 4 channels; what is transparent shows its own color."""
    colors = source[..., : 3 if source.shape[2] >= 3 else 1]
    return np.repeat(colors, 3, -1) if colors.shape[2] == 1 else colors


def _spread(depth: Floats) -> Floats:
    """A depth or height map over the whole range from 0 to 1, as depth estimators give it; a flat one becomes grey."""
    depth = depth.mean(-1, keepdims=True)
    low, high = pictures.extent(depth)
    if high - low < 1e-6:
        return np.full((*depth.shape[:2], 3), 0.5, np.float32)
    return np.repeat((depth - low) / np.float32(high - low), 3, -1)


def _as_control_nets_see_normals(normals: Floats) -> Floats:
    """From OpenGL's convention (red right, green up) to that of the estimator whose maps ControlNets learned from.

    NormalBae, trained on ScanNet, has red to the *left*: a map rendered in Blender's convention must be mirrored in X
    (README of lllyasviel/ControlNet-v1-1-nightly: "ScanNet's protocol"; threestudio-project/threestudio#189).
    Directions are made whole again after scaling.
    """
    vectors = normals * 2 - 1
    vectors[..., 0] *= -1
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    vectors = np.where(length > 1e-6, vectors / np.maximum(length, 1e-6), np.array([0, 0, 1], np.float32))
    return ((vectors + 1) / 2).astype(np.float32)


def _rounded(colors: NDArray[Any]) -> NDArray[np.uint8]:
    """Colors of any type as 8 bits."""
    if colors.dtype == np.uint8:
        return np.ascontiguousarray(colors)
    share = np.iinfo(colors.dtype).max if np.issubdtype(colors.dtype, np.integer) else 1
    return np.rint((colors.astype(np.float32) / share).clip(0, 1) * 255).astype(np.uint8)
