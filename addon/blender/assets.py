# SPDX-License-Identifier: GPL-3.0-or-later
"""A material as an asset: what Blender's asset browser shows of it. Imports bpy, core and its neighbours."""

import contextlib
import logging
import os
from array import array
from pathlib import Path, PurePath

import bpy

from ..core import asset_catalogs, image_networks, recipe_words
from ..core.errors import UserError
from ..core.recipe import Recipe
from ..core.request import STARTER, TextureRequest
from ..core.results import THUMBNAIL
from . import materials, models, package, preferences, properties, target

_logger = logging.getLogger(__name__)
_MAX_CATALOGS = 16 << 20  # bytes


def recipe_of(material: bpy.types.Material) -> Recipe:
    """The recipe of the texture at the material's Base Color. Raises `UserError` where there is none of ours."""
    node = materials.image_node(material)
    recipe = properties.recipe_of(node.image) if node is not None and node.image is not None else None
    if recipe is None:
        raise target.refusal(f"{material.name} shows no texture of {package.TITLE}'s.", "Put one into it first.")
    return recipe


def mark(material: bpy.types.Material, *, author: str, catalog: str) -> str:
    """Mark it, or describe it anew, and have its preview made. Says what is left to do. Raises `UserError`."""
    recipe = recipe_of(material)
    title, licence = _model(recipe)
    licences = [f"Model {title}: {licence}"] if isinstance(recipe.request, TextureRequest) else []
    licences += [f"Network {name}: {_licence_of(name)}" for name in recipe.networks]
    material.asset_mark()
    data = material.asset_data
    data.author = author
    data.description = recipe_words.description(recipe, title)
    data.license = "; ".join(licences)
    for name in (package.TITLE, *recipe_words.tags(recipe)):
        data.tags.new(name, skip_if_exists=True)
    note = _put_into_catalog(data, asset_catalogs.clean(catalog))
    if bpy.app.background:  # where Blender renders none: it would take minutes, or end without a screen
        _preview_by_thumbnail(material)
    else:
        material.asset_generate_preview()  # returns at once
    return note


def _model(recipe: Recipe) -> tuple[str, str]:
    """The model's title and licence. The name may come from somebody else's file: no folder of theirs is looked at."""
    name = recipe.request.model
    info = models.try_resolve(name) if name == STARTER else models.peek(name)
    if info is not None:
        return info.title, info.licence
    return PurePath(name.replace("\\", "/")).name, "see the model's own page"


def _licence_of(network: str) -> str:
    ours = (image_networks.UPSCALER_FILE, image_networks.SURFACE_FILE, image_networks.NORMAL_FILE)
    return image_networks.LICENCE if network in [file.name for file in ours] else "see its own page"


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
        return f"The catalogue {catalog} was not added: {file} cannot be read."
    data.catalog_id = asset_catalogs.find(text, catalog)
    if file is None:
        return f"Once the file is saved, mark it again for the catalogue {catalog}."
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
        return f"The catalogue {catalog} was not added: {file.parent}: {error.strerror}."
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
    """Show the texture itself, where its result is still in the store."""
    name = materials.image_node(material).image.tilewright.result
    if name != PurePath(name).name or name in ("", ".."):  # from somebody else's file
        return
    path = preferences.store_folder() / name / f"{THUMBNAIL}.png"
    if not path.is_file():
        return
    picture = bpy.data.images.load(str(path), check_existing=False)
    try:
        pixels = array("f", bytes(4 * len(picture.pixels)))
        picture.pixels.foreach_get(pixels)
        preview = material.preview_ensure()
        preview.image_size = picture.size
        preview.image_pixels_float.foreach_set(pixels)
    finally:
        bpy.data.images.remove(picture)


def explain(material: bpy.types.Material) -> UserError | None:
    """Why the material cannot be marked, for greyed buttons."""
    try:
        target.check_editable(material)
        recipe_of(material)
    except UserError as error:
        return error
    return None
