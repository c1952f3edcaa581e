# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in the library of models, offered where it fits, found by name, and told. Runs inside Blender."""

import json
from pathlib import Path
from typing import Any

import bpy
from common import addon, message_of, run_rules, write_tensors
from loras import LARGE, SMALL

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
