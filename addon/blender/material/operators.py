# SPDX-License-Identifier: GPL-3.0-or-later
"""What the buttons for a whole material do: read the context, call one function, report. Imports bpy and core."""

from pathlib import Path

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, StringProperty

from ...core.errors import ErrorKind, UserError
from ...core.map_files import DEFAULTS
from ...core.naming import slug
from ...core.requests.texture import MAX_SIDE
from ...core.variants import ONE_TILE
from ..common import preferences, reporting, state, targets
from ..common.languages import rpt_
from ..pictures import sources
from ..settings.properties import settings_of
from . import assets, export_job, export_maps, feeds, map_nodes, old_maps, physical_size, shown, without_repeat


def active_material(context: bpy.types.Context) -> bpy.types.Material:
    """The active object's active material, which can be edited. Raises `UserError`."""
    material = targets.material_of(context)
    if material is None:
        raise targets.refusal("No material is active." if context.object else "No object is active.")
    targets.check_editable(material)
    return material


class OnMaterial(reporting.Operator):
    """An operator on the active material."""

    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def problem(cls, context: bpy.types.Context) -> UserError | None:
        try:
            return cls.problem_with(active_material(context), context)
        except UserError as error:
            return error

    @classmethod
    def problem_with(cls, material: bpy.types.Material, context: bpy.types.Context) -> UserError | None:
        """Why it cannot work on this material."""
        return None


class TILEWRIGHT_OT_fit_to_object(OnMaterial):
    """Scale the texture on the object to its tile size, from the UV map's texel density, and suggest a resolution"""

    bl_idname = "tilewright.fit_to_object"
    bl_label = "Fit to Object"

    texels_per_metre: FloatProperty(
        name="Texels per Meter",
        description="Resolution on the object, in pixels per meter",
        default=512.0,
        min=1.0,
        soft_max=4096.0,
    )
    set_resolution: BoolProperty(
        name="Set Resolution", description="Set the size of the next texture to what that takes", default=True
    )

    def act(self, context: bpy.types.Context) -> None:
        obj, material = context.object, targets.material_of(context)
        settings, metres = settings_of(context.scene), context.scene.unit_settings.scale_length
        factor = int(settings.upscale) if self.set_resolution else 1  # by which Generate enlarges what it makes
        fit = physical_size.propose(obj, material, self.texels_per_metre * metres / factor)
        physical_size.apply(material, fit)
        if self.set_resolution:
            settings.width, settings.height = fit.size.width, fit.size.height
        map_nodes.set_relief(material)
        size = physical_size.scale_of(material).tile_size * metres
        words = rpt_(
            "One tile is {size:g} m on {name}: scale {x:.3g} by {y:.3g}, {pixels} pixels at {density:g} per meter."
        )
        x, y = fit.mapping[0], fit.mapping[1]
        width, height = fit.size.width * factor, fit.size.height * factor
        density = round(width / size)  # what comes of it, since sizes go in steps and have an end
        text = words.format(size=size, name=obj.name, x=x, y=y, pixels=f"{width}x{height}", density=density)
        too_large = MAX_SIDE in (fit.size.width, fit.size.height) and density < 0.9 * self.texels_per_metre
        if too_large:
            text += " " + rpt_("Choose a higher Upscale to get closer to {density:g}.").format(
                density=self.texels_per_metre
            )
        self.report({"WARNING" if too_large else "INFO"}, text)


class TILEWRIGHT_OT_multiply_occlusion(OnMaterial):
    """Multiply ambient occlusion into the color, or take it out again"""

    bl_idname = "tilewright.multiply_occlusion"
    bl_label = "Multiply Occlusion"

    @classmethod
    def problem_with(cls, material: bpy.types.Material, context: bpy.types.Context) -> UserError | None:
        if map_nodes.multiply_node(material) is not None:
            return None
        if map_nodes.occlusion_node(material) is None:
            return targets.refusal(
                rpt_("{name} has no ambient occlusion map from Tilewright.").format(name=material.name)
            )
        principled = shown.principled(material.node_tree)
        if principled is None or not feeds.entry(principled.inputs["Base Color"]).is_linked:
            return targets.refusal(rpt_("Nothing is linked to the Base Color of {name}.").format(name=material.name))
        return None

    def act(self, context: bpy.types.Context) -> None:
        material = targets.material_of(context)
        mix = map_nodes.multiply_node(material)
        if mix is not None:
            map_nodes.unmultiply_occlusion(material, mix)
        else:
            map_nodes.multiply_occlusion(material, map_nodes.occlusion_node(material))


class TILEWRIGHT_OT_lay_without_repeat(OnMaterial):
    """Hide that the texture repeats: draw it in shifted, blended pieces. Press again for the plain tile"""

    bl_idname = "tilewright.lay_without_repeat"
    bl_label = "Lay Without Repeat"

    @classmethod
    def problem_with(cls, material: bpy.types.Material, context: bpy.types.Context) -> UserError | None:
        if without_repeat.is_laid(shown.nodes(material)):
            return None
        images = map_nodes.image_nodes(material, context.object)
        if not images or images[0].image is None:
            return targets.refusal(rpt_("{name} has no texture at its Base Color.").format(name=material.name))
        problem = without_repeat.problem(images)
        return targets.refusal(problem) if problem else None

    def act(self, context: bpy.types.Context) -> None:
        material = targets.material_of(context)
        nodes = shown.nodes(material)
        physical_size.scale_of(material).laid_as_set = False  # from now on it is as the user wants it
        if without_repeat.is_laid(nodes):
            without_repeat.take_out(nodes)
            return
        images = map_nodes.image_nodes(material, context.object)
        without_repeat.check_files(images)
        count = without_repeat.lay(images, material)
        if not count:
            raise targets.refusal(rpt_("The textures of {name} are of one color.").format(name=material.name))
        words = "glTF and USD files get the plain tile. For OBJ and FBX files, turn this off first."
        if without_repeat.sheet_of(images[0].image) != ONE_TILE:
            words = "glTF files get one tile of the set, which repeats. For OBJ and FBX files, turn this off first."
        self.report({"INFO"}, rpt_(words))


class TILEWRIGHT_OT_follow_displacement(OnMaterial):
    """Relink the relief for the material's current displacement method, render engine and coordinates"""

    bl_idname = "tilewright.follow_displacement"
    bl_label = "Update Nodes"

    @classmethod
    def problem_with(cls, material: bpy.types.Material, context: bpy.types.Context) -> UserError | None:
        if not map_nodes.is_outdated(material, context.scene.render.engine, context.object):
            return targets.refusal(
                rpt_("The nodes of {name} already fit its displacement method and coordinates.").format(
                    name=material.name
                )
            )
        return None

    def act(self, context: bpy.types.Context) -> None:
        material = targets.material_of(context)
        note = map_nodes.follow(material, context.scene.render.engine, context.object)
        if note:
            self.report({"INFO"}, note)


class TILEWRIGHT_OT_unlink_old_maps(OnMaterial):
    """Remove the maps of the previous texture from the material. Their images stay in the file"""

    bl_idname = "tilewright.unlink_old_maps"
    bl_label = "Unlink Old Maps"

    @classmethod
    def problem_with(cls, material: bpy.types.Material, context: bpy.types.Context) -> UserError | None:
        if old_maps.find(material):
            return None
        return targets.refusal(rpt_("{name} has no maps of another texture.").format(name=material.name))

    def act(self, context: bpy.types.Context) -> None:
        old_maps.take_out(active_material(context))


class TILEWRIGHT_OT_mark_asset(OnMaterial):
    """Mark the material as an asset with a preview, and its recipe as description"""

    bl_idname = "tilewright.mark_asset"
    bl_label = "Mark as Asset"

    author: StringProperty(name="Author", description="Empty: the one in the preferences", options={"SKIP_SAVE"})
    catalog: StringProperty(
        name="Catalog",
        description="Where the asset browser lists it. Use slashes for nested catalogs",
        default="Tilewright",
        options={"SKIP_SAVE"},  # else the last choice would be asked for again, for another material
    )

    @classmethod
    def problem_with(cls, material: bpy.types.Material, context: bpy.types.Context) -> UserError | None:
        return assets.explain(material)

    def act(self, context: bpy.types.Context) -> None:
        material = targets.material_of(context)
        author, asked = self.author or preferences.get().author, self.properties.is_property_set("catalog")
        note = assets.mark(material, author=author, catalog=self.catalog if asked else None)
        self.report({"INFO"}, f"{rpt_('{name} is now an asset.').format(name=material.name)} {note}".rstrip())


class TILEWRIGHT_OT_export_maps(OnMaterial):
    """Write the material's textures as files, named and packed the way a game engine imports them"""

    bl_idname = "tilewright.export_maps"
    bl_label = "Export Maps"
    bl_options = {"REGISTER"}

    directory: StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE"})
    filter_folder: BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})
    name: StringProperty(
        name="Name", description="Start of the file names. Empty: the material's name", options={"SKIP_SAVE"}
    )
    scheme: EnumProperty(
        name="For",
        description="How files are named, and which maps share one",
        items=[
            ("plain", "Plain", "One file for each map"),
            ("orm", "ORM", "Occlusion, roughness and metallic in one file, as in glTF"),
            ("unity", "Unity", "Metallic, with smoothness in its alpha"),
            ("unreal", "Unreal", "ORM, and a normal map for DirectX"),
            ("godot", "Godot", "ORM, for an ORMMaterial3D"),
        ],
    )
    normal: EnumProperty(
        name="Normal Map",
        description="Which way green points",
        items=[
            ("SCHEME", "Automatic", "As that program expects"),
            ("OPENGL", "OpenGL", "Green is up"),
            ("DIRECTX", "DirectX", "Green is down"),
        ],
    )
    file_format: EnumProperty(
        name="Format",
        description="How the files are written",
        items=[
            ("PNG", "PNG", "As many bits as the maps have"),
            ("PNG8", "PNG, 8 Bits", "256 levels"),
            ("PNG16", "PNG, 16 Bits", "65536 levels"),
            ("EXR", "OpenEXR", "32-bit floats, linear color"),
        ],
    )
    overwrite: BoolProperty(name="Overwrite", description="Replace existing files", options={"SKIP_SAVE"})
    wait: BoolProperty(
        name="Wait",
        description="Return when the files are written. From the file browser they are written in the background",
        default=True,
        options={"HIDDEN", "SKIP_SAVE"},
    )

    @classmethod
    def problem_with(cls, material: bpy.types.Material, context: bpy.types.Context) -> UserError | None:
        if not map_nodes.pictures(material, context.object):
            return targets.refusal(rpt_("{name} has no texture at its Base Color.").format(name=material.name))
        return None

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> reporting.Outcome:
        self.wait = False
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def act(self, context: bpy.types.Context) -> None:
        material = targets.material_of(context)
        wish = export_maps.Wish(
            self.scheme,
            None if self.normal == "SCHEME" else self.normal == "DIRECTX",
            {"PNG8": 8, "PNG16": 16}.get(self.file_format, 0),
            self.file_format == "EXR",
            {**DEFAULTS, **map_nodes.plain_values(material)},
        )
        if not self.directory:
            raise UserError(ErrorKind.REQUEST, "No folder is chosen.", "Choose one.")
        folder = Path(bpy.path.abspath(self.directory))
        pictures = map_nodes.pictures(material, context.object)
        name = slug(self.name or material.name)
        there = [path for path in export_maps.targets(pictures, folder, name, wish) if path.exists()]
        if there and not self.overwrite:
            raise UserError(
                ErrorKind.REQUEST,
                rpt_("{path} already exists.").format(path=there[0]),
                "Turn on Overwrite, or choose another name or folder.",
            )
        if not self.wait and not bpy.app.background:
            if export_job.is_running():
                raise UserError(ErrorKind.REQUEST, "Maps are being exported.", "Wait for them, or cancel that.")
            export_job.start(pictures, folder, name, wish, sources.new_folder())
            return
        files = export_maps.write(pictures, folder, name, wish)
        names = ", ".join(path.name for path in files)
        self.report({"INFO"}, rpt_("In {folder}: {names}.").format(folder=folder, names=names))


class TILEWRIGHT_OT_close_export(reporting.Operator):
    """Cancel the export of maps, or close what is told of it"""

    bl_idname = "tilewright.close_export"
    bl_label = "Close"

    def act(self, context: bpy.types.Context) -> None:
        if export_job.is_running():
            state.current.export.cancel()
        else:
            state.current.export = None


CLASSES = (
    TILEWRIGHT_OT_fit_to_object,
    TILEWRIGHT_OT_multiply_occlusion,
    TILEWRIGHT_OT_lay_without_repeat,
    TILEWRIGHT_OT_follow_displacement,
    TILEWRIGHT_OT_unlink_old_maps,
    TILEWRIGHT_OT_mark_asset,
    TILEWRIGHT_OT_export_maps,
    TILEWRIGHT_OT_close_export,
)
