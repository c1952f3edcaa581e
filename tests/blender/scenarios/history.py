# SPDX-License-Identifier: GPL-3.0-or-later
"""The history in Blender: apply, compare, try on, restore, delete, save. Runs inside Blender, in background mode."""

import hashlib
import json
import os
import shutil
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
from common import PACKAGE, addon, finish, fresh, generate, links, made, message_of, push_undo, start, undo, wish
from common import pixels as pixels_of
from drawing import Layout


def preferences() -> Any:
    return bpy.context.preferences.addons[PACKAGE].preferences


def names() -> list[str]:
    """The results that the panel lists, by the folder's name."""
    return [entry.name for entry in addon("common.state").current.view.found]


def node() -> Any:
    return next(
        node for node in bpy.data.materials["Material"].node_tree.nodes if node.bl_idname == "ShaderNodeTexImage"
    )


def worn() -> str:
    return str(node().image.tilewright.result)


def draw(width: int = 280) -> list[str]:
    """The texts of the selected one and of the history, as both editors draw them."""
    context = SimpleNamespace(
        scene=bpy.context.scene,
        object=bpy.context.object,
        preferences=bpy.context.preferences,
        region=SimpleNamespace(width=width),
        window_manager=bpy.context.window_manager,
        screen=None,
        space_data=None,
    )
    both = []
    for editor in ("view3d", "shader"):
        texts: list[str] = []
        addon("history.selected").draw(Layout(texts), context)
        panel = getattr(bpy.types, f"TILEWRIGHT_PT_{editor}_history")
        panel.draw(SimpleNamespace(layout=Layout(texts)), context)
        both.append(texts)
    assert both[0] == both[1]
    menu: list[str] = []
    bpy.types.TILEWRIGHT_MT_result.draw(SimpleNamespace(layout=Layout(menu)), context)
    return both[0]


def fingerprint() -> str:
    """All that a texture could change in this file, as text."""
    told: list[Any] = []
    for material in bpy.data.materials:
        tree = material.node_tree
        nodes = [
            (item.name, item.bl_idname, tuple(item.location), item.select, getattr(item, "extension", ""))
            + ((item.image.name if item.image else "",) if hasattr(item, "image") else ())
            for item in (tree.nodes if tree else ())
        ]
        active = tree.nodes.active.name if tree and tree.nodes.active else ""
        told.append((material.name, nodes, sorted(links(tree)) if tree else [], active, material.users))
    for image in bpy.data.images:
        before = image.tilewright.before
        # 4.2 counts the images of a material that is copied twice, and does not take that back before the next loading
        users = image.users if bpy.app.version >= (4, 3, 0) else 0
        told.append((image.name, image.filepath, image.use_fake_user, users, before.name if before else ""))
    for obj in bpy.data.objects:
        told.append(
            (obj.name, [(slot.link, slot.material.name if slot.material else "") for slot in obj.material_slots])
        )
    return json.dumps(told, indent=1)


def panel_shows_the_store() -> None:
    wish()
    assert "Reading the results…" in draw()
    bpy.ops.tilewright.history_refresh()
    assert "No textures yet" in draw()
    for prompt in ("red brick", "oak planks", "green grass"):
        generate(prompt=prompt, use_random_seed=False, seed=7)
    texts = draw()
    drawn = [text for text in texts if text in ("red brick", "oak planks", "green grass")]
    assert drawn == ["green grass", "green grass", "oak planks", "red brick"], "the selected one, then all of them"
    assert any(text.startswith("64x64, seed 7, ") for text in texts)

    place = bpy.context.window_manager.tilewright_history
    place.search = "OAK pl"
    assert len(names()) == 1
    assert "oak planks" in draw()
    place.search = "nothing of the kind"
    assert "Nothing found" in draw()
    place.search = ""
    oak = names()[1]
    bpy.ops.tilewright.favourite(result=oak)
    place.which = "FAVOURITES"
    assert names() == [oak]
    bpy.ops.tilewright.favourite(result=oak, favourite=False)
    assert names() == []
    place.which = "ALL"
    assert len(names()) == 3
    bpy.ops.tilewright.select(result=oak)
    assert addon("history.browse").selected().name == oak


def many_results_come_in_pages(count: int) -> None:
    """The files of one result, many times over."""
    generate(prompt="one of many")
    (folder,) = Path(preferences_store()).iterdir()
    text = json.loads((folder / "result.json").read_text())
    for number in range(count):
        copy = folder.with_name(f"copy-{number:04}")
        shutil.copytree(folder, copy)
        (copy / "result.json").write_text(json.dumps(text | {"created": 1000.0 + number}))
    bpy.ops.tilewright.history_refresh()
    begin = time.perf_counter()
    texts = draw()
    assert time.perf_counter() - begin < 0.2
    pages = -(-(count + 1) // addon("history.browse").PAGE)
    assert f"1 of {pages}" in texts
    assert texts.count("one of many") <= addon("history.browse").PAGE + 1
    for _ in range(pages + 3):
        bpy.ops.tilewright.turn_page(step=1)
    assert f"{pages} of {pages}" in draw()
    place = bpy.context.window_manager.tilewright_history
    begin = time.perf_counter()
    place.search = "many"
    assert time.perf_counter() - begin < 0.5
    assert addon("common.state").current.view.page == 0
    for width in (120, 280, 500, 900):
        assert "one of many" in draw(width)


def preferences_store() -> str:
    return str(addon("common.preferences").store_folder())


def result_is_applied_by_its_name() -> None:
    first = generate(prompt="first").tilewright.result
    second = generate(prompt="second").tilewright.result
    assert worn() == second
    push_undo()
    images = len(bpy.data.images)
    assert bpy.ops.tilewright.apply("EXEC_DEFAULT", True, result=first) == {"FINISHED"}
    assert worn() == first
    assert len(bpy.data.images) == images, "an image that is there was loaded once more"
    for name in ("nothing", "../x"):
        assert "has no result" in message_of(lambda name=name: bpy.ops.tilewright.apply(result=name))
    undo()
    assert worn() == second


def previews_first_touch_no_material() -> None:
    preferences().previews_first = True
    before = fingerprint()
    wish(prompt="only a preview", count=3)
    bpy.context.view_layer.objects.active = None
    assert bpy.ops.tilewright.generate() == {"FINISHED"}, "a preview needs no object"
    assert fingerprint() == before
    assert len(names()) == 3
    assert "Not in a material yet" in bpy.context.window_manager.tilewright.outcome
    bpy.context.view_layer.objects.active = bpy.data.objects["Cube"]
    assert bpy.ops.tilewright.apply(result=names()[2]) == {"FINISHED"}
    assert worn() == names()[2]
    preferences().previews_first = False


def compare_shows_the_other_and_leaves_nothing() -> None:
    compare = addon("history.compare")
    assert compare.begin(bpy.context, "") is None, "there was no texture at all"
    first, second = (generate(prompt=prompt).tilewright.result for prompt in ("first", "second"))
    before = fingerprint()
    exchange = compare.begin(bpy.context, second)  # the cube wears it: what was before?
    assert worn() == first
    compare.end(exchange)
    assert fingerprint() == before
    exchange = compare.begin(bpy.context, first)  # the cube wears another: how would this one look?
    assert worn() == first
    compare.end(exchange)
    assert fingerprint() == before

    image = next(image for image in made() if image.tilewright.result == first)
    bpy.data.images.remove(image)
    before = fingerprint()
    assert compare.begin(bpy.context, second) is None, "what was before is gone"
    exchange = compare.begin(bpy.context, first)
    assert worn() == first
    compare.end(exchange)
    assert fingerprint() == before
    exchange = compare.begin(bpy.context, first)
    bpy.data.materials.remove(bpy.data.materials["Material"])  # while the button is held
    compare.end(exchange)
    assert [image.tilewright.result for image in made()] == [second]


def try_on_restores_exactly() -> None:
    """Every kind of target, and an object without a material or a slot."""
    folders = [generate(prompt=f"number {number}").tilewright.result for number in range(3)]
    fresh()
    tryon = addon("history.tryon")

    def walk(kind: str = "BASE_COLOR") -> None:
        before = fingerprint()
        aim = addon("common.targets").choose(bpy.context, kind, addon("common.state").current.document)
        trial = tryon.Trial(aim, folders)
        for step in (0, 1, 2, 3, 1, 0, -1):
            trial.wear(step)
            assert fingerprint() != before
            assert len(made()) - len(known) <= 1, "what was tried on before is left behind"
        trial.restore()
        assert fingerprint() == before, f"{kind}: {before}\n{fingerprint()}"
        assert addon("common.state").current.view.placed == placed

    placed = set(addon("common.state").current.view.placed)
    known: list[Any] = []
    walk()
    walk("NEW_NODE")
    material = bpy.data.materials["Material"]
    generate(prompt="worn already")
    placed, known = set(addon("common.state").current.view.placed), made()
    node().extension = "CLIP"
    walk()
    nodes = material.node_tree.nodes
    nodes.active = node()
    node().select = True
    walk("SELECTED_NODE")
    walk("NEW_NODE")
    cube = bpy.data.objects["Cube"]
    cube.active_material = None
    walk()
    cube.data.materials.clear()
    walk()
    assert len(cube.material_slots) == 0
    cube.data.materials.append(None)
    cube.material_slots[0].link = "OBJECT"
    walk()


def try_on_keeps_in_one_step() -> None:
    folders = [generate(prompt=f"number {number}").tilewright.result for number in range(2)]
    push_undo()
    before = worn()
    assert before == folders[1]
    assert bpy.ops.tilewright.try_on("EXEC_DEFAULT", True, result=folders[0]) == {"FINISHED"}
    assert worn() == folders[0]
    undo()
    assert worn() == before


def settings_are_restored(png: str) -> None:
    """From a result, an image, and a PNG that was dropped in; they make the same pixels."""
    image = generate(
        prompt="to be restored", negative_prompt="blur", seed=77, use_random_seed=False, width=128, steps=5, tiling="X"
    )
    name, wanted = image.tilewright.result, pixels_of(image)
    shutil.copyfile(bpy.path.abspath(image.filepath), png)
    settings = bpy.context.scene.tilewright
    loaded = bpy.data.images.load(png)  # knows nothing of a recipe but what stands in its file
    packed = bpy.data.images.load(png, check_existing=False)
    packed.pack()
    for source in (
        {"result": name},
        {"image": image.name},
        {"filepath": png},
        {"image": loaded.name},
        {"image": packed.name},
    ):
        wish(prompt="other", negative_prompt="", seed=1, use_random_seed=True, count=3, steps=2, tiling="XY")
        settings.template = "{prompt} and more"
        assert bpy.ops.tilewright.restore_settings(**source) == {"FINISHED"}
        assert (settings.prompt, settings.template, settings.negative_prompt) == ("to be restored", "", "blur")
        assert (settings.width, settings.height, settings.steps, settings.tiling) == (128, 64, 5, "X")
        assert (settings.seed, settings.use_random_seed, settings.count) == (77, False, 1)
        assert settings.guidance_scale == 0.0  # the model's own, which depends on the negative prompt
    before = {item.session_uid for item in bpy.data.images}
    assert bpy.ops.tilewright.generate() == {"FINISHED"}
    again = next(item for item in bpy.data.images if item.session_uid not in before)
    assert pixels_of(again) == wanted

    chosen = generate(prompt="guided", guidance_scale=3.5)
    wish(guidance_scale=0.0)
    assert bpy.ops.tilewright.restore_settings(image=chosen.name) == {"FINISHED"}
    assert settings.guidance_scale == 3.5

    plain = bpy.data.images.new("plain", 8, 8)
    for source, words in (
        ({"image": plain.name}, "no Tilewright recipe"),
        ({"image": "nobody"}, "no image"),
        ({"filepath": __file__}, "not a whole PNG"),
        ({"filepath": "/nowhere/x.png"}, "Cannot read"),
        ({"result": "nothing"}, "has no result"),
    ):
        message = message_of(lambda source=source: bpy.ops.tilewright.restore_settings(**source))
        assert words in message, message


def foreign_recipe_sets_no_model_path(server: str) -> None:
    """A path on somebody's server would be told who asks for it."""
    image = generate(prompt="from afar")
    recipe = json.loads(image.tilewright.recipe)
    recipe["request"]["model"] = server
    image.tilewright.recipe = json.dumps(recipe)
    settings = wish(prompt="mine")
    assert bpy.ops.tilewright.restore_settings(image=image.name) == {"FINISHED"}
    assert settings.prompt == "from afar"
    assert settings.model == "starter"


def handler_takes_what_is_dropped_on_the_panel() -> None:
    handlers = {"recipe": "restore_settings", "template": "use_as_template"}
    for handler, operator in ((getattr(bpy.types, f"TILEWRIGHT_FH_{kind}"), name) for kind, name in handlers.items()):
        assert handler.bl_import_operator == f"tilewright.{operator}"
        assert "filepath" in getattr(bpy.ops.tilewright, operator).get_rna_type().properties

        def drop(kind: str, tab: str, handler: Any = handler) -> bool:
            return handler.poll_drop(SimpleNamespace(region=SimpleNamespace(type=kind, active_panel_category=tab)))

        assert drop("UI", "Tilewright")
        assert not drop("UI", "Item")
        assert not drop("WINDOW", "Tilewright")
        assert not handler.poll_drop(SimpleNamespace(region=None))


def variations_and_another_size() -> None:
    image = generate(prompt="to be varied", steps=4, use_random_seed=False, seed=5)
    name, settings = image.tilewright.result, bpy.context.scene.tilewright
    settings.prompt = "something else by now"
    settings.count = 1
    assert bpy.ops.tilewright.variations(result=name, count=3) == {"FINISHED"}
    found = [entry.result.recipe.request for entry in addon("common.state").current.view.found]
    assert [request.prompt for request in found] == ["to be varied"] * 4
    assert len({request.seed for request in found}) == 4
    assert {request.steps for request in found} == {4}
    assert settings.prompt == "something else by now"
    assert bpy.ops.tilewright.generate_again(result=name, width=190, height=128) == {"FINISHED"}
    newest = addon("common.state").current.view.found[0].result.recipe.request
    assert (newest.size.width, newest.size.height, newest.seed) == (128, 128, 5)


def delete_breaks_nothing(file: str) -> None:
    """What the open file shows is refused; what undo may bring back goes later; the rest goes now."""
    shown = generate(prompt="shown").tilewright.result
    other = start(prompt="never in a file")
    addon("common.state").current.targets.clear()
    finish(other)
    spare = other.results[0].folder.name
    store = Path(preferences_store())
    message = message_of(lambda: bpy.ops.tilewright.delete("EXEC_DEFAULT", result=shown))
    assert "The open file uses this texture, as the image" in message, message
    assert (store / shown).is_dir()
    assert bpy.ops.tilewright.delete("EXEC_DEFAULT", result=spare) == {"FINISHED"}
    assert not (store / spare).exists()
    assert names() == [shown]

    push_undo()
    before = pixels_of(made()[0])
    bpy.ops.wm.save_as_mainfile(filepath=file)  # packed: the file has its own now
    assert bpy.ops.tilewright.delete("EXEC_DEFAULT", result=shown) == {"FINISHED"}
    assert names() == []
    assert (store / shown).is_dir(), "undo may bring back an image that refers to it"
    undo()
    assert pixels_of(made()[0]) == before
    bpy.ops.wm.open_mainfile(filepath=file)
    assert not (store / shown).exists()
    assert pixels_of(made()[0]) == before
    assert list(store.glob(".part-*")) == []


def saved_files_are_remembered(file: str, copy: str) -> None:
    kept, dropped = (generate(prompt=prompt).tilewright.result for prompt in ("kept", "dropped"))
    bpy.ops.tilewright.history_refresh()
    bpy.ops.wm.save_as_mainfile(filepath=file)
    find = addon("history.browse").get().find
    assert find(kept).marks.taken_by == find(dropped).marks.taken_by == (file,)
    image = next(image for image in made() if image.tilewright.result == dropped)
    bpy.data.images.remove(image)
    bpy.ops.wm.save_mainfile()
    assert find(dropped).marks.taken_by == ()
    bpy.ops.wm.save_as_mainfile(filepath=copy, copy=True)
    assert find(kept).marks.taken_by == (file, copy)


def leave_results_in_no_file(file: str) -> list[str]:
    """One that a saved file has, one for a file that was closed, one whose material was deleted; then no save."""
    taken = generate(prompt="taken").tilewright.result
    bpy.ops.wm.save_as_mainfile(filepath=file)
    job = start(prompt="for another file")
    fresh()
    finish(job)
    assert made() == []
    lost = start(prompt="deleted target")
    bpy.data.materials.remove(bpy.data.materials["Material"])
    finish(lost)
    return [taken, job.results[0].folder.name, lost.results[0].folder.name]


def results_in_no_file_are_offered(expected: list[str]) -> str:
    view = addon("common.state").current.view
    bpy.ops.tilewright.history_refresh()
    assert sorted(view.offered) == sorted(expected)
    assert "2 earlier textures are not in any saved file." in " ".join(draw())
    new = generate(prompt="made in this session")
    assert new.tilewright.result not in view.offered
    bpy.ops.tilewright.show_offers()
    assert set(expected) <= set(names())
    assert "In no saved file" not in " ".join(draw())
    bpy.context.window_manager.tilewright_history.which = "ALL"
    bpy.ops.tilewright.dismiss_offers()
    assert view.offered == ()
    assert "earlier texture" not in " ".join(draw())
    assert len(names()) == 4, "dismissed is not deleted"
    return str(new.tilewright.result)


def only_this_is_offered(name: str) -> None:
    bpy.ops.tilewright.history_refresh()
    assert addon("common.state").current.view.offered == (name,)
    assert "1 earlier texture is not in any saved file." in " ".join(draw())


def clean_up_spares_what_is_in_use(file: str) -> None:
    in_file = generate(prompt="in the open file").tilewright.result
    store = Path(preferences_store())
    old, favourite, saved = (_old_copy(store / in_file, name) for name in ("old", "favourite", "saved"))
    Path(file).write_bytes(b"BLENDER")
    bpy.ops.tilewright.history_refresh()
    bpy.ops.tilewright.favourite(result="favourite")
    addon("history.browse").get().mark("saved", lambda marks: marks.taken(file))
    assert "no size limit" in message_of(bpy.ops.tilewright.clean_up)
    preferences().store_limit = 1e-8
    assert bpy.ops.tilewright.clean_up() == {"FINISHED"}
    assert not old.exists()
    assert favourite.is_dir()
    assert saved.is_dir()
    assert (store / in_file).is_dir()
    Path(file).unlink()
    assert bpy.ops.tilewright.clean_up() == {"FINISHED"}
    assert not saved.exists()
    assert sorted(names()) == sorted([in_file, "favourite"])
    # and by itself, with the next texture
    again = _old_copy(store / in_file, "again")
    bpy.ops.tilewright.history_refresh()
    generate(prompt="one more")
    assert not again.exists()


def _old_copy(folder: Path, name: str) -> Path:
    copy = folder.with_name(name)
    shutil.copytree(folder, copy)
    text = json.loads((copy / "result.json").read_text())
    (copy / "result.json").write_text(json.dumps(text | {"created": 1000.0}))
    return copy


def copies_go_beside_the_file(file: str, elsewhere: str, copy: str) -> dict[str, str]:
    """Saved for the first time, in another folder, as a copy, and again."""
    preferences().on_save = "COPY"
    generate(prompt="copied", count=2)
    bpy.ops.wm.save_as_mainfile(filepath=file)
    _check_beside(file, 2)
    generate(prompt="one more", count=1)
    bpy.ops.wm.save_mainfile()
    _check_beside(file, 3)
    bpy.ops.wm.save_as_mainfile(filepath=copy, copy=True)
    assert len(list((Path(copy).parent / "textures").iterdir())) == 3
    _check_beside(file, 3)
    generate(prompt="for the other folder")
    bpy.ops.wm.save_as_mainfile(filepath=elsewhere)
    _check_beside(elsewhere, 4)
    assert len(list((Path(file).parent / "textures").iterdir())) == 3
    return _digests()


def _check_beside(file: str, count: int) -> None:
    folder = Path(file).parent / "textures"
    assert len(list(folder.iterdir())) == count
    for image in made():
        assert not image.packed_file
        assert Path(os.path.abspath(bpy.path.abspath(image.filepath))).parent == folder, image.filepath
        assert image.filepath.startswith("//"), image.filepath


def open_and_digest(file: str) -> dict[str, str]:
    bpy.ops.wm.open_mainfile(filepath=file)
    return _digests()


def _digests() -> dict[str, str]:
    return {image.name: hashlib.sha256(pixels_of(image)).hexdigest() for image in made()}


def copying_that_fails_is_told(file: str) -> None:
    """The folder beside the .blend cannot be made; the file is saved all the same."""
    preferences().on_save = "COPY"
    image = generate(prompt="not copied")
    before = bpy.path.abspath(image.filepath)
    (Path(file).parent / "textures").write_text("a file in the way")
    assert bpy.ops.wm.save_as_mainfile(filepath=file) == {"FINISHED"}
    assert f"Could not be saved into the file: {image.name}" in bpy.context.window_manager.tilewright.error
    # Blender makes paths relative when a file is saved for the first time
    assert os.path.abspath(bpy.path.abspath(image.filepath)) == before


def copying_overwrites_nothing(file: str) -> None:
    preferences().on_save = "COPY"
    image = generate(prompt="careful")
    folder = Path(file).parent / "textures"
    folder.mkdir(parents=True)
    theirs = folder / f"{image.tilewright.result}.png"
    theirs.write_bytes(b"somebody else's")
    bpy.ops.wm.save_as_mainfile(filepath=file)
    assert theirs.read_bytes() == b"somebody else's"
    assert Path(bpy.path.abspath(image.filepath)).name == f"{image.tilewright.result}-2.png"
    painted = generate(prompt="painted on")
    painted.pixels[0:4] = (1.0, 0.0, 1.0, 1.0)
    wanted = pixels_of(painted)
    bpy.ops.wm.save_mainfile()
    bpy.ops.wm.open_mainfile(filepath=file)
    painted = next(image for image in made() if image.tilewright.prompt == "painted on")
    assert pixels_of(painted) == wanted


def hostile_paths_are_not_copied(file: str, secret: str) -> None:
    preferences().on_save = "COPY"
    image = bpy.data.images.load(secret)
    image.use_fake_user = True
    image.tilewright.recipe = "{}"
    for name in (Path(secret).stem, Path(secret).parent.name, "../..", ""):
        image.tilewright.result = name
        bpy.ops.wm.save_as_mainfile(filepath=file)
        assert not (Path(file).parent / "textures").exists()


def presets_are_read_and_not_run(folder: str) -> None:
    presets = addon("settings.presets")
    shipped = sorted((Path(presets.__file__).parent / "shipped" / "presets" / "tilewright").glob("*.py"))
    assert len(shipped) >= 12
    for path in shipped:
        settings = wish(prompt="", template="")
        assert bpy.ops.tilewright.load_preset(filepath=str(path)) == {"FINISHED"}
        assert settings.prompt
        assert addon("settings.request").from_settings(settings).prompt not in ("", settings.prompt)
        settings.prompt = "my own words"
        bpy.ops.tilewright.load_preset(filepath=str(path))
        assert settings.prompt == "my own words"
        assert "my own words" in addon("settings.request").from_settings(settings).prompt
    if hasattr(bpy.utils, "register_preset_path"):
        listed = {
            name for path in bpy.utils.preset_paths("tilewright") for name in os.listdir(path) if name.endswith(".py")
        }
        assert {path.name for path in shipped} <= listed

    settings = wish(prompt="to be kept", template="", steps=9, width=128, tiling="Y")
    assert bpy.ops.tilewright.add_preset(name="My Own") == {"FINISHED"}
    wish(prompt="other", steps=1, tiling="XY")
    mine = bpy.utils.preset_find("My_Own", "tilewright")
    assert mine
    bpy.ops.tilewright.load_preset(filepath=mine)
    assert (settings.prompt, settings.steps, settings.width, settings.tiling) == ("to be kept", 9, 128, "Y")
    assert bpy.ops.tilewright.add_preset(name="My Own", remove_name=True) == {"FINISHED"}
    assert not Path(mine).exists()
    bpy.ops.tilewright.add_preset(name=bpy.path.display_name(shipped[0].name), remove_name=True)
    assert shipped[0].is_file(), "a shipped preset was removed"

    flag = Path(folder) / "ran"
    for number, text in enumerate(
        (
            f"open({str(flag)!r}, 'w')",
            f"settings.prompt = str(open({str(flag)!r}, 'w'))",
            "import os",
            "settings.nothing = 1",
            "settings.rna_type = 1",
            "bpy.app = 1",
            "settings.width = 'wide'",
            "settings.width = 10 ** 400",
            "settings.prompt = b'bytes'",
            "(" * 10_000,
            "\0",
        )
    ):
        file = Path(folder) / f"hostile-{number}.py"
        file.write_text(text, encoding="utf-8")
        message = message_of(lambda file=file: bpy.ops.tilewright.load_preset(filepath=str(file)))
        assert "preset" in message, (text, message)
        assert not flag.exists()


def template_goes_around_the_prompt() -> None:
    wish(prompt="", template="{prompt} brick wall")
    assert bpy.ops.tilewright.generate() == {"FINISHED"}
    assert made()[0].tilewright.prompt == "brick wall"


def another_store_has_another_history(folder: str) -> None:
    first = generate(prompt="in the first store").tilewright.result
    preferences().store = folder
    second = generate(prompt="in the second store").tilewright.result
    bpy.ops.tilewright.history_refresh()
    assert names() == [second]
    preferences().store = ""
    bpy.ops.tilewright.history_refresh()
    assert names() == [first]
