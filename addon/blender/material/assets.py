# SPDX-License-Identifier: GPL-3.0-or-later
"""A material as an asset: what Blender's asset browser shows of it. Imports bpy, core and its neighbours."""

import contextlib
import json
import logging
import os
from array import array
from pathlib import Path, PurePath
from typing import Any
from uuid import UUID

import bpy

from ...core import asset_catalogs, image_networks, recipe_words
from ...core.errors import UserError
from ...core.recipe import Recipe
from ...core.requests.texture import STARTER
from ...core.results import THUMBNAIL
from ..common import package, preferences, targets
from ..common.languages import rpt_
from ..settings import models, properties
from ..settings.properties import facts_of
from . import color_node

_logger = logging.getLogger(__name__)
_PREVIEW = 256  # pixels
_MAX_CATALOGS = 16 << 20  # bytes
_OURS = "tilewright"  # a custom property of the asset, which goes with it: as JSON, what `mark` wrote the last time


def recipe_of(material: bpy.types.Material) -> Recipe:
    """The recipe of the texture at the material's Base Color. Raises `UserError` where there is none of ours."""
    node = color_node.image_node(material)
    recipe = properties.recipe_of(node.image) if node is not None and node.image is not None else None
    if recipe is None:
        message = rpt_("{name} shows no texture from Tilewright.").format(name=material.name)
        raise targets.refusal(message, "Add one first.")
    return recipe


def mark(material: bpy.types.Material, *, author: str, catalog: str | None) -> str:
    """Mark it, or describe it anew, and have its preview made. Says what is left to do. Raises `UserError`.

    What the user wrote in an asset browser stays. author: "" for nobody new. catalog: "" for no new one; None for the
    usual one, named after the extension, where the user has put it into none.
    """
    recipe = recipe_of(material)
    first = recipe.source or recipe
    title, licence = _model(first)
    licences = [f"Model {title}: {licence}"] if first.request.is_sampled else []
    licences += [f"Network {name}: {_licence_of(name)}" for name in recipe.networks]
    material.asset_mark()
    data = material.asset_data
    ours = _ours(data)
    catalog = _usual_catalog(data, ours) if catalog is None else asset_catalogs.clean(catalog)
    if author and author == preferences.get().author:
        _replace(data, "author", author, ours)
    elif author:  # asked for, now
        data.author = author
    _replace(data, "description", recipe_words.description(recipe, title), ours)
    _replace(data, "license", "; ".join(licences), ours)
    _replace_tags(data, [package.TITLE, *recipe_words.tags(recipe)], ours)
    note = _put_into_catalog(data, catalog)
    if catalog:
        ours |= {"catalog": catalog, "catalog_id": data.catalog_id}
    data[_OURS] = json.dumps(ours)
    # Blender's own preview is a render, which the window waits for as soon as it shows the material too: minutes with
    # software OpenGL (seen in 5.2), and none at all in background mode.
    _preview_by_thumbnail(material)
    return note


def _ours(data: bpy.types.AssetMetaData) -> dict[str, Any]:
    """What was written here the last time; nothing where nothing was, or where somebody else's file says nonsense."""
    try:
        ours = json.loads(data.get(_OURS, ""))
    except (TypeError, ValueError, RecursionError):
        return {}
    return ours if isinstance(ours, dict) else {}


def _replace(data: bpy.types.AssetMetaData, name: str, text: str, ours: dict[str, Any]) -> None:
    """Write a text unless the user has written another one there."""
    if getattr(data, name) in ("", ours.get(name)):
        setattr(data, name, text)
        ours[name] = getattr(data, name)  # as Blender keeps it


def _replace_tags(data: bpy.types.AssetMetaData, names: list[str], ours: dict[str, Any]) -> None:
    """Tag it so, and take off the tags of an earlier texture; the user's stay, and those he took off stay off."""
    before = ours["tags"] if isinstance(ours.get("tags"), list) else []
    for tag in [tag for tag in data.tags if tag.name in before and tag.name not in names]:
        data.tags.remove(tag)
    added = [name for name in names if name not in before and name not in data.tags]
    for name in added:
        data.tags.new(name)
    ours["tags"] = [name for name in names if name in before or name in added]


def _usual_catalog(data: bpy.types.AssetMetaData, ours: dict[str, Any]) -> str:
    """The catalogue to put it into where none was asked for, "" to leave it where it is."""
    if not ours and UUID(data.catalog_id).int == 0:
        return package.TITLE
    # Where it was put before it stays, and is put again: the file with the catalogues may only be there since.
    return str(ours.get("catalog", "")) if data.catalog_id == ours.get("catalog_id") else ""


def _model(recipe: Recipe) -> tuple[str, str]:
    """The model's title and licence. The name may come from somebody else's file: no folder of theirs is looked at."""
    name = recipe.request.model
    info = models.try_resolve(name) if name == STARTER else models.peek(name)
    if info is not None:
        return info.title, info.licence
    return PurePath(name.replace("\\", "/")).name, "see the model's own page"


def _licence_of(network: str) -> str:
    ours = [file.name for file in image_networks.FILES]
    return image_networks.LICENCE if network in ours else "see its own page"


def _put_into_catalog(data: bpy.types.AssetMetaData, catalog: str) -> str:
    """Assign the catalogue, and see to it that the asset library knows it. Says why not, "" if it does."""
    if not catalog:
        return ""
    file = _library() / asset_catalogs.FILE if bpy.data.filepath else None
    text = ""
    try:
        if file is not None and file.exists():
            with file.open("rb") as stream:
                text = stream.read(_MAX_CATALOGS).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        _logger.error("%s cannot be read: %s", file, error)
        words = rpt_("The catalog {catalog} was not added: cannot read {file}.")
        return words.format(catalog=catalog, file=file)
    data.catalog_id = asset_catalogs.find(text, catalog)
    if file is None:
        return rpt_("Save the file, then mark it again for the catalog {catalog}.").format(catalog=catalog)
    added = asset_catalogs.add(text, catalog)
    if added == text:
        return ""
    part = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        part.write_text(added, encoding="utf-8", newline="\n")
        os.replace(part, file)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        words = rpt_("The catalog {catalog} was not added: {place}: {reason}.")
        return words.format(catalog=catalog, place=file.parent, reason=error.strerror)
    return ""


def _library() -> Path:
    """The folder that holds the catalogues of the open file's assets: its library's, or its own."""
    folder = Path(bpy.data.filepath).parent
    for library in bpy.context.preferences.filepaths.asset_libraries:
        root = preferences.chosen_path(library.path)
        if root is not None and (root == folder or root in folder.parents):
            return root
    return folder


def _preview_by_thumbnail(material: bpy.types.Material) -> None:
    """Show the texture itself: the thumbnail in the store, or else the image made small."""
    image = color_node.image_node(material).image
    name = facts_of(image).result
    ours = name == PurePath(name).name and name not in ("", "..")  # else it is from somebody else's file
    path = preferences.store_folder() / name / f"{THUMBNAIL}.png"
    if ours and path.is_file():
        picture = bpy.data.images.load(str(path), check_existing=False)
    else:
        picture = image.copy()
    try:
        if not 0 < max(picture.size) <= _PREVIEW:
            picture.scale(_PREVIEW, _PREVIEW)
        stored: Any = picture.pixels
        pixels = array("f", bytes(4 * len(stored)))
        stored.foreach_get(pixels)
        preview = material.preview_ensure()
        preview.image_size = picture.size
        shown: Any = preview.image_pixels_float
        shown.foreach_set(pixels)
    finally:
        bpy.data.images.remove(picture)


def explain(material: bpy.types.Material) -> UserError | None:
    """Why the material cannot be marked, for greyed buttons."""
    try:
        targets.check_editable(material)
        recipe_of(material)
    except UserError as error:
        return error
    return None
