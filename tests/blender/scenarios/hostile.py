# SPDX-License-Identifier: GPL-3.0-or-later
"""A file from somebody who means harm: made, then opened and looked at as a user would before anything is pressed."""

import sys
import threading
from pathlib import Path
from typing import Any

import bpy
from common import addon, wish
from drawing import _draw as draw_panel
from files import children

# What Python does is audited: https://docs.python.org/3/library/audit_events.html
STARTS = (
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.fork",
    "os.forkpty",
    "os.posix_spawn",
    "os.spawn",
    "pty.spawn",
)
CONNECTS = ("socket.connect", "socket.getaddrinfo", "socket.sendto", "urllib.Request", "http.client.connect")
WRITES = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate", "shutil.copyfile")


def make(file: str, marker: str) -> None:
    """Code in every place where a .blend can hold some, and settings and images of ours full of nonsense."""
    code = f"open({marker!r}, 'w').close()"
    text = bpy.data.texts.new("register.py")
    text.write(code)
    text.use_module = True
    cube = bpy.data.objects["Cube"]
    cube.driver_add("location", 0).driver.expression = f"__import__('builtins').open({marker!r}, 'w') and 0"
    cube["tilewright"] = code
    settings = wish(model="//server/share/model", scheduler="DDIM", target="SELECTED_NODE", count=64)
    settings.prompt = f"{{{code}}} %s ${{HOME}} `touch {marker}` ../../x"
    settings.negative_prompt = "x" * 100_000
    for number, (recipe, result) in enumerate(
        (
            ('{"request": {"prompt": 1}}', "../../../../etc"),
            (code, "/etc/passwd"),
            ("[" * 100_000, "C:\\Windows"),
            ('{"request": {"prompt": "x", "model": "//server/share"}}', "\\\\server\\share"),
        )
    ):
        image = bpy.data.images.new(f"hostile {number}", 8, 8)
        image.use_fake_user = True
        image.tilewright.recipe = recipe
        image.tilewright.result = result
        image.filepath_raw = f"//../../{number}.png"
    bpy.ops.wm.save_as_mainfile(filepath=file)


def open_and_look(file: str) -> dict[str, Any]:
    """What was started, connected to and written by Python while the file was opened, drawn and left alone."""
    seen: list[str] = []
    listening = True

    def listen(event: str, arguments: tuple[Any, ...]) -> None:
        if not listening:
            return
        writes = event == "open" and _is_written(arguments) and "__pycache__" not in str(arguments[0])
        if event in (*STARTS, *CONNECTS, *WRITES) or writes:
            seen.append(f"{event} {arguments!r}"[:300])

    sys.addaudithook(listen)
    threads = threading.active_count()
    bpy.ops.wm.open_mainfile(filepath=file, use_scripts=False)
    draw_panel()
    assert addon("jobs.pump").tick() is None
    assert addon("jobs.status").text() == ""
    for image in bpy.data.images:
        assert image.tilewright.result is not None
    assert bpy.context.scene.tilewright.model == "//server/share/model"
    assert bpy.context.scene.tilewright.scheduler == "DDIM"
    listening = False
    assert addon("common.state").current.session is None
    assert threading.active_count() == threads
    return {"seen": seen, "children": children(), "offline": not bpy.app.online_access}


def _is_written(arguments: tuple[Any, ...]) -> bool:
    path, mode, flags = arguments
    return isinstance(path, str | bytes | Path) and (
        any(letter in (mode or "") for letter in "wax+") or bool((flags or 0) & 0o3)
    )
