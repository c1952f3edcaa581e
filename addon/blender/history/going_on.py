# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes on from a result: its seam repaired, larger, grown, worn, or as the next one's template. Imports bpy, core.

Each but the last is a job like those of Generate: it waits in the queue and goes into the material.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import bpy
from bpy.props import EnumProperty, FloatProperty, IntProperty, StringProperty

from ...core import ways
from ...core.errors import ErrorKind, UserError
from ...core.requests.template import USUAL_STRENGTH, Region
from ...core.requests.texture import GRID, MAX_SIDE, MIN_SIDE, Axes, Size, TextureRequest
from ...core.requests.transition import LEAST_WIDTH, MAX_WIDTH
from ...core.results import Result
from ...core.variants import ONE_TILE
from ..common import reporting, state, targets
from ..common.languages import iface_, rpt_
from ..material import color_node, physical_size
from ..material.operators import active_material
from ..pictures import images, sources
from ..settings import properties
from ..settings.properties import facts_of, settings_of
from ..settings.request import decimal, new_seed
from . import browse
from .recipes import Again, is_our_panel

WEAR = ("clean", "worn", "mossy", "dusty", "dirty", "rusty", "wet", "cracked", "scratched", "faded")
_PICTURES = ".png;.jpg;.jpeg;.webp;.bmp;.tga;.tif;.tiff;.exr;.hdr;.psd"


class _OnGenerated(Again):
    """Makes a texture from one. Those with `asked` open a dialog with these properties first."""

    asked: tuple[str, ...] = ()

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> reporting.Outcome:
        if not self.asked:
            return self.execute(context)
        return self.attempt(lambda: self.ask(context))

    def ask(self, context: bpy.types.Context) -> reporting.Outcome:
        self.propose(self.first(context))
        return context.window_manager.invoke_props_dialog(self, confirm_text=iface_("Generate"))

    def propose(self, result: Result) -> None:
        """Set what the dialog opens with. Raises `UserError` where nothing can be made of the result."""
        ways.again(result)

    def draw(self, context: bpy.types.Context) -> None:
        self.layout.use_property_split = True
        self.layout.use_property_decorate = False
        for name in self.asked:
            self.layout.prop(self, name)

    def act(self, context: bpy.types.Context) -> None:
        self.submit(context, self.request(self.first(context)))

    def first(self, context: bpy.types.Context) -> Result:
        """What something is made of. Raises `UserError`."""
        return browse.result(self.result)  # type: ignore[attr-defined]

    def request(self, result: Result) -> TextureRequest:
        """What is made of the result. Raises `UserError`."""
        raise NotImplementedError


def _result_property() -> Any:
    return StringProperty(description="The result's folder in the history", options={"SKIP_SAVE", "HIDDEN"})


def _count_property(default: int) -> Any:
    return IntProperty(
        name="Count", description="How many", default=default, min=1, max=properties.MAX_COUNT, options={"SKIP_SAVE"}
    )


def _strength_property(default: float) -> Any:
    return FloatProperty(
        name="Strength",
        description="Denoising strength: how far the new part goes from what is there",
        subtype="FACTOR",
        default=default,
        min=0.0,
        max=1.0,
        options={"SKIP_SAVE"},
    )


def _side_property(name: str, description: str) -> Any:
    return IntProperty(
        name=name,
        description=description,
        default=1024,
        min=MIN_SIDE,
        max=MAX_SIDE,
        step=GRID,
        subtype="PIXEL",
        options={"SKIP_SAVE"},
    )


class TILEWRIGHT_OT_repair_seam(_OnGenerated):
    """Make a band along the edges anew, so the texture repeats. Everything else keeps its pixels"""

    bl_idname = "tilewright.repair_seam"
    bl_label = "Repair Seam"

    result: _result_property()

    def request(self, result: Result) -> TextureRequest:
        return replace(ways.anew(result, Region.SEAM), seed=new_seed())


class TILEWRIGHT_OT_larger_again(_OnGenerated):
    """Make this texture once more at a larger size, with real detail. Upscale keeps the picture; this adds to it"""

    bl_idname = "tilewright.larger_again"
    bl_label = "Larger Again"
    asked = ("width", "height", "strength")

    result: _result_property()
    width: _side_property("Width", "Pixels from left to right, a multiple of 64")
    height: _side_property("Height", "Pixels from bottom to top, a multiple of 64")
    strength: _strength_property(ways.LARGER_STRENGTH)

    def propose(self, result: Result) -> None:
        width, height = ways.again(result).result_size
        self.width, self.height = min(2 * width, MAX_SIDE), min(2 * height, MAX_SIDE)

    def request(self, result: Result) -> TextureRequest:
        size = Size(*(max(side // GRID, 1) * GRID for side in (self.width, self.height)))
        return ways.larger(result, size, decimal(self.strength))


class TILEWRIGHT_OT_grow(_OnGenerated):
    """Make a larger repeat that keeps this texture in one corner and continues it: fewer repeats are seen"""

    bl_idname = "tilewright.grow"
    bl_label = "Grow"
    asked = ("direction",)

    result: _result_property()
    direction: EnumProperty(
        name="Direction",
        description="Where it grows",
        items=(
            ("XY", "Both", "Twice as wide and high"),
            ("X", "Wider", "Twice as wide"),
            ("Y", "Higher", "Twice as high"),
        ),
        default="XY",
        options={"SKIP_SAVE"},
    )

    def request(self, result: Result) -> TextureRequest:
        grown = ways.grown(result, 2 if "X" in self.direction else 1, 2 if "Y" in self.direction else 1)
        return replace(grown, seed=new_seed())


def _other_materials(self: Any, context: bpy.types.Context, text: str) -> Iterator[str]:
    """Those that show a texture of the history; all of them where the text is one of them."""
    active, names = targets.material_of(context), []
    for material in bpy.data.materials:
        if material != active and not material.is_grease_pencil:
            with suppress(UserError):
                _shown_result(material)
                names.append(material.name)
    yield from (name for name in names if text in names or text.casefold() in name.casefold())


def _shown_result(material: bpy.types.Material) -> Result:
    """Of the history, what a material shows. Raises `UserError`."""
    node = color_node.image_node(material)
    name = facts_of(node.image).result if node is not None and node.image is not None else ""
    if not name:
        words = rpt_("{name} shows no texture of the history.").format(name=material.name)
        raise targets.refusal(words, "Generate one into it.")
    return browse.result(name)


class TILEWRIGHT_OT_transition(_OnGenerated):
    """Make tiles that lead from this texture to another one, and lay them by a mask that you paint"""

    bl_idname = "tilewright.transition"
    bl_label = "Transition"
    asked = ("material", "width", "strength")

    result: _result_property()
    second: StringProperty(description="The other result's folder in the history", options={"SKIP_SAVE", "HIDDEN"})
    material: StringProperty(
        name="Or Material",
        description="Another material: the texture that it shows, at one Tile Size with the active material's",
        search=_other_materials,
        search_options=set(),
        options={"SKIP_SAVE"},
    )
    to: EnumProperty(
        name="To",
        description="The other texture. Those whose tiles have the same size are offered",
        items=lambda self, context: state.current.view.seconds,
        options={"SKIP_SAVE"},
    )
    width: FloatProperty(
        name="Border",
        description="How much of a tile is made anew between both. The rest keeps its pixels",
        subtype="FACTOR",
        default=0.375,
        min=LEAST_WIDTH,
        max=MAX_WIDTH,
        options={"SKIP_SAVE"},
    )
    strength: _strength_property(0.7)

    def first(self, context: bpy.types.Context) -> Result:
        return browse.result(self.result) if self.result else _shown_result(active_material(context))

    def propose(self, result: Result) -> None:
        browse.list_seconds(result)
        if state.current.view.seconds:
            self.to = state.current.view.seconds[0][0]  # the newest

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        names = {item[0]: item[1] for item in state.current.view.seconds}
        if names:
            layout.template_icon_view(self, "to", show_labels=True, scale=6, scale_popup=5)
            text = iface_("To {name}").format(name=names.get(self.to, ""))
            layout.label(text=text, translate=False)
        else:
            layout.label(text="No other texture has tiles of this size", icon="INFO")
        super().draw(context)

    def request(self, result: Result) -> TextureRequest:
        name = self.second or (self.to if self.properties.is_property_set("to") else "")
        other: bpy.types.Material | None = bpy.data.materials.get(self.material)
        if other is None and (self.material or not name):
            raise UserError(ErrorKind.REQUEST, "No second texture is chosen.", "Choose one of the history.")
        second = _shown_result(other) if other is not None else browse.result(name)
        widths, active = None, targets.material_of(bpy.context)
        if other is not None and active is not None and not self.result:
            widths = (physical_size.scale_of(active).tile_size, physical_size.scale_of(other).tile_size)
        settings = {"width": decimal(self.width), "strength": decimal(self.strength)}
        made = ways.transition(result, second, widths, **settings)
        return replace(made, seed=new_seed())


def _search_wear(self: Any, context: bpy.types.Context, text: str) -> Iterator[str]:
    yield from (word for word in WEAR if text.casefold() in word)


class TILEWRIGHT_OT_wear(_OnGenerated):
    """Wear this texture in its hollows and edges. The results tile with this one and each other: mix them on a wall"""

    bl_idname = "tilewright.wear"
    bl_label = "Wear"
    asked = ("words", "amount", "strength", "count")

    result: _result_property()
    words: StringProperty(
        name="Looks",
        description="How it looks where it wears: goes before the prompt",
        default="mossy",
        search=_search_wear,
        search_options={"SUGGESTION"},
        options={"SKIP_SAVE"},
    )
    amount: FloatProperty(
        name="Amount",
        description="Share of the picture that wears",
        subtype="FACTOR",
        default=0.5,
        min=0.0,
        max=1.0,
        options={"SKIP_SAVE"},
    )
    strength: _strength_property(USUAL_STRENGTH[Region.WEAR])
    count: _count_property(3)

    def request(self, result: Result) -> TextureRequest:
        shares = {"amount": decimal(self.amount), "strength": decimal(self.strength)}
        wanted = ways.anew(result, Region.WEAR, keep_edges=True, **shares)
        prompt = f"{self.words.strip()} {wanted.prompt}".strip()
        return replace(wanted, prompt=prompt, seed=new_seed(), count=self.count)


def _place_property(name: str) -> Any:
    return IntProperty(name=name, description="Counted from the top left", default=1, min=1, soft_max=4, max=16)


class TILEWRIGHT_OT_tile_anew(_OnGenerated):
    """Make one tile of this set anew. It fits where it did, and all others stay as they are"""

    bl_idname = "tilewright.tile_anew"
    bl_label = "One Tile Anew"
    asked = ("column", "row")

    result: _result_property()
    column: _place_property("Column")
    row: _place_property("Row")

    def propose(self, result: Result) -> None:
        ways.tile_anew(result, 0, 0, seed=0)

    def draw(self, context: bpy.types.Context) -> None:
        sheet = browse.result(self.result).recipe.sheet
        self.layout.template_icon(icon_value=browse.icon(self.result), scale=8)
        words = iface_("Columns: {columns}, rows: {rows}").format(columns=sheet.columns, rows=sheet.rows)
        self.layout.label(text=words, translate=False)
        super().draw(context)

    def request(self, result: Result) -> TextureRequest:
        return ways.tile_anew(result, self.column - 1, self.row - 1, new_seed())


class TILEWRIGHT_OT_use_as_template(reporting.Operator):
    """Start the next texture from this picture"""

    bl_idname = "tilewright.use_as_template"
    bl_label = "Use as Template"
    bl_options = {"REGISTER", "UNDO"}

    result: StringProperty(description="The result's folder in the history", options={"SKIP_SAVE", "HIDDEN"})
    image: StringProperty(description="Or the name of an image in this file", options={"SKIP_SAVE", "HIDDEN"})
    filepath: StringProperty(description="Or a picture's file", subtype="FILE_PATH", options={"SKIP_SAVE", "HIDDEN"})

    @classmethod
    def problem(cls, context: bpy.types.Context) -> UserError | None:
        return None if context.scene else reporting.NO_SCENE

    def act(self, context: bpy.types.Context) -> None:
        image: Any = self.find()
        if error := sources.problem(image):
            raise error
        settings = settings_of(context.scene)
        settings.template_image = image
        if not settings.prompt.strip():
            recipe = properties.readable_recipe_of(image)
            settings.prompt = recipe.request.prompt if recipe else ""
        self.report({"INFO"}, rpt_("Generate starts from {name} now.").format(name=image.name))

    def find(self) -> bpy.types.Image:
        if self.filepath:
            return images.load_file(bpy.path.abspath(self.filepath))
        if self.image:
            image: bpy.types.Image | None = bpy.data.images.get(self.image)
            if image is None:
                raise UserError(ErrorKind.REQUEST, rpt_("There is no image {name}.").format(name=repr(self.image)))
            return image
        name = self.result or state.current.view.selected
        if not name:
            raise UserError(ErrorKind.REQUEST, "There is no texture yet.", "Generate one.")
        return images.load(browse.result(name))


class TILEWRIGHT_FH_template(bpy.types.FileHandler):
    """A picture that is dropped onto our panel. For a PNG Blender asks whether its settings are meant, or itself."""

    bl_idname = "TILEWRIGHT_FH_template"
    bl_label = "Use as Tilewright Template"
    bl_import_operator = "tilewright.use_as_template"
    bl_file_extensions = _PICTURES

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        return is_our_panel(context)


class TILEWRIGHT_MT_going_on(bpy.types.Menu):
    bl_idname = "TILEWRIGHT_MT_going_on"
    bl_label = "Make More"

    def draw(self, context: bpy.types.Context) -> None:
        layout, name = self.layout, state.current.view.selected
        entry = browse.selected()
        layout.operator("tilewright.use_as_template", icon="IMAGE_REFERENCE").result = name
        if entry is None or not entry.result.recipe.request.is_sampled:
            return
        layout.separator()
        layout.operator("tilewright.variations", text="Variations...").result = name
        layout.operator("tilewright.larger_again", text="Larger Again...").result = name
        layout.operator("tilewright.grow", text="Grow...").result = name
        layout.operator("tilewright.wear", text="Wear...").result = name
        layout.operator("tilewright.transition", text="Transition...").result = name
        if entry.result.recipe.sheet != ONE_TILE and entry.result.recipe.texture.transition is None:
            layout.operator("tilewright.tile_anew", text="One Tile Anew...").result = name
        if entry.result.recipe.request.axes is not Axes.NONE:
            layout.operator("tilewright.repair_seam").result = name
        layout.operator("tilewright.generate_again", text="Generate at Another Size...").result = name


CLASSES = (
    TILEWRIGHT_OT_repair_seam,
    TILEWRIGHT_OT_larger_again,
    TILEWRIGHT_OT_grow,
    TILEWRIGHT_OT_wear,
    TILEWRIGHT_OT_transition,
    TILEWRIGHT_OT_tile_anew,
    TILEWRIGHT_OT_use_as_template,
    TILEWRIGHT_FH_template,
    TILEWRIGHT_MT_going_on,
)
