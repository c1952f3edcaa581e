# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of the figures that runs inside Blender: installs the extension, and tells one story. Imports bpy."""

import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bpy
import gpu

SETTINGS = json.loads(Path(sys.argv[-1]).read_text(encoding="utf-8"))
PACKAGE = "bl_ext.user_default.tilewright"
PATIENCE = 180.0  # seconds for a texture
BEAT = 0.005  # seconds

generate_seconds: list[float] = []  # how long each call of the operator took

Story = Iterator[float]


class Heart:
    """An independent timer; remembers its longest gap since `start`, and when it came."""

    def __init__(self) -> None:
        self.longest, self.at = 0.0, 0.0
        self._begun = self._last = 0.0
        self._timer = self._beat  # one object: Blender knows a timer by that

    def start(self) -> None:
        self.longest, self.at = 0.0, 0.0
        self._begun = self._last = time.perf_counter()
        bpy.app.timers.register(self._timer, first_interval=BEAT)

    def stop(self) -> float:
        """The longest gap in seconds, the one that goes on included."""
        self._look()
        bpy.app.timers.unregister(self._timer)
        return self.longest

    def _beat(self) -> float:
        self._look()
        return BEAT

    def _look(self) -> None:
        now = time.perf_counter()
        if now - self._last > self.longest:
            self.longest, self.at = now - self._last, self._last - self._begun
        self._last = now


def install() -> None:
    bpy.ops.extensions.package_install_files(filepath=SETTINGS["zip"], repo="user_default", enable_on_install=True)
    compute_on_processor()


def compute_on_processor() -> None:
    bpy.context.preferences.addons[PACKAGE].preferences.device = "cpu"


def wish(number: int) -> None:
    """Ask for a picture that no cache knows."""
    settings = bpy.context.scene.tilewright
    settings.prompt = f"mossy red brick wall {number}"
    settings.use_random_seed = False
    settings.seed = number
    settings.width = settings.height = SETTINGS["side"]
    if SETTINGS["steps"]:
        settings.steps = SETTINGS["steps"]


def ours() -> list[Any]:
    return [image for image in bpy.data.images if image.tilewright.recipe]


def in_node(count: int) -> bool:
    """Whether that many pictures are there, and the newest is where the artist wanted it."""
    images = ours()
    material = bpy.context.object.active_material
    if len(images) < count or material is None:
        return False
    newest = {image for image in images if image.tilewright.seed == bpy.context.scene.tilewright.seed}
    return any(node.type == "TEX_IMAGE" and node.image in newest for node in material.node_tree.nodes)


def texture(number: int) -> Story:
    """Press Generate, and wait until the picture is in the node."""
    if bpy.context.scene.tilewright.seed != number:  # a setting that is set has Blender draw its window anew
        wish(number)
    before = len(ours())
    end = time.monotonic() + PATIENCE
    begun = time.perf_counter()
    assert bpy.ops.tilewright.generate() == {"FINISHED"}
    generate_seconds.append(time.perf_counter() - begun)
    while not in_node(before + 1):
        error = bpy.context.window_manager.tilewright.error
        if error or time.monotonic() > end:
            raise RuntimeError(error or "a texture took too long")
        yield BEAT


def timed_texture(number: int) -> Story:
    """As `texture`; returns the seconds it took."""
    begun = time.perf_counter()
    yield from texture(number)
    return time.perf_counter() - begun


def newest() -> Any:
    return max(ours(), key=lambda image: image.tilewright.seed)


def threads() -> str:
    """How many the worker computes with, as the recipe tells."""
    return json.loads(newest().tilewright.recipe)["environment"]["threads"]


def generate() -> Story:
    """Seconds from Generate to the node, warm; what the worker took of them; the same with all maps."""
    install()
    seconds, worker = [], []
    for number in range(SETTINGS["runs"] + 2):
        took = yield from timed_texture(number + 1)
        yield from settle()  # without a graphics card Blender draws a changed material for seconds
        if number >= 2:
            seconds.append(took)
            worker.append(newest().tilewright.seconds)
    steps, used = bpy.context.scene.tilewright.steps, threads()
    bpy.context.scene.tilewright.maps = True
    material = []
    for number in range(SETTINGS["runs"] // 4 + 3):  # two that warm up: networks are loaded, nodes are made
        material.append((yield from timed_texture(SETTINGS["runs"] + number + 3)))
        yield from settle()
    return {
        "seconds": seconds,
        "material": material[2:],
        "worker": worker,
        "steps": steps,
        "threads": used,
    }


def heartbeat() -> Story:
    """The longest gaps with a job and without, in an empty and in a large scene."""
    install()
    yield from show_panel()
    ticks = watch_ticks()
    yield from texture(1)  # the worker is warm from here on
    number, scenes = 2, {}
    for name in ("empty", "million"):
        if name == "million":
            side = max(int(SETTINGS["vertices"] ** 0.5), 2)
            bpy.ops.mesh.primitive_grid_add(x_subdivisions=side, y_subdivisions=side)
        yield from texture(number)  # the first has to make the material
        keys = ("job", "idle", "panel", "touch", "tick", "generate", "when")
        gaps: dict[str, list[Any]] = {key: [] for key in keys}
        for _ in range(SETTINGS["runs"]):
            number += 1
            wish(number)
            yield from settle()
            ticks.clear()
            heart = Heart()
            heart.start()
            took = yield from timed_texture(number)
            gaps["job"].append(heart.stop())
            gaps["when"].append(f"at {heart.at:.1f} of {took:.1f} s")
            gaps["tick"].append(max(ticks))
            gaps["generate"].append(generate_seconds[-1])
            yield from settle()
            heart.start()
            yield took
            gaps["idle"].append(heart.stop())
            heart.start()
            for _ in range(10):  # as often as a job has the panel drawn
                sys.modules[f"{PACKAGE}.blender.jobs.pump"].redraw()
                yield 0.1
            gaps["panel"].append(heart.stop())
            yield from settle()
            heart.start()
            bpy.context.object.active_material.node_tree.nodes.new("ShaderNodeTexNoise")
            yield 1.5
            gaps["touch"].append(heart.stop())
        scenes[name] = gaps
        number += 1
    return {"scenes": scenes, "threads": threads(), "renderer": gpu.platform.renderer_get()}


def watch_ticks(clock: Callable[[], float] = time.perf_counter) -> list[float]:
    """Have the extension's timer tell its seconds by a clock: a list that grows with each tick."""
    pump = sys.modules[f"{PACKAGE}.blender.jobs.pump"]
    original, seconds = pump._tick, []

    def tick() -> float | None:
        begun = clock()
        try:
            return original()
        finally:
            seconds.append(clock() - begun)

    pump._tick = tick
    return seconds


def settle() -> Story:
    """Wait until Blender has drawn what it had to: half a second without a gap of 50 ms; not for ever.

    In the background nothing is drawn, and no timer beats that would tell of it.
    """
    if bpy.app.background:
        return
    end = time.monotonic() + SETTINGS["settle"]
    while time.monotonic() < end:
        heart = Heart()
        heart.start()
        yield 0.5
        if heart.stop() < 0.05:
            return


def idle() -> Story:
    """Percent of a core that Blender and its worker take while nothing happens."""
    install()
    yield from show_panel()
    told: dict[str, list[float]] = {"enabled": [], "disabled": [], "blender_with_worker": [], "worker": []}
    for _ in range(SETTINGS["runs"]):
        for name in ("disabled", "enabled"):
            switch = bpy.ops.preferences.addon_enable if name == "enabled" else bpy.ops.preferences.addon_disable
            switch(module=PACKAGE)
            if name == "enabled":
                compute_on_processor()
            yield 2.0
            begun, used = time.perf_counter(), time.process_time()
            yield SETTINGS["seconds"]
            told[name].append(100 * (time.process_time() - used) / (time.perf_counter() - begun))
    yield from texture(1)
    yield 3.0
    for _ in range(SETTINGS["runs"]):
        begun, used, others = time.perf_counter(), time.process_time(), children_seconds()
        yield SETTINGS["seconds"]
        took = time.perf_counter() - begun
        told["blender_with_worker"].append(100 * (time.process_time() - used) / took)
        if others is not None:
            told["worker"].append(100 * (children_seconds() - others) / took)
    return told


def children_seconds() -> float | None:
    """The processor's time that this process' children have taken, as Linux tells it; None elsewhere."""
    if sys.platform != "linux":
        return None
    processes = set()
    for task in Path("/proc/self/task").iterdir():
        processes.update((task / "children").read_text(encoding="ascii").split())
    # the clock of another process' time (clock_getcpuclockid(3))
    return sum(time.clock_gettime((~int(process) << 3) | 2) for process in processes)


def apply_maps() -> Story:
    """The longest gaps while a finished result with all maps comes into a new material; the engine is a fake one."""
    install()
    sys.path.insert(0, SETTINGS["root"])
    from tests.fake import make_fake_python

    maps = ["height", "normal", "roughness", "metallic", "occlusion"]
    behaviour = {"maps": maps, "scale": SETTINGS["scale"], "noise": True}
    os.environ["TILEWRIGHT_PYTHON"] = str(make_fake_python(Path(SETTINGS["folder"]) / "fake", behaviour))
    yield from show_panel()
    yield from texture(1)
    pump, target, state, images = (
        sys.modules[f"{PACKAGE}.blender.{name}"] for name in ("pump", "target", "state", "images")
    )
    ticks, busy = watch_ticks(), watch_ticks(time.thread_time)
    now, files = state.current, 1 + len(maps)
    told: dict[str, Any] = {key: [] for key in ("apply", "touch", "idle", "tick", "busy", "decode", "pack")}
    for number in range(SETTINGS["runs"]):
        for image in ours():
            bpy.data.images.remove(image)
        bpy.context.object.active_material = material = bpy.data.materials.new(f"run {number}")
        yield from settle()
        heart = Heart()
        heart.start()
        material.node_tree.nodes.new("ShaderNodeTexNoise")  # any change has Blender draw its window anew
        yield 1.5
        told["touch"].append(heart.stop())
        yield from settle()
        # as if the job had just ended: the extension's own timer takes it from here
        now.targets[now.last.id] = target.choose(bpy.context, "BASE_COLOR", now.document)
        now.waiting.append(now.last)
        ticks.clear()
        busy.clear()
        heart.start()
        pump.ensure_running()
        begun = time.perf_counter()
        while len(ours()) < files:
            assert time.perf_counter() - begun < PATIENCE, now.error
            yield BEAT
        yield max(1.5 - (time.perf_counter() - begun), 0.5)
        told["apply"].append(heart.stop())
        told["tick"].append(max(ticks))
        told["busy"].append(max(busy))
        yield from settle()
        heart.start()
        yield 1.5
        told["idle"].append(heart.stop())
    told["megabytes"] = sum(os.path.getsize(image.filepath) for image in ours()) / files / 1e6
    for image in ours():
        begun = time.perf_counter()
        gpu.texture.from_image(image)
        told["decode"].append(time.perf_counter() - begun)
    begun = time.perf_counter()
    assert not images.pack_all(now.stores)
    told["pack"].append(time.perf_counter() - begun)
    assert all(image.packed_file for image in ours())
    return told | {"renderer": gpu.platform.renderer_get()}


def show_panel() -> Story:
    """Open the sidebar with our panel, as somebody who uses it would have it."""
    bpy.context.view_layer.objects.active = bpy.data.objects["Cube"]
    area = next(area for area in bpy.context.screen.areas if area.type == "VIEW_3D")
    area.spaces.active.show_region_ui = True
    yield 1.0  # a sidebar has categories once it was drawn
    region = next(region for region in area.regions if region.type == "UI")
    region.active_panel_category = "Tilewright"
    yield 1.0


def fresh() -> Story:
    """Seconds for installing the extension and its packages, and for the first texture after that."""
    begun = time.perf_counter()
    install()
    bpy.context.preferences.addons[PACKAGE].preferences.wheels = SETTINGS["wheels"]
    assert bpy.ops.tilewright.install() == {"FINISHED"}
    setup = sys.modules[f"{PACKAGE}.blender.common.state"].current.setup
    while setup.busy:
        yield BEAT
    if setup.error:
        raise RuntimeError(str(setup.error))
    installed = time.perf_counter() - begun
    took = yield from timed_texture(1)
    return {"install": installed, "texture": took}


STORIES = {"generate": generate, "heartbeat": heartbeat, "idle": idle, "apply_maps": apply_maps, "fresh": fresh}


def report(told: dict[str, Any]) -> None:
    Path(SETTINGS["report"]).write_text(json.dumps(told), encoding="utf-8")


def leave() -> None:
    """End the worker and the process; Blender's own way out would ask about the unsaved file."""
    bpy.ops.preferences.addon_disable(module=PACKAGE)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def tell(story: Story) -> float | None:
    """The timer: one step of the story; ends Blender with it."""
    try:
        return next(story)
    except StopIteration as end:
        report(end.value)
    except Exception as error:
        logging.exception("The story broke off.")
        report({"error": f"{type(error).__name__}: {error}"})
    leave()
    return None


def main() -> None:
    story = STORIES[SETTINGS["story"]]()
    if bpy.app.background:  # no timers: an operator returns when its job has ended
        while (wait := tell(story)) is not None:
            time.sleep(wait)
        return
    bpy.context.preferences.view.show_splash = False
    bpy.app.timers.register(lambda: tell(story), first_interval=1.0)


main()
