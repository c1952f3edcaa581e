# SPDX-License-Identifier: GPL-3.0-or-later
"""LoRAs and embeddings in the settings: added, told, removed, restored. Runs inside Blender, in background mode."""

from pathlib import Path
from typing import Any

import bpy
from common import addon, message_of, run_rules, write_tensors

FOLDER = Path()
MODEL = ""
LARGE = {  # two layers as SDXL's text encoders and U-Net have them
    "lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k.lora_down.weight": [4, 2048],
    "lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k.lora_up.weight": [640, 4],
}
SMALL = {
    "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight": [4, 768],
    "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.lora_up.weight": [320, 4],
}


def run_all(model: str, folder: str) -> dict[str, str]:
    global FOLDER, MODEL
    FOLDER, MODEL = Path(folder), model
    deep = FOLDER / "models" / "LoRAs"
    deep.mkdir(parents=True)
    write_tensors(deep / "moss.safetensors", SMALL, {"modelspec.trigger_phrase": "mossy, damp"})
    write_tensors(deep / "large.safetensors", LARGE)
    write_tensors(deep / "sd15_lcm.safetensors", SMALL)
    write_tensors(deep / "EasyMoss.safetensors", {"emb_params": [2, 768]})
    write_tensors(deep / "vae.safetensors", {"decoder.conv_in.weight": [8, 4], "decoder.conv_out.weight": [3, 8]})
    (deep / "broken.safetensors").write_bytes(b"no tensors")
    _preferences().models = str(FOLDER / "models")
    return run_rules(globals())


def _preferences() -> Any:
    return addon("common.preferences").get()


def _settings(**values: Any) -> Any:
    settings = bpy.context.scene.tilewright
    for name, value in {"prompt": "bricks", "model": MODEL, **values}.items():
        setattr(settings, name, value)
    return settings


def _file(name: str) -> Path:
    return FOLDER / "models" / "LoRAs" / f"{name}.safetensors"


def _add(*names: str) -> None:
    for name in names:
        assert bpy.ops.tilewright.add_lora(filepath=str(_file(name))) == {"FINISHED"}


def _asked(settings: Any) -> Any:
    return addon("jobs.generation").asked_for(settings)[0]


def rule_each_file_goes_where_it_belongs_and_is_told() -> None:
    settings = _settings()
    _add("moss", "EasyMoss", "large", "moss")
    assert [item.file for item in settings.loras] == [str(_file("moss")), str(_file("large"))], "each once"
    assert [item.file for item in settings.embeddings] == [str(_file("EasyMoss"))]
    moss, large = settings.loras
    assert (moss.base, moss.words, moss.weight, moss.missing) == ("Stable Diffusion 1.x", "mossy\ndamp", 1.0, False)
    assert large.base == "SDXL"
    asked = _asked(settings).extras
    assert [(lora.file, lora.weight, lora.sha256) for lora in asked.loras] == [
        (str(_file("moss")), 1.0, ""),
        (str(_file("large")), 1.0, ""),
    ]


def rule_several_files_are_added_at_once() -> None:
    settings = _settings()
    names = [{"name": _file(name).name} for name in ("moss", "EasyMoss")]
    assert bpy.ops.tilewright.add_lora(directory=str(_file("moss").parent), files=names) == {"FINISHED"}
    assert (len(settings.loras), len(settings.embeddings)) == (1, 1)


def rule_something_else_is_refused_by_name() -> None:
    settings = _settings()
    for name, said in (("vae", "vae.safetensors is no LoRA and no embedding."), ("broken", "broken.safetensors")):
        assert said in message_of(lambda name=name: bpy.ops.tilewright.add_lora(filepath=str(_file(name))))
    assert len(settings.loras) == 0


def rule_words_go_into_the_prompt_once() -> None:
    settings = _settings(prompt="brick wall, ")
    for _ in range(2):
        assert bpy.ops.tilewright.add_words(words="mossy") == {"FINISHED"}
    assert settings.prompt == "brick wall, mossy"
    settings.prompt = ""
    bpy.ops.tilewright.add_words(words="mossy")
    assert settings.prompt == "mossy"


def rule_files_are_taken_off_the_list() -> None:
    settings = _settings()
    _add("moss", "large", "EasyMoss")
    bpy.ops.tilewright.remove_lora(index=0)
    bpy.ops.tilewright.remove_lora(index=0, embedding=True)
    assert [item.file for item in settings.loras] == [str(_file("large"))]
    assert len(settings.embeddings) == 0


def rule_a_name_alone_is_looked_for_among_the_models() -> None:
    settings = _settings()
    settings.loras.add().file = "moss.safetensors"
    assert settings.loras[0].base == "Stable Diffusion 1.x"
    assert _asked(settings).extras.loras[0].file == str(_file("moss"))


def rule_the_starter_is_asked_for_none() -> None:
    settings = _settings()
    _add("moss")
    settings.clip_skip = 2
    settings.model = "starter"
    extras = _asked(settings).extras
    assert (extras.loras, extras.clip_skip) == ((), 0)
    assert len(settings.loras) == 1, "the list stays"


def rule_a_lora_for_few_steps_brings_them() -> None:
    settings = _settings()
    before = _asked(settings)
    _add("sd15_lcm")
    request = _asked(settings)
    assert (before.steps, request.steps, request.guidance_scale) == (25, 4, 1.0)
    settings.loras[0].weight = 0.0
    assert _asked(settings).steps == 25


def _restored(recipe: Any, own: bool) -> str:
    settings = bpy.context.scene.tilewright
    settings.loras.clear()
    settings.embeddings.clear()
    settings.clip_skip = 0
    return str(addon("history.recipes").restore(settings, recipe, own=own))


def _recipe(*files: str) -> Any:
    extras, request = addon("settings.extras"), addon("settings.request")
    loras = tuple(extras.Lora(file, "0123456789", 0.5) for file in files)
    asked = request.make(prompt="bricks", model=MODEL, extras=extras.Extras(loras, (), 2))
    return addon("history.recipes").Recipe(asked, "")


def rule_a_recipe_brings_files_weights_and_hashes_back() -> None:
    settings = _settings()
    assert _restored(_recipe(str(_file("moss"))), own=True) == ""
    (item,) = settings.loras
    assert (item.file, item.weight, item.sha256, settings.clip_skip) == (str(_file("moss")), 0.5, "0123456789", 2)
    (lora,) = _asked(settings).extras.loras
    assert lora.sha256 == "0123456789", "so the engine can tell whether it is the same file"
    item.file = str(_file("large"))
    assert item.sha256 == "", "another file was chosen"


def rule_a_file_that_moved_is_found_by_its_name() -> None:
    settings = _settings()
    assert _restored(_recipe("/somewhere/else/moss.safetensors"), own=True) == ""
    assert settings.loras[0].file == str(_file("moss"))


def rule_a_file_that_is_not_here_is_told_and_nothing_is_made_without_it() -> None:
    settings = _settings()
    said = _restored(_recipe(str(_file("moss")), "/gone/lost.safetensors"), own=True)
    assert said == "You don't have lost.safetensors. Choose its file, or remove it."
    moss, lost = settings.loras
    assert (moss.missing, lost.missing, lost.file) == (False, True, "lost.safetensors")
    said = message_of(bpy.ops.tilewright.generate)
    assert "lost.safetensors is not here. Choose its file, or remove it." in said
    bpy.ops.tilewright.remove_lora(index=1)
    assert len(_asked(settings).extras.loras) == 1


def rule_of_somebody_elses_recipe_only_names_count() -> None:
    settings = _settings()
    secret = FOLDER / "secret.safetensors"
    write_tensors(secret, SMALL)
    said = _restored(_recipe(str(secret), "\\\\server\\share\\moss.safetensors"), own=False)
    assert said == "You don't have secret.safetensors. Choose its file, or remove it."
    assert [item.file for item in settings.loras] == ["secret.safetensors", str(_file("moss"))]


def rule_the_command_line_finds_names_among_the_models() -> None:
    commands = addon("shell.commands")
    line = ["generate", "--output", str(FOLDER), "--prompt", "wall", "--model", MODEL]
    line += ["--lora", "moss.safetensors:0.5", "--lora", str(_file("large")), "--embedding", "EasyMoss.safetensors"]
    (wanted,) = commands._requests(commands._parser().parse_args(line))
    extras = wanted.request.extras
    assert [(lora.file, lora.weight) for lora in extras.loras] == [
        (str(_file("moss")), 0.5),
        (str(_file("large")), 1.0),
    ]
    assert extras.embeddings[0].file == str(_file("EasyMoss"))
    try:
        commands._requests(commands._parser().parse_args([*line, "--lora", "moss.pt"]))
        said = ""
    except commands.UserError as error:
        said = str(error)
    assert said.startswith("moss.pt is not a .safetensors file")


def rule_a_batch_knows_what_it_made_by_the_files_hashes() -> None:
    key = addon("shell.commands")._key
    recipe = _recipe(str(_file("moss"))).request
    elsewhere = FOLDER / "copy.safetensors"
    elsewhere.write_bytes(_file("moss").read_bytes())
    extras = addon("settings.extras")

    def wish(file: Path, weight: float = 0.5) -> str:
        asked = _recipe(str(file)).request
        lora = extras.Lora(str(file), weight=weight)
        return key(addon("settings.request").replace(asked, extras=extras.Extras((lora,), (), 2)))

    assert wish(_file("moss")) == wish(elsewhere)
    assert wish(_file("moss")) != wish(_file("large"))
    assert wish(_file("moss")) != wish(_file("moss"), 0.6)
    assert key(recipe) != wish(_file("moss")), "its hash is another"
