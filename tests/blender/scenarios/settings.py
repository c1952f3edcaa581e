# SPDX-License-Identifier: GPL-3.0-or-later
"""Every setting of `settings/table.py` is wherever a setting has to be. `CHANGED` names one value for each."""

import traceback
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import bpy
from common import addon, fresh, message_of, write_tensors

CHANGED: dict[str, Any] = {
    "prompt": "mossy bricks",
    "template": "{prompt} of a wall",
    "negative_prompt": "people",
    "width": 128,
    "height": 192,
    "steps": 7,
    "guidance_scale": 3.5,
    "seed": 11,
    "use_random_seed": False,
    "count": 2,
    "variants": "4",
    "detail": "COARSE",
    "tiling": "X",
    "upscale": "2",
    "upscaler": "lanczos",
    "maps": True,
    "map_kinds": {"HEIGHT", "NORMAL"},
    "map_networks": "filter",
    "kind": "METAL",
    "delight": True,
    "invert_relief": True,
    "model": "",  # a folder, which the test makes
    "vae": "",  # a file, which need not be there
    "parts": "",  # as well
    "scheduler": "UNIPC",
    "sigmas": "KARRAS",
    "variation": 0.25,
    "variation_seed": 5,
    "template_image": None,  # an image, as "mask"; `_images` makes both
    "region": "MASK",
    "strength": 0.75,
    "fit": "CROP",
    "make_tileable": False,
    "mask": None,
    "cover": False,
    "feather": 0.125,
    "wear_amount": 0.25,
    "keep_edges": True,
    "loras": [],  # files, which `_files` makes
    "embeddings": [],
    "clip_skip": 2,
    "controls": [
        {
            "model": "",
            "picture": None,
            "kind": "DEPTH",
            "strength": 0.5,
            "start": 0.125,
            "end": 0.75,
            "make_tileable": True,
        }
    ],
    "style_file": "",
    "style_encoder": "",
    "style_picture": None,
    "style_strength": 0.25,
    "target": "NEW_NODE",
}
OPTIONS = {
    "--prompt": CHANGED["prompt"],
    "--template": CHANGED["template"],
    "--negative": CHANGED["negative_prompt"],
    "--size": "128x192",
    "--steps": "7",
    "--guidance": "3.5",
    "--seed": "11",
    "--count": "2",
    "--variants": "4",
    "--detail": "coarse",
    "--tile": "x",
    "--upscale": "2",
    "--upscaler": "lanczos",
    "--maps": "height,normal",
    "--map-networks": "filter",
    "--kind": "metal",
    "--delight": None,  # without a value
    "--invert-relief": None,
    "--model": "",
    "--lora": "",
    "--embedding": "",
    "--clip-skip": "2",
    "--vae": "",
    "--parts": "",
    "--scheduler": "unipc",
    "--sigmas": "karras",
    "--variation": "0.25",
    "--variation-seed": "5",
    "--template-image": "",
    "--region": "mask",
    "--strength": "0.75",
    "--fit": "crop",
    "--tileable": "no",
    "--mask": "",
    "--no-cover": None,  # takes no value
    "--feather": "0.125",
    "--wear-amount": "0.25",
    "--keep-edges": None,
    "--control": "",
    "--style": "",
    "--style-picture": "",
    "--style-encoder": "",
    "--style-strength": "0.25",
}
OF_CONTROL = {
    "--control-picture": "",
    "--control-kind": "depth",
    "--control-strength": "0.5",
    "--control-start": "0.125",
    "--control-end": "0.75",
    "--control-tileable": "yes",
}

FOLDER = Path()


def run_all(model: str, folder: str) -> dict[str, str]:
    """Each rule's name and what went wrong with it, "" if nothing. model: the folder of one."""
    global FOLDER
    FOLDER = Path(folder)
    CHANGED["model"] = OPTIONS["--model"] = model
    CHANGED["vae"] = OPTIONS["--vae"] = str(Path(folder).resolve() / "vae.safetensors")
    CHANGED["parts"] = OPTIONS["--parts"] = str(Path(folder).resolve() / "parts.safetensors")
    outcomes = {}
    for name, rule in [(name, rule) for name, rule in globals().items() if name.startswith("rule_")]:
        fresh()
        try:
            rule(Path(folder))
            outcomes[name.removeprefix("rule_")] = ""
        except Exception:  # noqa: BLE001 - it is passed on
            outcomes[name.removeprefix("rule_")] = traceback.format_exc()
    return outcomes


def _images() -> None:
    """A template and a mask, white in one pixel, as images of files; anew, since each rule begins with a new file."""
    for name, option in (
        ("template_image", "--template-image"),
        ("mask", "--mask"),
        ("style_picture", "--style-picture"),
    ):
        path = FOLDER / f"{name}.png"
        if not path.is_file():
            made = bpy.data.images.new(name, 8, 4, alpha=False)
            made.pixels[:4] = (1.0, 1.0, 1.0, 1.0)
            made.filepath_raw, made.file_format = str(path), "PNG"
            made.save()
            bpy.data.images.remove(made)
        CHANGED[name] = bpy.data.images.load(str(path), check_existing=True)
        OPTIONS[option] = str(path)
    (control,) = CHANGED["controls"]
    control["picture"], OF_CONTROL["--control-picture"] = CHANGED["style_picture"], OPTIONS["--style-picture"]
    for name, option in (("controls", "--control"), ("style_file", "--style"), ("style_encoder", "--style-encoder")):
        OPTIONS[option] = str(FOLDER / f"{name}.safetensors")
        Path(OPTIONS[option]).touch()
        if name != "controls":
            CHANGED[name] = OPTIONS[option]
    control["model"] = OPTIONS["--control"]


def _files() -> None:
    """A LoRA and an embedding, as small as they get."""
    for name, option, weight, tensors in (
        (
            "loras",
            "--lora",
            {"weight": 0.5},
            {"lora_unet_a.lora_down.weight": [1, 1], "lora_unet_a.lora_up.weight": [1, 1]},
        ),
        ("embeddings", "--embedding", {}, {"emb_params": [1, 768]}),
    ):
        path = FOLDER / f"{name}.safetensors"
        write_tensors(path, tensors, {"modelspec.trigger_phrase": "mossy"})
        CHANGED[name] = [{"file": str(path), "sha256": "", **weight}]
        OPTIONS[option] = ":".join([str(path), *map(str, weight.values())])


def _put(settings: Any, name: str, value: Any) -> None:
    if name == "controls":
        settings.controls.clear()
        for values in value:
            control = settings.controls.add()
            for key, of_control in values.items():  # the picture before make_tileable, which it changes
                setattr(control, key, of_control)
    elif name in ("loras", "embeddings"):
        getattr(settings, name).clear()
        for item in value:
            addon("settings.extras").fill(getattr(settings, name).add(), item)
    else:
        setattr(settings, name, value)


def _got(settings: Any, name: str) -> Any:
    if name == "controls":
        return [{key: getattr(control, key) for key in CHANGED[name][0]} for control in settings.controls]
    if name not in ("loras", "embeddings"):
        return getattr(settings, name)
    fields = ("file", "sha256", "weight") if name == "loras" else ("file", "sha256")
    return [{field: getattr(item, field) for field in fields} for item in getattr(settings, name)]


def _asked(settings: Any) -> Any:
    return addon("jobs.generation").asked_for(settings)[0]


def _table() -> Any:
    return addon("settings.table").SETTINGS


def _change() -> Any:
    settings = bpy.context.scene.tilewright
    _images()
    _files()
    for setting in _table():
        _put(settings, setting.name, CHANGED[setting.name])
    return settings


def _unset() -> None:
    for setting in _table():
        bpy.context.scene.tilewright.property_unset(setting.name)


def _value(request: Any, field: str) -> Any:
    for name in field.split("."):
        request = getattr(request, name, None)
    return request


def rule_table_has_every_property(folder: Path) -> None:
    known = set(bpy.context.scene.tilewright.bl_rna.properties.keys()) - {"rna_type", "name"}
    assert known == {setting.name for setting in _table()}


def rule_table_has_every_field_of_the_request(folder: Path) -> None:
    request = _asked(_change())
    whole = {field.name for field in fields(request)} - {"finish", "template", "extras", "guides"}
    whole -= {"transition"}  # of two pictures that are chosen when it is made
    whole |= {f"extras.{field.name}" for field in fields(request.extras)}
    whole |= {f"finish.{field.name}" for field in fields(request.finish)}
    whole |= {f"template.{field.name}" for field in fields(request.template)}
    whole |= {"guides.controls", *(f"guides.style.{field.name}" for field in fields(request.guides.style))}
    # of the files themselves
    whole -= {f"template.{name}" for name in ("sha256", "mask_sha256", "source_recipe")}
    whole -= {"template.tile"}  # of a set, chosen when it is made anew
    whole -= {"guides.style.sha256", "guides.style.fingerprint"}
    assert whole == {setting.field for setting in _table() if setting.field}


def rule_each_property_changes_its_field(folder: Path) -> None:
    whole = _asked(_change())
    settings = bpy.context.scene.tilewright
    for setting in _table():
        if not setting.field or setting.name in ("prompt", "mask", "style_file"):  # which may not be empty
            continue
        settings.property_unset(setting.name)
        if setting.name == "model":  # the starter takes no guides
            settings.property_unset("controls")
            settings.property_unset("style_picture")
        assert _value(_asked(settings), setting.field) != _value(whole, setting.field), setting.name
        _change()


def rule_a_recipe_restores_every_field(folder: Path) -> None:
    settings = _change()
    made = _asked(settings).single(0)
    _unset()
    addon("history.recipes").restore(settings, addon("history.recipes").Recipe(made, ""), own=True)
    assert _asked(settings) == made
    restored = {setting.name for setting in _table() if setting.field} - {"count", "prompt"}
    assert {name: _got(settings, name) for name in restored} == {name: CHANGED[name] for name in restored}
    assert settings.prompt == "mossy bricks of a wall", "with the words of the template"


def rule_a_recipe_of_one_tile_made_anew_restores_its_set(folder: Path) -> None:
    recipes, requests = addon("history.recipes"), addon("settings.request")
    asked = requests.TextureRequest("bricks", variants=4)
    template = requests.Template("/set.png", region=recipes.Region.TILE, strength=1.0)
    settings = bpy.context.scene.tilewright
    recipes.restore(settings, recipes.Recipe(replace(asked, template=template), ""), own=True)
    assert (settings.variants, settings.template_image) == ("4", None)


def rule_a_recipe_of_all_maps_or_none_restores_them(folder: Path) -> None:
    settings = _change()
    settings.map_kinds = set(settings.bl_rna.properties["map_kinds"].enum_items.keys())
    whole = _asked(settings)
    assert len(whole.finish.maps) == len(settings.map_kinds) == 5
    settings.maps = False
    none = _asked(settings)
    assert none.finish.maps == ()
    for request in (whole, none):
        settings.maps, settings.map_kinds = not request.finish.maps, {"NORMAL"}
        recipe = addon("history.recipes").Recipe(request, "")
        addon("history.recipes").restore(settings, recipe, own=True)
        assert settings.maps == bool(request.finish.maps)
        assert len(settings.map_kinds) == 5, "Whole Material makes them all again"


def rule_presets_keep_what_the_table_says(folder: Path) -> None:
    settings = _change()
    assert bpy.ops.tilewright.add_preset(name="All Changed") == {"FINISHED"}
    _unset()
    assert bpy.ops.tilewright.load_preset(filepath=bpy.utils.preset_find("All_Changed", "tilewright")) == {"FINISHED"}
    for setting in _table():
        kept = _got(settings, setting.name) == CHANGED[setting.name]
        assert kept == setting.preset, setting.name


def rule_presets_tell_what_became_of_the_files_they_name(folder: Path) -> None:
    """Nothing is lost: what is gone stays where it was chosen, and what moved among the models is found."""
    settings = _change()
    assert bpy.ops.tilewright.add_preset(name="Named Files") == {"FINISHED"}
    preset = Path(bpy.utils.preset_find("Named_Files", "tilewright"))
    presets = addon("settings.presets")
    assert presets.apply(settings, presets.read(preset)) == ""
    (lora,) = settings.loras
    file, picture = Path(lora.file), Path(CHANGED["style_picture"].filepath)
    write_tensors(file, {"lora_unet_a.lora_down.weight": [2, 1], "lora_unet_a.lora_up.weight": [1, 2]})
    kept = picture.read_bytes()
    picture.write_bytes(kept + b"more")
    said = presets.apply(settings, presets.read(preset))
    assert said == f"Not the same as when the preset was saved: {file.name}, {picture.name}, {picture.name}."
    file.unlink()
    picture.unlink()
    Path(OPTIONS["--control"]).unlink()
    for image in list(bpy.data.images):
        bpy.data.images.remove(image)
    _unset()
    said = presets.apply(settings, presets.read(preset))
    gone = [file.name, picture.name, Path(OPTIONS["--control"]).name, picture.name]
    assert said.startswith(f"Not here: {', '.join(gone)}. The preset's choice is kept"), said
    assert ([item.file for item in settings.loras], settings.loras[0].missing) == ([str(file)], True)
    assert [control.model for control in settings.controls] == [OPTIONS["--control"]]
    assert settings.controls[0].strength == 0.5
    picture.write_bytes(kept)


def rule_presets_keep_pictures_of_this_file_by_name(folder: Path) -> None:
    settings = bpy.context.scene.tilewright
    settings.controls.add().picture = bpy.data.images.new("drawn", 8, 8)
    settings.controls[0].make_tileable = True
    assert bpy.ops.tilewright.add_preset(name="Drawn") == {"FINISHED"}
    settings.controls.clear()
    presets = addon("settings.presets")
    values = presets.read(Path(bpy.utils.preset_find("Drawn", "tilewright")))
    assert presets.apply(settings, values) == ""
    (control,) = settings.controls
    assert (control.picture.name, control.make_tileable) == ("drawn", True)
    bpy.data.images.remove(control.picture)
    assert presets.apply(settings, values).startswith("Not here: drawn.")


def rule_old_presets_load(folder: Path) -> None:
    """Written before presets kept the upscaler and the maps' networks, and before there was a choice of maps."""
    old = folder / "old.py"
    lines = ("import bpy", "settings = bpy.context.scene.tilewright", "", 'settings.prompt = "bricks"')
    old.write_text("\n".join([*lines, 'settings.upscale = "4"', "settings.maps = True"]) + "\n", encoding="utf-8")
    settings = bpy.context.scene.tilewright
    settings.map_kinds, settings.upscaler = {"NORMAL"}, "lanczos"
    assert bpy.ops.tilewright.load_preset(filepath=str(old)) == {"FINISHED"}
    assert (settings.prompt, settings.upscale, settings.maps) == ("bricks", "4", True)
    assert len(settings.map_kinds) == 5, "it meant all maps"
    assert settings.upscaler == "lanczos", "what it does not say stays"


def rule_presets_hold_no_other_sets(folder: Path) -> None:
    for text in ('settings.map_kinds = {"NORMAL", 1}', 'settings.map_kinds = set("abc")', "settings.prompt = {1: 2}"):
        file = folder / "hostile.py"
        file.write_text(text, encoding="utf-8")
        assert "is not a Tilewright preset" in message_of(
            lambda file=file: bpy.ops.tilewright.load_preset(filepath=str(file))
        )
    for text in ('settings.map_kinds = {"COLOR"}', 'settings.prompt = {"a"}', "settings.maps = set()"):
        file.write_text(text, encoding="utf-8")
        assert "does not fit" in message_of(lambda file=file: bpy.ops.tilewright.load_preset(filepath=str(file)))
    file.write_text("settings.map_kinds = set()", encoding="utf-8")
    assert bpy.ops.tilewright.load_preset(filepath=str(file)) == {"FINISHED"}
    assert bpy.context.scene.tilewright.map_kinds == set()


def rule_the_command_line_asks_for_the_same(folder: Path) -> None:
    commands = addon("shell.commands")
    assert {setting.option for setting in _table() if setting.option} == set(OPTIONS)
    settings = _change()
    line = [
        "generate",
        "--output",
        str(folder),
        *(word for pair in (OPTIONS | OF_CONTROL).items() for word in pair if word is not None),
    ]
    (wanted,) = commands._requests(commands._parser().parse_args(line))
    assert wanted.request == _asked(settings)


def rule_the_kind_that_the_prompt_names_is_told(folder: Path) -> None:
    settings, read_as = bpy.context.scene.tilewright, addon("settings.request").read_as
    for prompt, kind in (("brushed steel", "METAL"), ("roter Samt", "CLOTH"), ("red", None)):
        settings.prompt = prompt
        assert read_as(settings) == kind, prompt


def rule_an_unknown_kind_is_one_sentence(folder: Path) -> None:
    commands = addon("shell.commands")
    line = ["generate", "--output", str(folder), "--prompt", "wall", "--kind", "metall"]
    try:
        commands._requests(commands._parser().parse_args(line))
        said = ""
    except commands.UserError as error:
        said = str(error)
    assert said.startswith("There is no kind of surface 'metall'. Choose auto, none, stone, "), said


def rule_scripts_set_maps_as_ever(folder: Path) -> None:
    settings = bpy.context.scene.tilewright
    settings.prompt = "bricks"
    settings.maps = True
    kinds = [kind.value for kind in _asked(settings).finish.maps]
    assert kinds == ["height", "normal", "roughness", "metallic", "occlusion"]
