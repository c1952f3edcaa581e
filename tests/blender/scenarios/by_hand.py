# SPDX-License-Identifier: GPL-3.0-or-later
"""A user at the screen: only the mouse and the keyboard do something, and the picture tells what came of it.

Runs inside a Blender with a window; xdotool moves the mouse and types, ImageMagick's `import` sees what the user sees.
Blender's data is read to know where things are and how long to wait, never to act.
"""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
from common import addon, as_a_beginner_has_it, fresh, made
from window import Story, _until, missing_hands

# Where things are in the sidebar, in pixels from its upper left corner, at Blender's own size and font.
TEXT, TEMPLATE, BUTTON, CANCEL, CANCEL_ALL = (120, 53), (120, 87), (110, 141), (74, 220), (190, 220)
SHOW = (100, 572)  # where a whole material has just been made and the view shows none
THIRD_RESULT, APPLY_SELECTED = (208, 665), (68, 490)  # of the history, below a texture that has just been made
TABS = 10  # from the right edge
PATIENCE = 60.0  # seconds
SEED = 1892  # with which the fake engine's pictures of these prompts differ most, also on the cube's dark sides
CUBE = 110  # pixels, half of a square that is full of cube


class Hand:
    """The user's hands and eyes. pictures: a folder for what was seen."""

    def __init__(self, pictures: Path) -> None:
        self.pictures = pictures
        self.clicks = 0

    def do(self, *arguments: object) -> None:
        subprocess.run(["xdotool", *map(str, arguments)], check=True)

    def point(self, x: float, y: float) -> None:
        """Move to a place of Blender's window, whose y grows upwards."""
        self.do("mousemove", round(x), round(_window().height - y))

    def click(self, x: float, y: float) -> None:
        self.point(x, y)
        self.do("click", 1)

    def press(self, place: tuple[int, int]) -> Story:
        """Click on something in the sidebar; as people do, a moment after the mouse has come there."""
        side = _region("UI")
        for nudge in (3, 0):
            self.point(side.x + place[0] - nudge, side.y + side.height - place[1])
            yield 0.3
        self.do("click", 1)
        self.clicks += 1
        yield 0.3

    def point_at_cube(self) -> Story:
        view = _region("WINDOW")
        for nudge in (3, 0):
            self.point(view.x + view.width / 2 - nudge, view.y + view.height / 2)
            yield 0.3

    def look(self, name: str) -> bytes:
        """The cube's pixels, as RGB; the whole screen goes into the folder."""
        whole = self.pictures / f"{name}.png"
        subprocess.run(["import", "-window", "root", str(whole)], check=True)
        view, window, raw = _region("WINDOW"), _window(), self.pictures / "cube.rgb"
        left, top = view.x + view.width // 2 - CUBE, window.height - view.y - view.height // 2 - CUBE
        crop = f"{2 * CUBE}x{2 * CUBE}+{left}+{top}"
        command = ["import", "-window", "root", "-crop", crop, "+repage", "-depth", "8", f"rgb:{raw}"]
        subprocess.run(command, check=True)
        return raw.read_bytes()

    def see(self, name: str, wanted: Callable[[bytes], bool]) -> Story:
        """Look until the picture is as it should be; a busy machine takes its time to draw."""
        end = time.monotonic() + PATIENCE
        while not wanted(self.look(name)):
            assert time.monotonic() < end, f"{name}: not seen within {PATIENCE} s"
            yield 1.0


def changed(before: bytes, after: bytes) -> float:
    """The share of pixels, 0 to 1, of which a channel differs by more than a tenth."""
    assert len(before) == len(after) == 3 * (2 * CUBE) ** 2
    there = (max(abs(a - b) for a, b in zip(before[n : n + 3], after[n : n + 3], strict=True)) for n in _every(before))
    return sum(difference > 25 for difference in there) / len(_every(before))


def _colorful(pixels: bytes) -> float:
    """The share of pixels, 0 to 1, that are far from grey: few are before, and while the shader is being compiled."""
    return sum(max(pixels[n : n + 3]) - min(pixels[n : n + 3]) > 30 for n in _every(pixels)) / len(_every(pixels))


def _every(pixels: bytes) -> range:
    return range(0, len(pixels), 3)


def _window() -> Any:
    return bpy.context.window_manager.windows[0]


def _region(kind: str) -> Any:
    area = next(area for area in _window().screen.areas if area.type == "VIEW_3D")
    return next(region for region in area.regions if region.type == kind)


def _status() -> Any:
    return bpy.context.window_manager.tilewright


def texture_by_mouse_and_keyboard(pictures: str) -> Story:
    """Open the sidebar, type, Generate, orbit meanwhile, look; undo, redo; Escape; cancel; an error; the history."""
    if lack := missing_hands():
        return lack
    hand = Hand(Path(pictures))
    yield from _sit_down(hand)
    yield from _open_sidebar(hand)

    yield from _type(hand, "never mind", "Escape")
    assert bpy.context.scene.tilewright.prompt == "", "Escape did not take the typing back"
    yield from _type(hand, "red brick")
    hand.look("typed")
    assert bpy.context.scene.tilewright.prompt == "red brick", bpy.context.scene.tilewright.prompt

    yield from hand.press(BUTTON)
    yield from _until(lambda: _status().running)
    assert not made()
    yield from _orbit(hand)
    assert _status().running, "the texture came before the view was turned"
    before = hand.look("running")
    yield from _until(made, 60.0)
    yield from hand.see("finished", lambda seen: changed(before, seen) > 0.5)
    after = hand.look("finished")

    yield from hand.point_at_cube()
    hand.do("key", "ctrl+z")
    yield from hand.see("undone", lambda seen: changed(before, seen) < 0.02)
    assert not made()
    hand.do("keydown", "ctrl", "keydown", "shift", "key", "z", "keyup", "shift", "keyup", "ctrl")
    yield from hand.see("redone", lambda seen: changed(after, seen) < 0.02)
    assert len(made()) == 1

    yield from _type(hand, "blue tiles")
    yield from hand.press(BUTTON)
    yield from _until(lambda: _status().running)
    yield from hand.point_at_cube()
    hand.do("key", "g")
    yield from _until(lambda: addon("common.state").current.waiting, 60.0)
    yield 1.0
    hand.look("grabbing")
    assert len(made()) == 1, "it came in the middle of a grab"
    hand.do("key", "Escape")
    yield from _until(lambda: len(made()) == 2)
    yield from hand.see("after the grab", lambda seen: changed(after, seen) > 0.5)

    yield from _type(hand, "stuck")
    for _ in range(3):
        yield from hand.press(BUTTON)
    yield from _until(lambda: _status().queued == 2)
    hand.look("queue")
    yield from hand.press(CANCEL)
    yield from _until(lambda: _status().queued == 1)
    yield from hand.press(CANCEL_ALL)
    yield from _until(lambda: not _status().running)
    assert len(made()) == 2

    yield from _type(hand, "this one dies")
    calm = hand.look("before the error")
    yield from hand.press(BUTTON)
    yield from _until(lambda: _status().error)
    yield 1.0
    assert changed(calm, hand.look("error")) < 0.02
    assert "signal 9" in _status().error
    yield from _type(hand, "the next one")
    yield from hand.press(BUTTON)
    yield from _until(lambda: len(made()) == 3)
    assert _status().error == ""

    last = [image.tilewright.result for image in made() if image.tilewright.prompt == "the next one"]
    assert addon("common.state").current.view.selected in last
    yield 1.0
    before = hand.look("before the history")
    yield from hand.press(THIRD_RESULT)
    first = next(image for image in made() if image.tilewright.prompt == "red brick")
    yield from _until(lambda: addon("common.state").current.view.selected == first.tilewright.result)
    hand.look("selected in the history")
    yield from hand.press(APPLY_SELECTED)
    yield from hand.see("from the history", lambda seen: changed(before, seen) > 0.5)
    assert bpy.data.objects["Cube"].active_material.node_tree.nodes["Image Texture"].image == first
    return ""


def a_visible_texture_in_three_clicks(pictures: str) -> Story:
    """As a beginner has it: Solid shading, an empty prompt, nothing set. Returns how many clicks it takes."""
    if lack := missing_hands():
        return {"lack": lack}
    hand = Hand(Path(pictures))
    fresh()
    as_a_beginner_has_it()
    yield 1.0
    yield from hand.point_at_cube()
    yield from _open_sidebar(hand)
    shading = next(area for area in _window().screen.areas if area.type == "VIEW_3D").spaces.active.shading
    assert shading.type == "SOLID"
    settings = bpy.context.scene.tilewright
    settings.use_random_seed, settings.seed = False, SEED  # for the fake engine, some of whose pictures are grey
    before = hand.look("before")
    hand.clicks = 0
    yield from _type(hand, "red brick")
    yield from hand.press(BUTTON)
    yield from _until(made, 90.0)
    yield 2.0
    hand.look("made, and not seen")
    yield from hand.press(SHOW)
    yield from _until(lambda: shading.type == "MATERIAL")
    yield from hand.see("seen", lambda seen: changed(before, seen) > 0.3 and _colorful(seen) > 0.05)
    material = bpy.data.objects["Cube"].active_material
    scale = material.node_tree.nodes["Mapping"].inputs["Scale"].default_value
    assert round(scale[0], 2) == 8.0, "one repeat is not 1 m on the cube of 2 m"
    return {"clicks": hand.clicks}


def _sit_down(hand: Hand) -> Story:
    """Blender as it starts, with the textures shown, and the cube near enough to fill the middle."""
    fresh()
    settings = bpy.context.scene.tilewright
    settings.use_random_seed, settings.seed = False, SEED
    yield 1.0
    space = next(area for area in _window().screen.areas if area.type == "VIEW_3D").spaces.active
    space.shading.color_type = "TEXTURE"  # shown without a render engine, which software OpenGL is slow at
    space.region_3d.view_distance = 6.0
    yield from hand.point_at_cube()
    yield 1.0


def _open_sidebar(hand: Hand) -> Story:
    hand.do("key", "n")
    yield 1.0
    side = _region("UI")
    for y in range(side.y + side.height - 20, side.y + 100, -15):  # from tab to tab, down to ours
        hand.click(side.x + side.width - TABS, y)
        yield 0.2
        if side.active_panel_category == "Tilewright":
            break
    assert side.active_panel_category == "Tilewright", side.active_panel_category
    yield 0.5


def _type(hand: Hand, text: str, last: str = "Return") -> Story:
    """Replace the prompt, and end with that key."""
    yield from hand.press(TEXT)
    hand.do("key", "ctrl+a")
    hand.do("type", "--delay", 20, text)
    yield 0.4
    hand.look("typing")
    hand.do("key", last)
    yield 0.6


def _orbit(hand: Hand) -> Story:
    region = next(area for area in _window().screen.areas if area.type == "VIEW_3D").spaces.active.region_3d
    before = region.view_rotation.copy()
    yield from hand.point_at_cube()
    hand.do("mousedown", 2)
    for _ in range(5):
        hand.do("mousemove_relative", 12, 3)
        yield 0.05
    hand.do("mouseup", 2)
    yield 0.5
    assert region.view_rotation != before, "the view did not turn"
