# SPDX-License-Identifier: GPL-3.0-or-later
"""From a fresh profile to the first texture, with a small index in place of the real one."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy
from common import PACKAGE, addon, drive, finish, generate, message_of, start
from files import children

Story = Iterator[float]


def _preferences() -> Any:
    return bpy.context.preferences.addons[PACKAGE].preferences


def _allow(index: str = "") -> Any:
    bpy.context.preferences.system.use_online_access = True
    _preferences().index = index
    return addon("common.state").current


def from_nothing_to_a_texture(index: str) -> None:
    now = _allow(index)
    assert now.engine_error
    assert "not installed yet" in message_of(lambda: generate(prompt="too early"))
    assert bpy.ops.tilewright.install() == {"FINISHED"}
    assert now.setup.error is None
    assert "installed" in now.setup.message
    assert now.engine_error is None
    assert now.error is None, "what was wrong before is mended"
    assert now.environments.ready
    image = generate(prompt="red brick")
    assert image.tilewright.seed >= 0
    assert bpy.ops.tilewright.verify() == {"FINISHED"}
    assert "as they should be" in now.setup.message


def nothing_without_a_click_or_a_network(root: str) -> None:
    now = addon("common.state").current
    bpy.context.preferences.system.use_online_access = False
    _preferences().environment = root
    assert now.engine_error
    assert "allowed online" in message_of(bpy.ops.tilewright.install)
    assert not Path(root).exists()


def a_failure_is_told(index: str) -> None:
    now = _allow(index)
    assert "cannot be reached" in message_of(bpy.ops.tilewright.install)
    assert "cannot be reached" in now.setup.error.message
    assert now.engine_error
    bpy.ops.tilewright.dismiss_setup()
    assert now.setup.error is None


def environments_can_be_removed(index: str) -> None:
    now = _allow(index)
    bpy.ops.tilewright.install()
    (found,) = now.environments.found
    assert found.current
    assert found.size > 0
    generate(prompt="keeps the worker running")
    assert bpy.ops.tilewright.remove_environment(name=found.folder.name) == {"FINISHED"}
    assert not found.folder.exists()
    assert now.environments.found == ()
    assert now.engine_error
    message = message_of(lambda: bpy.ops.tilewright.remove_environment(name="../results"))
    assert "is not a Tilewright environment" in message


def everything_is_removed(index: str, data: str, store: str) -> None:
    now = _allow(index)
    bpy.ops.tilewright.install()
    generate(prompt="kept")
    names = {path.name for path in Path(data).iterdir()}
    assert names >= {"environments", "logs"}
    bpy.ops.tilewright.remove_everything()
    assert "was removed" in now.setup.message
    assert not Path(data).exists()
    assert len(list(Path(store).iterdir())) == 1
    bpy.ops.tilewright.remove_everything(results=True)
    assert not Path(store).parent.exists()


def disabled_while_installing(index: str) -> None:
    """Fault 8, for the installer: nothing of it is left."""
    now = _allow(index)
    setup = addon("install.setup")
    setup.start.__globals__["_watch"] = lambda: None  # as in a window, where a timer goes on
    setup.start(addon("install.setup").InstallerAction.INSTALL)
    drive(lambda: setup.tick() and now.setup.installer.progress.done > 0)
    (process,) = [now.setup.installer._child._process]
    bpy.ops.preferences.addon_disable(module=PACKAGE)
    assert process.poll() is not None
    assert not [thread.name for thread in threading.enumerate() if thread.name == "tilewright-installer"]
    bpy.ops.preferences.addon_enable(module=PACKAGE)
    assert addon("common.state").current.engine_error, "half an environment does not count"


def self_test_in_plain_words() -> None:
    now = addon("common.state").current
    before = len(bpy.data.images)
    setup = addon("install.setup")
    setup.probe.ask = lambda python, stopped: type("Answer", (), {"text": "Python 3.11 has all packages."})()
    bpy.ops.tilewright.self_test()
    assert now.setup.message.startswith("The engine works. Python 3.11 has all packages. A texture of 256x256 took")
    assert len(bpy.data.images) == before
    assert now.last is None, "what the panel shows stays as it is"


def disabled_in_a_self_test() -> None:
    """Fault 8, for what goes on beside the jobs."""
    setup, now = addon("install.setup"), addon("common.state").current
    setup.probe.ask = lambda python, stopped: type("Answer", (), {"text": ""})()
    setup.start.__globals__["_watch"] = lambda: None  # as in a window, where a timer goes on
    setup.self_test()
    drive(lambda: len(children()) > 0)
    bpy.ops.preferences.addon_disable(module=PACKAGE)
    assert not now.setup.chore.thread.is_alive()
    assert children() == []


def own_python_is_checked() -> None:
    message = message_of(bpy.ops.tilewright.check_python)
    assert "lacks torch, torchvision, diffusers" in message, message
    assert "pip install" in message


def diagnostics_name_nobody(home: str) -> list[str]:
    message_of(lambda: generate(prompt="dies"))
    text = addon("install.diagnostics").text()
    assert "signal 9" in text
    assert "Tilewright 0." in text
    assert bpy.app.version_string in text
    return [line for line in text.splitlines() if home in line or bpy.utils.user_resource("CONFIG") in line]


def render_frees_the_engine(hand_over: bool) -> list[str]:
    """What the session was asked for when a frame was rendered."""
    _preferences().yield_to_render = hand_over
    generate(prompt="before")
    now = addon("common.state").current
    asked: list[str] = []
    plain = now.session.free
    now.session.free = lambda: (asked.append("free"), plain())
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.samples = 1
    scene.render.resolution_x = scene.render.resolution_y = 8
    bpy.ops.render.render()
    generate(prompt="and after")
    return asked


def a_change_of_idle_time_reaches_the_worker() -> list[str]:
    _preferences().idle_minutes = 3
    finish(start(prompt="idle"))
    session = addon("common.state").current.session
    return session._worker.link._command
