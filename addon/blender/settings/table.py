# SPDX-License-Identifier: GPL-3.0-or-later
"""Every setting of a texture, and where else it has to be. No bpy here; imports nothing of ours.

tests/blender/test_settings.py walks this table: a setting that is missing in one of the places fails there.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Setting:
    """One property of `scene.tilewright`.

    field: of the `TextureRequest` that it sets, and that a recipe restores; "" if it sets none by itself.
    option: of `generate` on the command line; "" if it has none there.
    preset: whether presets keep it.
    """

    name: str
    field: str = ""
    option: str = ""
    preset: bool = True


# In the order in which presets set them: the model goes before the scheduler, which has to fit it.
SETTINGS = (
    Setting("prompt", "prompt", "--prompt"),
    Setting("template", "", "--template"),  # becomes part of the prompt
    Setting("negative_prompt", "negative_prompt", "--negative"),
    Setting("width", "size", "--size"),
    Setting("height", "size", "--size"),
    Setting("steps", "steps", "--steps"),
    Setting("guidance_scale", "guidance_scale", "--guidance"),
    Setting("seed", "seed", "--seed", preset=False),
    Setting("use_random_seed", "", "--seed", preset=False),  # on the command line: no --seed
    Setting("count", "count", "--count", preset=False),
    Setting("variants", "variants", "--variants", preset=False),
    Setting("detail", "detail", "--detail"),
    Setting("tiling", "axes", "--tile"),
    Setting("upscale", "finish.upscale", "--upscale"),
    Setting("upscaler", "finish.upscaler", "--upscaler"),
    Setting("maps", "finish.maps", "--maps"),
    Setting("map_kinds", "finish.maps", "--maps"),
    Setting("map_networks", "finish.map_networks", "--map-networks"),
    Setting("kind", "finish.kind", "--kind"),
    Setting("delight", "finish.delight", "--delight"),
    Setting("invert_relief", "finish.invert_relief", "--invert-relief"),
    Setting("model", "model", "--model"),
    Setting("vae", "vae", "--vae"),
    Setting("parts", "parts", "--parts"),
    Setting("scheduler", "scheduler", "--scheduler"),
    Setting("sigmas", "sigmas", "--sigmas"),
    Setting("loras", "extras.loras", "--lora"),
    Setting("embeddings", "extras.embeddings", "--embedding"),
    Setting("clip_skip", "extras.clip_skip", "--clip-skip"),
    Setting("variation", "variation", "--variation", preset=False),
    Setting("variation_seed", "variation_seed", "--variation-seed", preset=False),
    # What is done with a picture is of that picture, which presets do not have.
    Setting("template_image", "template.source", "--template-image", preset=False),
    Setting("region", "template.region", "--region", preset=False),  # before the strength, which it changes
    Setting("strength", "template.strength", "--strength", preset=False),
    Setting("fit", "template.fit", "--fit", preset=False),
    Setting("make_tileable", "template.tileable", "--tileable", preset=False),
    Setting("mask", "template.mask", "--mask", preset=False),
    Setting("cover", "template.cover", "--no-cover", preset=False),
    Setting("feather", "template.feather", "--feather", preset=False),
    Setting("wear_amount", "template.amount", "--wear-amount", preset=False),
    Setting("keep_edges", "template.keep_edges", "--keep-edges", preset=False),
    # What guides is of the look that a preset is for; its pictures are kept by their files.
    Setting("controls", "guides.controls", "--control"),
    Setting("style_picture", "guides.style.picture", "--style-picture"),
    Setting("style_file", "guides.style.file", "--style"),
    Setting("style_encoder", "guides.style.encoder", "--style-encoder"),
    Setting("style_strength", "guides.style.strength", "--style-strength"),
    Setting("target", preset=False),  # where the texture goes, not what it is
)
