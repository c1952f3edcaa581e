# SPDX-License-Identifier: GPL-3.0-or-later
"""Recipes back into the settings, and made again in another way. Imports bpy and core."""

import io
import os
from dataclasses import replace
from pathlib import Path

import bpy
from bpy.props import FloatProperty, IntProperty, StringProperty

from ...core import recipe as core_recipe
from ...core import ways
from ...core.errors import ErrorKind, UserError
from ...core.families.catalogue import FORMER_STARTERS
from ...core.recipe import Recipe
from ...core.requests.finish import FILTER, LANCZOS, STARTER_NETWORKS, MapKind
from ...core.requests.guides import Guides
from ...core.requests.template import Region
from ...core.requests.texture import GRID, MAX_SIDE, MIN_SIDE, STARTER, Scheduler, Sigmas, Size, TextureRequest
from ...core.results import GUIDE, MASK, TEMPLATE, Result
from ..common import package, reporting
from ..common.languages import iface_, rpt_
from ..jobs import generation
from ..jobs.picture_operators import TILEWRIGHT_MT_image
from ..pictures import images
from ..settings import extras, models, properties
from ..settings.properties import TILEWRIGHT_PG_settings, facts_of, settings_of
from ..settings.request import decimal, new_seed
from . import browse

_NEAR = 0.3  # what the dialog of Variations proposes


def of_image(image: bpy.types.Image) -> Recipe | None:
    """The recipe that an image carries: as a property, or in the text of its PNG, packed or not. Raises `UserError`."""
    recipe = properties.recipe_of(image)
    if recipe or image.source != "FILE":
        return recipe
    if image.packed_file:
        return core_recipe.find_in_png(io.BytesIO(image.packed_file.data), image.name)
    return of_file(Path(os.path.abspath(bpy.path.abspath(image.filepath))))


def of_file(path: Path) -> Recipe | None:
    """The recipe in a PNG. Raises `UserError` where the file cannot be read."""
    try:
        return core_recipe.read_png(path)
    except OSError as error:
        raise UserError(ErrorKind.DISK, rpt_("Cannot read {path}.").format(path=path)) from error


def restore(settings: TILEWRIGHT_PG_settings, recipe: Recipe, *, own: bool, result: Result | None = None) -> str:
    """Set what the recipe says; returns a sentence about what could not be, or "".

    own: it comes from the user's history. A file from somebody else may name any path as its model, also on a server
    that learns of it: there only models are set that this user has, and no template. result: beside which a copy of its
    template lies.
    """
    request, note = recipe.texture, ""
    settings.template = ""
    settings.prompt = request.prompt
    settings.negative_prompt = request.negative_prompt
    settings.width, settings.height = request.size.width, request.size.height
    settings.steps = request.steps
    settings.seed, settings.use_random_seed, settings.count = request.seed, False, 1
    settings.tiling, settings.variants = request.axes.value, str(request.variants)
    finish = request.finish
    settings.upscale, settings.maps = str(finish.upscale), bool(finish.maps)
    settings.map_kinds = {kind.name for kind in finish.maps or MapKind}
    settings.upscaler = finish.upscaler if own or finish.upscaler in (STARTER_NETWORKS, LANCZOS) else STARTER_NETWORKS
    settings.map_networks = (
        finish.map_networks if own or finish.map_networks in (STARTER_NETWORKS, FILTER) else STARTER_NETWORKS
    )
    settings.kind, settings.delight = finish.kind.value, finish.delight
    settings.detail = request.detail.value
    settings.invert_relief = finish.invert_relief
    if own or _is_known(request.model, settings.model):
        settings.model = request.model
    else:
        note = rpt_("You don't have its model {model}; the current one stays.").format(model=request.model)
    note = extras.put(settings, request.extras, own) or note
    settings.vae = request.vae if own else ""
    if request.vae and not own:
        note = note or rpt_("It was made with another VAE, {vae}, which is not set.").format(vae=request.vae)
    settings.parts = request.parts if own else ""
    info = models.try_resolve(settings.model)
    info = info and info.with_extras(request.extras)
    # Where it was the model's own it stays so: what suits depends on whether there is a negative prompt.
    note = _restore_template(settings, request, own, result) or note
    note = _restore_guides(settings, request.guides, own, result) or note
    own_scale = info is not None and request.guidance_scale == info.defaults.guidance_for(request.negative_prompt)
    settings.guidance_scale = 0.0 if own_scale else request.guidance_scale or 1.0  # 0 would mean the model's own
    fits = info is None or request.scheduler in info.schedulers
    settings.scheduler = (request.scheduler if fits else Scheduler.MODEL).value
    spread = info is None or request.sigmas in info.sigmas(settings.get_scheduler())
    settings.sigmas = (request.sigmas if spread else Sigmas.MODEL).value
    former = FORMER_STARTERS.get(recipe.model_fingerprint) if settings.model == STARTER else None
    if former:
        version, steps = former
        settings.steps = 0 if request.steps == steps else request.steps
        note = rpt_("Made with version {version} of the starter ({fingerprint}). Today's makes different pixels.")
        note = note.format(version=version, fingerprint=recipe.model_fingerprint)
    return note


def _restore_template(
    settings: TILEWRIGHT_PG_settings, request: TextureRequest, own: bool, result: Result | None
) -> str:
    """The template and the variation; a sentence where the template is not here, or ""."""
    settings.variation, settings.variation_seed = request.variation, request.variation_seed
    template, settings.template_image = request.template, None
    if template is None or template.region is Region.TILE:  # the panel makes all of a set at once
        return ""
    try:
        settings.template_image = _kept(result, TEMPLATE, template.source if own else "", template.source_recipe)
        settings.mask = _kept(result, MASK, template.mask if own else "") if template.mask else None
    except UserError:
        return rpt_("Its template image is not here. Choose one.")
    settings.region = template.region.value  # before the strength, which it changes
    settings.strength, settings.fit = template.strength, template.fit.value
    settings.make_tileable, settings.keep_edges = template.tileable, template.keep_edges
    settings.cover, settings.feather, settings.wear_amount = template.cover, template.feather, template.amount
    return ""


def _restore_guides(settings: TILEWRIGHT_PG_settings, guides: Guides, own: bool, result: Result | None) -> str:
    """ControlNets and style; a sentence where a part of them is not here, or "".

    Which files they are is only taken from the user's own history, as it is with models.
    """
    settings.controls.clear()
    settings.style_picture = None
    if not own:
        note = rpt_("Pictures guided it (ControlNet, IP-Adapter). Choose those under Guide Pictures.")
        return note if guides else ""
    missing = [
        Path(path).name
        for path in (*(control.model for control in guides.controls), *([guides.style.file] if guides.style else []))
        if not os.path.exists(path)
    ]
    pictures: list[bpy.types.Image | None] = []
    for place, path in enumerate(guides.pictures):
        try:
            pictures.append(_kept(result, f"{GUIDE}{place + 1}", path))
        except UserError:
            missing.append(Path(path).name)
            pictures.append(None)
    for control, picture in zip(guides.controls, pictures, strict=False):
        settings.controls.add().set_to(control, picture)
    if guides.style:
        settings.style_file, settings.style_encoder = guides.style.file, guides.style.encoder
        settings.style_picture, settings.style_strength = pictures[-1], guides.style.strength
        if settings.style_picture is None:
            return rpt_("Its style picture is not here. Choose one under Guide Pictures.")
    if missing:
        return rpt_("What guided it is not here: {names}. Choose it under Guide Pictures.").format(
            names=", ".join(missing)
        )
    return ""


def _kept(result: Result | None, kind: str, source: str, recipe: str = "") -> bpy.types.Image:
    """The image of the copy beside the result, or of the file itself. Raises `UserError`."""
    if result is not None and kind in result.files:
        return images.load_kept(result, kind, recipe)
    return images.load_file(source)


def _is_known(model: str, chosen: str) -> bool:
    return model in (STARTER, chosen) or any(model == name for name, _place in models.candidates(model))


class Again(reporting.Operator):
    """What operators share that generate from a result."""

    @classmethod
    def problem(cls, context: bpy.types.Context) -> UserError | None:
        return None if context.scene else reporting.NO_SCENE

    def submit(self, context: bpy.types.Context, request: TextureRequest) -> None:
        job = generation.submit(context, request)
        if bpy.app.background:
            generation.wait(job)


class TILEWRIGHT_OT_restore_settings(reporting.Operator):
    """Bring back the prompt and all settings of this texture, so Generate makes it again"""

    bl_idname = "tilewright.restore_settings"
    bl_label = "Restore Settings"
    bl_options = {"REGISTER", "UNDO"}

    result: StringProperty(description="The result's folder in the history", options={"SKIP_SAVE", "HIDDEN"})
    image: StringProperty(description="Or the name of an image in this file", options={"SKIP_SAVE", "HIDDEN"})
    filepath: StringProperty(
        description="Or a PNG made by Tilewright", subtype="FILE_PATH", options={"SKIP_SAVE", "HIDDEN"}
    )

    @classmethod
    def problem(cls, context: bpy.types.Context) -> UserError | None:
        return None if context.scene else reporting.NO_SCENE

    def act(self, context: bpy.types.Context) -> None:
        recipe = self.find(context)
        if recipe is None:
            raise UserError(ErrorKind.REQUEST, rpt_("This picture has no Tilewright recipe."))
        result = browse.result(self.result) if self.result else None
        note = restore(settings_of(context.scene), recipe, own=bool(result), result=result)
        self.report({"WARNING" if note else "INFO"}, note or rpt_("Settings restored."))

    def find(self, context: bpy.types.Context) -> Recipe | None:
        if self.result:
            return browse.result(self.result).recipe
        if self.filepath:
            return of_file(Path(bpy.path.abspath(self.filepath)))
        image = bpy.data.images.get(self.image) if self.image else image_at_hand(context)
        if image is None:
            raise UserError(ErrorKind.REQUEST, rpt_("There is no image to take the settings from."))
        return of_image(image)


def image_at_hand(context: bpy.types.Context) -> bpy.types.Image | None:
    """The image that an Image Editor shows, or that the active node of a Shader Editor has."""
    node = getattr(context, "active_node", None)
    return getattr(context, "edit_image", None) or getattr(node, "image", None)


class TILEWRIGHT_OT_variations(Again):
    """Make more textures like this one: near it, or with other seeds"""

    bl_idname = "tilewright.variations"
    bl_label = "Variations"

    result: StringProperty(description="The result's folder in the history", options={"SKIP_SAVE", "HIDDEN"})
    amount: FloatProperty(
        name="Amount",
        description="How far from this one: 0.1 to 0.4 stay near, 1 takes other seeds",
        subtype="FACTOR",
        default=1.0,
        min=0.01,
        max=1.0,
        options={"SKIP_SAVE"},
    )
    count: IntProperty(
        name="Count", description="How many", default=4, min=1, max=properties.MAX_COUNT, options={"SKIP_SAVE"}
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> reporting.Outcome:
        return self.attempt(lambda: self.ask(context))

    def ask(self, context: bpy.types.Context) -> reporting.Outcome:
        ways.again(browse.result(self.result))  # what is wrong is said before anything is asked for
        if not self.properties.is_property_set("amount"):
            self.amount = _NEAR
        return context.window_manager.invoke_props_dialog(self, confirm_text=iface_("Generate"))

    def act(self, context: bpy.types.Context) -> None:
        result = browse.result(self.result)
        if self.amount < 1:
            wanted = ways.varied(result, decimal(self.amount), new_seed(), self.count)
        else:
            wanted = replace(ways.again(result), seed=new_seed(), count=self.count, variation=0.0)
        self.submit(context, wanted)


class TILEWRIGHT_OT_generate_again(Again):
    """Make the same recipe at another size. Same seed, but the picture will differ"""

    bl_idname = "tilewright.generate_again"
    bl_label = "Generate at Another Size"

    result: StringProperty(description="The result's folder in the history", options={"SKIP_SAVE", "HIDDEN"})
    width: IntProperty(
        name="Width",
        description="Pixels from left to right, a multiple of 64",
        default=1024,
        min=MIN_SIDE,
        max=MAX_SIDE,
        step=GRID,
        subtype="PIXEL",
    )
    height: IntProperty(
        name="Height",
        description="Pixels from bottom to top, a multiple of 64",
        default=1024,
        min=MIN_SIDE,
        max=MAX_SIDE,
        step=GRID,
        subtype="PIXEL",
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> reporting.Outcome:
        return self.attempt(lambda: self.ask(context))

    def ask(self, context: bpy.types.Context) -> reporting.Outcome:
        size = browse.result(self.result).recipe.texture.size
        self.width, self.height = min(2 * size.width, MAX_SIDE), min(2 * size.height, MAX_SIDE)
        return context.window_manager.invoke_props_dialog(self, confirm_text=iface_("Generate"))

    def act(self, context: bpy.types.Context) -> None:
        size = Size(*(max(side // GRID, 1) * GRID for side in (self.width, self.height)))
        self.submit(context, replace(ways.again(browse.result(self.result)), size=size))


class TILEWRIGHT_FH_recipe(bpy.types.FileHandler):
    """A PNG that is dropped onto our panel; elsewhere Blender does with it what it always does."""

    bl_idname = "TILEWRIGHT_FH_recipe"
    bl_label = "Restore Tilewright Settings"
    bl_import_operator = "tilewright.restore_settings"
    bl_file_extensions = ".png"

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        return is_our_panel(context)


def is_our_panel(context: bpy.types.Context) -> bool:
    """Whether the mouse is over our part of a sidebar."""
    region = context.region
    category = getattr(region, "active_panel_category", "") if region is not None and region.type == "UI" else ""
    return bool(category == package.TITLE)


def draw_in_menu(self: bpy.types.Menu, context: bpy.types.Context) -> None:
    """In the submenu of the editors that show one image."""
    image = image_at_hand(context)
    if image is None:
        return
    self.layout.separator()
    self.layout.operator("tilewright.use_as_template").image = image.name
    if facts_of(image).recipe:
        self.layout.operator("tilewright.restore_settings", text="Restore Settings").image = image.name


CLASSES = (
    TILEWRIGHT_OT_restore_settings,
    TILEWRIGHT_OT_variations,
    TILEWRIGHT_OT_generate_again,
    TILEWRIGHT_FH_recipe,
)


def register() -> None:
    TILEWRIGHT_MT_image.append(draw_in_menu)


def unregister() -> None:
    TILEWRIGHT_MT_image.remove(draw_in_menu)
