# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in the library of models, offered where it fits, found by name, and told. Runs inside Blender."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bpy
from common import addon, fresh, made, message_of, pixels, run_rules, wish, write_tensors
from loras import LARGE, SMALL

Story = Iterator[float]

FOLDER = Path()
MODEL = ""


def _net(width: int) -> dict[str, list[int]]:
    """A ControlNet, as far as its header tells."""
    return {
        "controlnet_cond_embedding.conv_in.weight": [16, 3, 3, 3],
        "time_embedding.linear_1.weight": [4, 4],
        "conv_in.weight": [4, 4, 3, 3],
        "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight": [4, width],
    }


def _vae(latents: int) -> dict[str, list[int]]:
    return {"decoder.conv_in.weight": [8, latents, 3, 3], "decoder.conv_out.weight": [3, 8, 3, 3]}


def _adapter(width: int) -> dict[str, list[int]]:
    return {"image_proj.proj.weight": [32, width], "ip_adapter.1.to_k_ip.weight": [32, 768]}


def _encoder(folder: Path, width: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    config = {"architectures": ["CLIPVisionModelWithProjection"], "projection_dim": width}
    (folder / "config.json").write_text(json.dumps(config), encoding="ascii")
    write_tensors(folder / "model.safetensors", {"vision_model.encoder.layers.0.layer_norm1.weight": [8]})
    return folder


def run_all(model: str, folder: str) -> dict[str, str]:
    global FOLDER, MODEL
    FOLDER, MODEL = Path(folder), model
    models = FOLDER / "models"
    (models / "ControlNets" / "canny").mkdir(parents=True)
    config = {"_class_name": "ControlNetModel", "cross_attention_dim": 2048}
    (models / "ControlNets" / "canny" / "config.json").write_text(json.dumps(config), encoding="ascii")
    for name, tensors in {
        "moss": SMALL,
        "Large": LARGE,
        "word": {"emb_params": [2, 768]},
        "ControlNets/depth": _net(768),
        "ControlNets/big depth": _net(2048),
        "four": _vae(4),
        "sixteen": _vae(16),
        "repo/models/style": _adapter(12),
        "alone/lonely": _adapter(20),
        "lost/nothing fits": _adapter(28),
        "one/twin": SMALL,
        "two/twin": SMALL,
        "repo/adapter/pytorch_lora_weights": SMALL,
    }.items():
        (models / name).parent.mkdir(parents=True, exist_ok=True)
        write_tensors(models / f"{name}.safetensors", tensors)
    _encoder(models / "repo" / "models" / "image_encoder", 12)
    _encoder(models / "encoders" / "of another", 20)
    addon("common.preferences").get().models = str(models)
    addon("common.preferences").library().identify()
    addon("install.models")._list()
    return run_rules(globals())


def _settings(**values: Any) -> Any:
    settings = bpy.context.scene.tilewright
    for name, value in {"prompt": "bricks", "model": MODEL, **values}.items():
        setattr(settings, name, value)
    return settings


def _offered(*roles: str) -> list[tuple[str, str]]:
    library = addon("settings.library")
    found = library.picks(tuple(library.Role(role) for role in roles), bpy.context.scene.tilewright.model)
    return [(pick.title, pick.reason) for pick in found]


def _path(name: str) -> Path:
    return FOLDER / "models" / f"{name}.safetensors"


def rule_what_fits_is_offered_first_and_the_rest_with_its_reason() -> None:
    _settings()
    assert _offered("lora", "embedding") == [
        ("adapter", ""),
        ("moss", ""),
        ("twin", ""),
        ("twin", ""),
        ("word", ""),
        ("Large", "for SDXL"),
    ]
    assert _offered("controlnet") == [("depth", ""), ("big depth", "for SDXL"), ("canny", "for SDXL")]
    assert _offered("vae") == [("four", ""), ("sixteen", "16 channels, not 4")]
    assert _offered("ip_adapter") == [("lonely", ""), ("nothing fits", ""), ("style", "")]
    assert {title for title, _reason in _offered("image_encoder")} == {"image_encoder", "of another"}


def rule_all_is_offered_while_the_model_is_not_known() -> None:
    assert "for SDXL" not in dict(_offered("lora")).values()


def rule_what_is_picked_goes_where_it_belongs() -> None:
    settings = _settings()
    pick = bpy.ops.tilewright.pick_file
    assert pick(file=str(_path("moss")), role="lora") == {"FINISHED"}
    assert pick(file=str(_path("word")), role="embedding") == {"FINISHED"}
    assert pick(file=str(_path("four")), role="vae") == {"FINISHED"}
    assert pick(file=str(_path("repo/models/style")), role="ip_adapter") == {"FINISHED"}
    assert pick(file=str(FOLDER), role="image_encoder") == {"FINISHED"}
    assert "There is no such control." in message_of(lambda: pick(file=str(_path("moss")), role="controlnet", index=0))
    settings.controls.add()
    settings.controls.add()
    assert pick(file=str(_path("ControlNets/depth")), role="controlnet", index=1) == {"FINISHED"}
    assert [item.file for item in settings.loras] == [str(_path("moss"))]
    assert [item.file for item in settings.embeddings] == [str(_path("word"))]
    assert [control.model for control in settings.controls] == ["", str(_path("ControlNets/depth"))]
    assert (settings.vae, settings.style_encoder) == (str(_path("four")), str(FOLDER))


def rule_an_adapter_tells_which_encoder_it_takes() -> None:
    settings, told = _settings(), addon("settings.told")
    kinds = addon("settings.library").kinds
    place = FOLDER / "models"
    for name, encoder in (
        ("repo/models/style", place / "repo" / "models" / "image_encoder"),
        ("alone/lonely", place / "encoders" / "of another"),
        ("lost/nothing fits", None),
    ):
        settings.style_file = file = str(_path(name))
        assert told.encoder(file) == encoder, name
        said = told.sentence(kinds.look(_path(name)), file)
        assert ("also needs" in said) == (encoder is None), said
    entries = {entry.title: entry for entry in addon("common.preferences").library().entries()}
    assert entries["style"].encoder == place / "repo" / "models" / "image_encoder"
    assert entries["lonely"].encoder is None, "not beside it"


def rule_an_encoder_elsewhere_is_named_to_the_engine_and_one_beside_is_not() -> None:
    elsewhere = addon("settings.library").elsewhere
    assert elsewhere(_path("repo/models/style")) == ""
    assert elsewhere(_path("alone/lonely")) == str(FOLDER / "models" / "encoders" / "of another")
    assert elsewhere(_path("lost/nothing fits")) == ""
    assert elsewhere(_path("moss")) == ""


def rule_names_stand_for_files_whatever_their_case_and_place() -> None:
    library = addon("settings.library")
    lora, vae, net = library.Role.LORA, library.Role.VAE, library.Role.CONTROLNET
    assert library.by_name("MOSS", lora) == _path("moss")
    assert library.by_name("moss.safetensors", lora) == _path("moss")
    assert library.by_name("moss", vae) is None, "it is none"
    assert library.by_name("canny", net) == FOLDER / "models" / "ControlNets" / "canny"
    assert library.by_name("", lora) is None
    try:
        library.by_name("twin", lora)
        said = ""
    except library.UserError as error:
        said = error.message
    assert said.startswith("twin stands for several files: ")
    assert str(_path("one/twin")) in said


def rule_the_command_line_takes_names() -> None:
    commands = addon("shell.commands")
    picture = bpy.data.images.new("picture", 8, 8)
    picture.filepath_raw, picture.file_format = str(FOLDER / "picture.png"), "PNG"
    picture.save()
    line = ["generate", "--output", str(FOLDER), "--prompt", "wall", "--model", MODEL, "--lora", "moss:0.5"]
    line += [
        "--embedding",
        "word",
        "--vae",
        "four",
        "--control",
        "depth",
        "--control-picture",
        str(FOLDER / "picture.png"),
    ]
    line += ["--style", "lonely", "--style-picture", str(FOLDER / "picture.png")]
    (wanted,) = commands._requests(commands._parser().parse_args(line))
    request = wanted.request
    assert [(lora.file, lora.weight) for lora in request.extras.loras] == [(str(_path("moss")), 0.5)]
    assert request.extras.embeddings[0].file == str(_path("word"))
    assert request.vae == str(_path("four"))
    assert [(control.model, control.kind) for control in request.guides.controls] == [
        (str(_path("ControlNets/depth")), "DEPTH")
    ]
    assert request.guides.style.file == str(_path("alone/lonely"))
    encoder = str(FOLDER / "models" / "encoders" / "of another")
    assert request.guides.style.encoder == encoder
    assert f"The image encoder is {encoder}." in wanted.notes
    (wanted,) = commands._requests(commands._parser().parse_args([*line, "--style-encoder", "of another"]))
    assert (wanted.request.guides.style.encoder, wanted.notes) == (encoder, ())


def rule_what_files_are_is_said_in_whole_texts() -> None:
    """Else German would show half of it in English."""
    told, kinds = addon("settings.told"), addon("settings.library").kinds
    german = addon("common.german").TEXTS
    assert sorted(text for text in told.TEXTS if text not in german) == []
    for name in ("moss", "Large", "word", "ControlNets/depth", "four", "repo/models/style"):
        kind = kinds.look(_path(name))
        key = kind.what
        for value, place in ((kind.base.title if kind.base else "", "{base}"), (str(kind.latents or ""), "{latents}")):
            key = key.replace(value, place) if value else key
        assert key in told.TEXTS, kind.what
        assert told.sentence(kind) == kind.sentence, "in English it is what core says"


def a_lora_from_the_library_at_the_screen(models: str, pictures: str) -> Story:
    """Picked, looked at, used with the real engine, at another weight; then restored where its file is gone."""
    fresh()
    addon("common.preferences").get().models = models
    addon("common.preferences").library().identify()
    addon("install.models")._list()
    settings = wish(prompt="moss", model=str(Path(models) / "tiny"), use_random_seed=False, seed=7, steps=2)
    yield 1.0
    yield from _open_panels()
    bpy.ops.wm.call_menu(name="TILEWRIGHT_MT_loras")
    yield from _photograph(pictures, "1-menu")
    subprocess.run(["xdotool", "key", "Escape"], check=True)
    yield 0.5
    settings.controls.add().model = str(Path(models) / "depth")
    settings.style_file = str(Path(models) / "style" / "ip-adapter.safetensors")
    assert addon("settings.told").encoder(settings.style_file) == Path(models) / "style" / "image_encoder"
    yield from _panel(pictures, "2-guides")
    settings.controls.clear()
    settings.style_file = ""
    titles = [title for title, reason in _offered("lora") if not reason]
    assert titles == ["moss"], _offered("lora")
    pick = bpy.ops.tilewright.pick_file
    assert pick(file=str(Path(models) / "moss.safetensors"), role="lora") == {"FINISHED"}
    (item,) = settings.loras
    assert (item.base, item.words.split()) == ("Stable Diffusion 1.x", ["mossy", "damp"])
    yield from _panel(pictures, "3-picked")
    images = []
    for weight in (1.0, 0.25, 1.0):
        item.weight = weight
        assert bpy.ops.tilewright.generate() == {"FINISHED"}
        yield from _until(lambda: len(made()) > len(images))
        images.append(next(image for image in made() if image not in images))
    one, less, again = map(pixels, images)
    assert one != less, "its weight changes the texture"
    assert one == again
    recipe = addon("settings.properties").recipe_of(images[0])
    assert [(lora.name, lora.weight) for lora in recipe.request.extras.loras] == [("moss.safetensors", 1.0)]
    result = images[1].tilewright.result
    Path(models, "moss.safetensors").unlink()
    settings.loras.clear()
    assert bpy.ops.tilewright.restore_settings(result=result) == {"FINISHED"}
    (item,) = settings.loras
    assert (item.missing, round(item.weight, 6), Path(item.file).name) == (True, 0.25, "moss.safetensors")
    yield from _panel(pictures, "4-missing")
    count = len(made())
    said = message_of(bpy.ops.tilewright.generate)
    assert "moss.safetensors is not here. Choose its file, or remove it." in said, said
    assert len(made()) == count
    return "done"


def _open_panels() -> Story:
    """Show the sidebar with our parts open. Blender keeps whether a panel is open, so they are opened once."""
    area, side = _sidebar()
    area.spaces.active.show_region_ui = True
    yield 1.0
    side.active_panel_category = "Tilewright"
    panels = [getattr(bpy.types, f"TILEWRIGHT_PT_view3d_{one}") for one in ("loras", "model", "guides")]
    for panel in panels:
        bpy.utils.unregister_class(panel)
    for panel in reversed(panels):  # a panel that is new to Blender opens as its options say
        panel.bl_options = set()
        bpy.utils.register_class(panel)
    area.tag_redraw()
    yield 1.0


def _sidebar() -> tuple[Any, Any]:
    (area,) = (area for area in bpy.context.window_manager.windows[0].screen.areas if area.type == "VIEW_3D")
    return area, next(region for region in area.regions if region.type == "UI")


def _panel(folder: str, name: str) -> Story:
    """Photograph the sidebar's beginning and its end."""
    area, side = _sidebar()
    for part, way in (("top", 5000), ("end", -5000)):
        with bpy.context.temp_override(window=bpy.context.window_manager.windows[0], area=area, region=side):
            bpy.ops.view2d.pan(deltax=0, deltay=way)
        area.tag_redraw()
        yield from _photograph(folder, f"{name}-{part}")


def _photograph(folder: str, name: str) -> Story:
    yield 2.0
    # Blender's own screenshot operator gives black under software OpenGL
    subprocess.run(["import", "-window", "root", str(Path(folder) / f"{name}.png")], check=True)


def _until(true: Callable[[], object], seconds: float = 150.0) -> Story:
    end = time.monotonic() + seconds
    while not true():
        error = addon("common.state").current.error
        assert error is None, error
        assert time.monotonic() < end
        yield 0.2
