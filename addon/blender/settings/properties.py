# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings on the scene, facts on images, what is going on: all that scripts see too. Imports bpy and core."""

from array import array
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import bpy
from bpy.app.handlers import persistent
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from ...core.errors import UserError
from ...core.jobs import Job
from ...core.recipe import Recipe
from ...core.requests.extras import MAX_CLIP_SKIP
from ...core.requests.finish import MapKind
from ...core.requests.guides import MAX_STRENGTH, Control, ControlKind, Style, kind_of
from ...core.requests.template import MAX_FEATHER, USUAL_STRENGTH, Fit, Region, Template
from ...core.requests.texture import (
    GRID,
    MAX_GUIDANCE,
    MAX_SEED,
    MAX_SIDE,
    MAX_STEPS,
    MIN_SIDE,
    STARTER,
    Axes,
    Scheduler,
    Sigmas,
)
from ...core.results import BASE_COLOR, SEAM_THRESHOLD, Result
from ...core.surface_kinds import SurfaceKind
from ...core.torus_fill import looks_cut
from ..common import package, phases, preferences, reporting, state, targets
from ..common.drawing import redraw_sidebars
from ..common.targets import Target
from . import extras, library, models

MAX_COUNT = 64  # textures that one press of the button makes; each becomes an image in the file
NOT_MEASURED = -1.0

TARGET_ITEMS = (
    ("BASE_COLOR", "Base Color", "The image that feeds the material's Base Color; a new one if nothing is linked"),
    ("SELECTED_NODE", "Selected Image Node", "The selected Image Texture node of the material"),
    ("NEW_NODE", "New Node", "A new Image Texture node, linked to nothing"),
)
MAP_ITEMS = (
    (MapKind.HEIGHT.name, "Height", "How high each point is", "NONE", 1),
    (MapKind.NORMAL.name, "Normal", "Surface direction, OpenGL style", "NONE", 2),
    (MapKind.ROUGHNESS.name, "Roughness", "How blurred reflections are", "NONE", 4),
    (MapKind.METALLIC.name, "Metallic", "Where the surface is metal", "NONE", 8),
    (MapKind.OCCLUSION.name, "Ambient Occlusion", "Where little light gets in", "NONE", 16),
)
FIT_ITEMS = (
    (Fit.STRETCH.value, "Stretch", "All of it, scaled to the texture's width and height"),
    (Fit.CROP.value, "Crop", "Its middle, without distortion"),
    (Fit.TILE.value, "Tile", "Repeated, about at its own size"),
)
REGION_ITEMS = (
    (Region.ALL.value, "Everything", "The whole picture; Strength says how far it goes from the image"),
    (Region.MASK.value, "Painted Mask", "What is white in a mask. The rest keeps its pixels"),
    (Region.ALPHA.value, "Transparent Parts", "Where the image is transparent. The rest keeps its pixels"),
    (Region.SEAM.value, "Seam", "A band along the edges, so it repeats. The rest keeps its pixels"),
    (Region.GROW.value, "New Part", "Grow: the image stays in one corner, and the rest is made to go with it"),
    (Region.WEAR.value, "Wear", "Hollows and edges, where dirt, rust and moss begin. The rest keeps its pixels"),
)
KIND_ITEMS = (
    (SurfaceKind.AUTO.value, "Automatic", "What the prompt or the picture's name says"),
    (SurfaceKind.STONE.value, "Stone", "Rock, concrete, plaster, asphalt"),
    (SurfaceKind.MASONRY.value, "Brick, Paving", "Bricks, paving stones, roof tiles"),
    (SurfaceKind.CERAMIC.value, "Ceramic, Glass", "Tiles, porcelain, glass, polished stone"),
    (SurfaceKind.WOOD.value, "Wood", "Planks, parquet, bark"),
    (SurfaceKind.METAL.value, "Metal", "Bare metal: all of it is metallic, unless the words say rusty"),
    (SurfaceKind.PLASTIC.value, "Paint, Plastic", "Paint, also on metal; plastic, rubber, leather"),
    (SurfaceKind.CLOTH.value, "Cloth, Paper", "Fabric, carpet, wallpaper"),
    (SurfaceKind.GROUND.value, "Ground, Plants", "Soil, sand, gravel, grass, leaves, snow"),
    (SurfaceKind.LIQUID.value, "Water, Ice", "Water, ice, slime"),
    (SurfaceKind.NONE.value, "As Seen", "What the networks make of the picture alone"),
)
AUTO = "AUTO"
CONTROL_ITEMS = (
    (AUTO, "By Name", "What the ControlNet's name says"),
    (ControlKind.DEPTH.value, "Depth", "A height or depth map, white is near. Spread from black to white first"),
    (
        ControlKind.NORMAL.value,
        "Normal",
        "A normal map as Blender has it, OpenGL. Turned into what ControlNets learned",
    ),
    (ControlKind.EDGES.value, "Edges", "White lines on black, as Canny and line art"),
    (ControlKind.TILE.value, "Tile", "A color picture: its layout and colors stay, its detail is made anew"),
    (ControlKind.OTHER.value, "As It Is", "Whatever else the ControlNet is made for"),
)
_USUAL: dict[str, Any] = {field.name: field.default for field in fields(Template)}
_USUAL_STYLE: dict[str, Any] = {field.name: field.default for field in fields(Style)}
_MOST_MEASURED = 1 << 25  # pixels; of larger images nobody waits for a guess


def _snap(name: str) -> Callable[[bpy.types.PropertyGroup, bpy.types.Context], None]:
    """An update callback that keeps a side on the grid that every model can make."""

    def update(self: bpy.types.PropertyGroup, context: bpy.types.Context) -> None:
        value = getattr(self, name)
        snapped = min(max(round(value / GRID) * GRID, MIN_SIDE), MAX_SIDE)
        if snapped != value:
            setattr(self, name, snapped)

    return update


def _model_changed(self: Any, context: bpy.types.Context) -> None:
    if models.is_more(self.model):
        self.model = state.current.model_before or STARTER
        if not bpy.app.background:
            # not from here: Blender is in the middle of a popup
            bpy.app.timers.register(_show_preferences, first_interval=0.0)
        return
    info = models.try_resolve(self.model)
    if info and not info.alone:
        self.parts = ""
    # a value that is no longer offered would read as empty
    if info and self.get_scheduler() not in info.schedulers:
        self.scheduler = Scheduler.MODEL.value
    _scheduler_changed(self, context)


def _scheduler_changed(self: Any, context: bpy.types.Context) -> None:
    info = models.try_resolve(self.model)
    if info and self.sigmas not in info.sigmas(self.get_scheduler()):
        self.sigmas = Sigmas.MODEL.value


def _template_changed(self: Any, context: bpy.types.Context) -> None:
    if self.template_image is not None:
        self.make_tileable = is_cut(self.template_image)
    redraw_sidebars()  # the box has more lines now, or fewer


def is_cut(image: bpy.types.Image) -> bool:
    """Whether the image needs to be made tileable, as far as that can be told at once: its recipe, or a guess."""
    recipe, score = readable_recipe_of(image), facts_of(image).seam_score
    if recipe is not None and recipe.request.axes is not Axes.NONE and score >= 0 and not image.is_dirty:
        return score > SEAM_THRESHOLD
    width, height = image.size  # which has Blender read the file
    if not 0 < width * height <= _MOST_MEASURED:
        return True
    source: Any = image.pixels
    pixels = array("f", [0.0]) * len(source)
    source.foreach_get(pixels)
    return looks_cut(pixels, width, height, image.channels)


def _region_changed(self: Any, context: bpy.types.Context) -> None:
    self.strength = USUAL_STRENGTH[Region(self.region)]
    redraw_sidebars()


def _scheduler_items(self: Any, context: bpy.types.Context | None) -> tuple[tuple[str, str, str, int], ...]:
    return models.scheduler_items(self.model if self else STARTER)


def _sigmas_items(self: Any, context: bpy.types.Context | None) -> tuple[tuple[str, str, str, int], ...]:
    return models.sigmas_items(self.model if self else STARTER, self.get_scheduler() if self else "")


def _search_models(self: Any, context: bpy.types.Context, text: str) -> Iterator[tuple[str, str]]:
    state.current.model_before = self.model
    yield from models.candidates(text)


def _search_parts(self: Any, context: bpy.types.Context, text: str) -> Iterator[tuple[str, str]]:
    info = models.peek(self.model)
    yield from models.fitting_parts(info, text) if info else ()


def _show_preferences() -> None:
    bpy.ops.preferences.addon_show(module=package.NAME)


def upscaler_property() -> Any:
    """With what to enlarge; operators on images ask the same."""
    return StringProperty(
        name="Upscaler",
        description=(
            '"starter" or "lanczos", both exactly seamless, or the file of a network (.safetensors), which is measured'
        ),
        default=STARTER,
        subtype="FILE_PATH",
    )


def map_networks_property() -> Any:
    """With what to make maps; operators on images ask the same."""
    return StringProperty(
        name="Networks",
        description='"starter", "filter", or a folder of 1x networks named after their maps',
        default=STARTER,
        subtype="DIR_PATH",
    )


def kind_property(**others: Any) -> Any:
    """What is shown; operators on images ask the same."""
    return EnumProperty(
        name="Kind",
        description="What it is made of: tells how rough and deep it can be, and whether it is metal",
        items=KIND_ITEMS,
        default=SurfaceKind.AUTO.value,
        **others,
    )


def delight_property(**others: Any) -> Any:
    """Whether shading goes first; operators on images ask the same."""
    return BoolProperty(
        name="De-light",
        description="First remove shading from the colors, as photos have it",
        default=False,
        **others,
    )


def invert_relief_property(**others: Any) -> Any:
    """Whether deep becomes high; operators on images ask the same."""
    return BoolProperty(
        name="Invert Relief",
        description="Make high what the maps would make deep, where the texture looks inside out",
        default=False,
        **others,
    )


def _control_model_changed(self: Any, context: bpy.types.Context) -> None:
    models.look(self.model)


def _style_file_changed(self: Any, context: bpy.types.Context) -> None:
    models.look(self.style_file)
    library.look_for_encoder(self.style_file)


def _control_changed(self: Any, context: bpy.types.Context) -> None:
    if self.picture is not None:
        self.make_tileable = is_cut(self.picture)


class TILEWRIGHT_PG_control(bpy.types.PropertyGroup):
    """One of `scene.tilewright.controls`: a ControlNet and the picture that it reads."""

    use: BoolProperty(name="Use", description="Whether it guides the next texture", default=True)
    model: StringProperty(
        name="ControlNet",
        description="A ControlNet for this model: its .safetensors file, or its folder (or the config.json in that)",
        subtype="FILE_PATH",
        update=_control_model_changed,
    )
    picture: PointerProperty(
        type=bpy.types.Image,
        name="Picture",
        description="What the ControlNet reads, stretched to the texture's size. It is only read",
        update=_control_changed,
    )
    kind: EnumProperty(
        name="Shows", description="What the picture shows, and the ControlNet is for", items=CONTROL_ITEMS
    )
    strength: FloatProperty(
        name="Strength",
        description="How strictly the structure is followed",
        default=1.0,
        min=0.0,
        max=MAX_STRENGTH,
        soft_max=1.5,
        step=5,
    )
    start: FloatProperty(
        name="Begins",
        description="From which part of the steps on it guides",
        subtype="FACTOR",
        default=0.0,
        min=0.0,
        max=1.0,
    )
    end: FloatProperty(
        name="Ends",
        description="Up to which part of the steps it guides. Below 1, the detail is free",
        subtype="FACTOR",
        default=1.0,
        min=0.0,
        max=1.0,
    )
    make_tileable: BoolProperty(
        name="Make Tileable",
        description="Make the picture repeat without a seam first. Set by itself when you pick one",
        default=False,
    )

    def get_kind(self) -> ControlKind:
        """What the picture shows, where nobody says by the ControlNet's name."""
        return kind_of(self.model) if self.kind == AUTO else ControlKind(self.kind)

    def set_to(self, control: Control, picture: bpy.types.Image | None) -> None:
        """What a request says, with that image for the picture's file."""
        self.model, self.picture, self.kind = control.model, picture, control.kind.value
        self.strength, self.start, self.end = control.strength, control.start, control.end
        self.make_tileable = control.tileable


class TILEWRIGHT_PG_settings(bpy.types.PropertyGroup):
    """`scene.tilewright`: what the next Generate makes."""

    prompt: StringProperty(name="Prompt", description="What the texture shows, in a few words")
    template: StringProperty(
        name="Template",
        description="Words added around the prompt. {prompt} marks its place; without it, the prompt comes first",
    )
    negative_prompt: StringProperty(name="Negative Prompt", description="What the texture must not show")
    width: IntProperty(
        name="Width",
        description="Pixels from left to right, a multiple of 64",
        default=512,
        min=MIN_SIDE,
        max=MAX_SIDE,
        step=GRID,
        subtype="PIXEL",
        update=_snap("width"),
    )
    height: IntProperty(
        name="Height",
        description="Pixels from bottom to top, a multiple of 64",
        default=512,
        min=MIN_SIDE,
        max=MAX_SIDE,
        step=GRID,
        subtype="PIXEL",
        update=_snap("height"),
    )
    steps: IntProperty(
        name="Steps",
        description="Sampling steps: more take longer and can show more detail. 0: the model's default",
        default=0,
        min=0,
        max=MAX_STEPS,
    )
    guidance_scale: FloatProperty(
        name="Guidance Scale",
        description="How strictly to follow the prompt. 0: the model's default; 1: off",
        default=0.0,
        min=0.0,
        max=MAX_GUIDANCE,
        step=50,
        precision=1,
    )
    seed: IntProperty(
        name="Seed",
        description="The same seed and settings make the same texture",
        default=0,
        min=0,
        max=MAX_SEED,
    )
    use_random_seed: BoolProperty(
        name="Random Seed",
        description="Use a new seed for each texture. It is shown below, so you can keep one you like",
        default=True,
    )
    count: IntProperty(
        name="Count",
        description="How many textures to make, with seeds counting up. The first goes into the material",
        default=1,
        min=1,
        max=MAX_COUNT,
    )
    detail: EnumProperty(
        name="Detail Size",
        description="How large bricks, planks or threads are in the picture. Only for the starter, without a template "
        "image and with one tile",
        items=(
            (
                "FINE",
                "Fine",
                "Half as large: painted at twice the size and shrunk, in four times the time. Sides up to 1024",
            ),
            ("MEDIUM", "Medium", "As the model paints them: the same size in pixels whatever the picture's size"),
            (
                "COARSE",
                "Coarse",
                "Twice as large: painted at half the size and enlarged without a seam. Sides from 128",
            ),
        ),
        default="MEDIUM",
    )
    variants: EnumProperty(
        name="Variants",
        description="How many tiles to make together whose edges fit each other, as one picture. Lay Without Repeat "
        "lays them by chance. Only with Tiling set to Both, without a template image and guide pictures",
        items=(
            ("1", "One Tile", "A tile that fits itself"),
            ("4", "4 Tiles", "They differ left and right"),
            ("8", "8 Tiles", "They differ left and right, two of each"),
            ("16", "16 Tiles", "They differ on all four sides"),
        ),
        default="1",
    )
    variation: FloatProperty(
        name="Variation",
        description="How far to go from the seed's texture to another one. 0.1 to 0.4 stay near, 1 is another seed. "
        "With it, Random Seed changes the variation and keeps the seed",
        subtype="FACTOR",
        default=0.0,
        min=0.0,
        max=1.0,
    )
    variation_seed: IntProperty(
        name="Variation Seed",
        description="Which texture the variation goes toward",
        default=0,
        min=0,
        max=MAX_SEED,
    )
    template_image: PointerProperty(
        type=bpy.types.Image,
        name="Template Image",
        description="A picture to start from, such as a photo. It is only read",
        update=_template_changed,
    )
    strength: FloatProperty(
        name="Strength",
        description="Denoising strength: how far the texture goes from the image. 0: the image itself; 0.3: its layout "
        "and colors; 0.6: its rough shapes; 1: nothing of it",
        subtype="FACTOR",
        default=USUAL_STRENGTH[Region.ALL],
        min=0.0,
        max=1.0,
    )
    fit: EnumProperty(
        name="Fit", description="How an image of another size becomes one of the texture's size", items=FIT_ITEMS
    )
    make_tileable: BoolProperty(
        name="Make Tileable",
        description="Make the image repeat without a seam first. Set by itself when you pick an image",
        default=True,
    )
    region: EnumProperty(
        name="Make Anew",
        description="Which part of the image is made anew",
        items=REGION_ITEMS,
        update=_region_changed,
    )
    mask: PointerProperty(
        type=bpy.types.Image, name="Mask", description="White is made anew, black stays. Paint Mask makes one"
    )
    cover: BoolProperty(
        name="Cover First",
        description="Put what fits from elsewhere in the image over the masked part first, so a scratch is gone and "
        "not only changed",
        default=True,
    )
    feather: FloatProperty(
        name="Feather",
        description="How soft the border of the new part is, as a share of the shorter side. It goes inward: outside, "
        "nothing changes",
        subtype="FACTOR",
        default=_USUAL["feather"],
        min=0.0,
        max=MAX_FEATHER,
        precision=3,
    )
    wear_amount: FloatProperty(
        name="Amount",
        description="Share of the picture that wears",
        subtype="FACTOR",
        default=_USUAL["amount"],
        min=0.0,
        max=1.0,
    )
    keep_edges: BoolProperty(
        name="Keep Edges",
        description="Leave the pixels along the edges as they are, so textures from one image tile with each other",
        default=False,
    )
    controls: CollectionProperty(
        type=TILEWRIGHT_PG_control, name="ControlNets", description="Pictures that guide the structure"
    )
    style_file: StringProperty(
        name="IP-Adapter",
        description="The .safetensors file of an IP-Adapter for this model",
        subtype="FILE_PATH",
        update=_style_file_changed,
    )
    style_encoder: StringProperty(
        name="Image Encoder",
        description="The folder of its image encoder. Empty: the one beside the file",
        subtype="DIR_PATH",
    )
    style_picture: PointerProperty(
        type=bpy.types.Image,
        name="Style Picture",
        description="The texture takes its style, colors and materials. Its middle square is seen",
    )
    style_strength: FloatProperty(
        name="Style Strength",
        description="How much of the picture's style comes in",
        subtype="FACTOR",
        default=_USUAL_STYLE["strength"],
        min=0.0,
        max=1.0,
    )
    tiling: EnumProperty(
        name="Tiling",
        description="Directions in which the texture repeats without a seam",
        items=(
            ("XY", "Both", "Left to right and bottom to top"),
            ("X", "X", "Left to right only, as for a frieze"),
            ("Y", "Y", "Bottom to top only, as for a column"),
            ("NONE", "None", "A plain picture"),
        ),
        default="XY",
    )
    upscale: EnumProperty(
        name="Upscale",
        description="Enlarge each texture afterwards, keeping it seamless and its colors unchanged",
        items=(
            ("1", "Off", "Keep the size"),
            ("2", "2x", "Twice as wide and high"),
            ("4", "4x", "Four times as wide and high"),
            ("8", "8x", "Eight times as wide and high"),
        ),
        default="1",
    )
    upscaler: upscaler_property()
    maps: BoolProperty(
        name="Whole Material",
        description="Also make height, normal, roughness, metallic and occlusion maps, and put them into the material",
        default=False,
    )
    map_kinds: EnumProperty(
        name="Maps",
        description="Which maps Whole Material makes",
        items=MAP_ITEMS,
        default={kind.name for kind in MapKind},
        options={"ENUM_FLAG"},
    )
    map_networks: map_networks_property()
    kind: kind_property()
    invert_relief: invert_relief_property()
    delight: delight_property()
    scheduler: EnumProperty(
        name="Scheduler", description="Sampling method", items=_scheduler_items, default=0, update=_scheduler_changed
    )
    sigmas: EnumProperty(
        name="Sigmas", description="How the noise is spread over the steps", items=_sigmas_items, default=0
    )
    model: StringProperty(
        name="Model",
        description="A model name, a checkpoint (.safetensors), or the folder of a model in diffusers format",
        default=STARTER,
        update=_model_changed,
        search=_search_models,
    )
    loras: CollectionProperty(
        type=extras.TILEWRIGHT_PG_lora,
        name="LoRAs",
        description="Small files that teach the model a style or a subject",
    )
    embeddings: CollectionProperty(
        type=extras.TILEWRIGHT_PG_embedding,
        name="Embeddings",
        description="Textual inversions: files that teach the model a word, for either prompt",
    )
    clip_skip: IntProperty(
        name="Clip Skip",
        description="Which layer of its text encoder the model reads, counted from the end as on model pages: 1 the "
        "last, 2 the one before. 0: the model's own",
        default=0,
        min=0,
        max=MAX_CLIP_SKIP,
    )
    vae: StringProperty(
        name="VAE",
        description="A VAE instead of the model's own: a .safetensors file or a folder. Empty: the model's own",
        subtype="FILE_PATH",
    )
    parts: StringProperty(
        name="Parts From",
        description="For a file with the denoiser alone: a model of the same kind whose text encoders, tokenizers, VAE "
        "and scheduler it takes; its folder or its checkpoint. Empty: one beside the file, or in the list of models",
        search=_search_parts,
    )
    target: EnumProperty(name="Target", description="Where the texture goes", items=TARGET_ITEMS, default="BASE_COLOR")

    def get_maps(self) -> tuple[MapKind, ...]:
        """The maps to make; none while Whole Material is off."""
        return tuple(kind for kind in MapKind if self.maps and kind.name in self.map_kinds)

    def get_scheduler(self) -> str:
        """The scheduler, also one that does not fit the model."""
        return self.scheduler or "unknown"

    def get_sigmas(self) -> str:
        """The sigmas; the model's own where the scheduler has no choice, and the panel shows none."""
        return self.sigmas or Sigmas.MODEL.value


class TILEWRIGHT_PG_image(bpy.types.PropertyGroup):
    """`image.tilewright`: what made an image. `recipe` is the whole of it, the others are for reading."""

    recipe: StringProperty(
        name="Recipe", description="Everything that made this image, as JSON; also stored in its file"
    )
    prompt: StringProperty(name="Prompt")
    seed: IntProperty(name="Seed", min=0, max=MAX_SEED)
    seam_score: FloatProperty(
        name="Seam Score", description="Up to 1.1, no seam is visible. -1: not measured", default=NOT_MEASURED
    )
    seconds: FloatProperty(name="Seconds", description="How long it took")
    model: StringProperty(name="Model")
    result: StringProperty(name="Result", description="Its folder in the results")
    before: PointerProperty(type=bpy.types.Image, name="Before", description="The image this one replaced last")
    kind: StringProperty(name="Kind", description="What it holds: base_color, normal, ...", default=BASE_COLOR)


class TILEWRIGHT_PG_status(bpy.types.PropertyGroup):
    """`window_manager.tilewright`: what is going on, for scripts and pipelines. Nothing is stored here."""

    running: BoolProperty(
        name="Running",
        description="A job is running, or its result is waiting to go into a material",
        get=lambda self: bool(_jobs() or state.current.waiting),
    )
    queued: IntProperty(name="Queued", description="Waiting jobs", get=lambda self: max(len(_jobs()) - 1, 0))
    phase: StringProperty(name="Phase", get=lambda self: _phase())
    progress: FloatProperty(name="Progress", min=0.0, max=1.0, get=lambda self: _jobs()[0].fraction if _jobs() else 0.0)
    error: StringProperty(
        name="Error", description="Why the last job failed", get=lambda self: str(state.current.error or "")
    )
    outcome: StringProperty(
        name="Outcome", description="Where the last result went", get=lambda self: state.current.outcome
    )
    makes: EnumProperty(
        name="Makes",
        description="What Generate makes",
        items=(
            ("COLOR", "Color", "Color only"),
            ("MATERIAL", "Material", "Color plus height, normal, roughness, metallic and occlusion maps"),
        ),
        get=lambda self: int(settings_of(bpy.context.scene).maps),
        set=lambda self, number: _choose_maps(bool(number)),
    )
    result: StringProperty(name="Result", description="Folder of the last result", get=lambda self: _result_folder())


def settings_of(scene: bpy.types.Scene) -> TILEWRIGHT_PG_settings:
    """`scene.tilewright`, with its type: so mypy knows its properties, and which are misspelt."""
    return scene.tilewright  # type: ignore[attr-defined]


def facts_of(image: bpy.types.Image) -> TILEWRIGHT_PG_image:
    """`image.tilewright`, with its type."""
    return image.tilewright  # type: ignore[attr-defined]


def kind_title(kind: SurfaceKind) -> str:
    """What the interface calls a kind of surface, in English."""
    return next(title for value, title, _told in KIND_ITEMS if value == kind)


def chosen_target(context: bpy.types.Context) -> Target:
    """Where the scene's settings have the next texture go. Raises `UserError` where it cannot go there."""
    return targets.choose(context, settings_of(context.scene).target, state.current.document)


def target_problem(context: bpy.types.Context) -> UserError | None:
    """Why it cannot, for greyed buttons."""
    return targets.problem(context, settings_of(context.scene).target) if context.scene else reporting.NO_SCENE


def _choose_maps(wanted: bool) -> None:
    """For this scene, and for new files from now on."""
    settings_of(bpy.context.scene).maps = wanted
    preferences.get().whole_material = wanted


def _jobs() -> list[Job]:
    return list(state.current.session.jobs) if state.current.session else []


def _phase() -> str:
    jobs = _jobs()
    return phases.WORDS[jobs[0].progress.phase] if jobs and jobs[0].progress else ""


def _result_folder() -> str:
    return str(state.current.result.folder) if state.current.result else ""


def describe(image: bpy.types.Image, result: Result, kind: str = BASE_COLOR) -> None:
    """Write onto an image what made it, and which of the result's files it is."""
    facts, recipe = facts_of(image), result.recipe
    facts.kind = kind
    facts.recipe = recipe.dumps()
    facts.prompt = recipe.request.prompt
    facts.seed = recipe.request.seed
    facts.seam_score = NOT_MEASURED if result.seam_score is None else result.seam_score
    facts.seconds = result.seconds
    facts.model = recipe.request.model
    facts.result = result.folder.name


def recipe_of(image: bpy.types.Image) -> Recipe | None:
    """The recipe that an image carries, None where it has none. Raises `UserError` where it cannot be read."""
    text = facts_of(image).recipe
    return Recipe.loads(text) if text else None


def readable_recipe_of(image: bpy.types.Image) -> Recipe | None:
    """The recipe that an image carries, None where it has none that can be read."""
    try:
        return recipe_of(image)
    except UserError:
        return None


def as_source(image: bpy.types.Image) -> str:
    """For `PictureRequest.source_recipe`: the image's recipe, "" where it has none that can be read."""
    recipe = readable_recipe_of(image)
    return recipe.as_source() if recipe else ""


def before_of(image: bpy.types.Image) -> bpy.types.Image | None:
    """The image that this one took the place of, None where it is gone: Blender 5.0 goes on pointing to it then."""
    before = facts_of(image).before
    return next((item for item in bpy.data.images if item == before), None)


CLASSES = (
    TILEWRIGHT_PG_control,
    TILEWRIGHT_PG_settings,
    TILEWRIGHT_PG_image,
    TILEWRIGHT_PG_status,
)

_POINTERS = (
    (bpy.types.Scene, TILEWRIGHT_PG_settings),
    (bpy.types.Image, TILEWRIGHT_PG_image),
    (bpy.types.WindowManager, TILEWRIGHT_PG_status),
)


@persistent
def _on_load(*_: object) -> None:
    """What Generate made last, at first a whole material, is what it makes in a file that says nothing else.

    And what the panel says of the file's models is read again.
    """
    for scene in bpy.data.scenes:
        settings = settings_of(scene)
        if models.is_own(settings.model):
            models.try_resolve(settings.model)
        if models.is_own(bpy.path.abspath(settings.style_file)):
            _style_file_changed(settings, bpy.context)
        for item in (*settings.loras, *settings.embeddings):
            if models.is_own(item.file):
                item.missing = not Path(item.file).is_file()
        if preferences.get().whole_material and not settings.is_property_set("maps"):
            settings.maps = True


def register() -> None:
    for owner, group in _POINTERS:
        owner.tilewright = PointerProperty(type=group)
    if not bpy.app.background:  # what a script gets depends on no choice that was made by hand
        bpy.app.handlers.load_post.append(_on_load)
        bpy.app.timers.register(_on_load, first_interval=0.0)  # the file that is open: no scene is there yet


def unregister() -> None:
    if _on_load in bpy.app.handlers.load_post:
        bpy.app.handlers.load_post.remove(_on_load)
    if bpy.app.timers.is_registered(_on_load):
        bpy.app.timers.unregister(_on_load)
    for owner, _group in reversed(_POINTERS):
        del owner.tilewright
