# SPDX-License-Identifier: GPL-3.0-or-later
"""Installing, verifying, removing, self test: started by a click, gone on with by a timer. Imports bpy, core and host.

Nothing here waits, but in background mode, where timers do not run and scripts read from top to bottom.
"""

import contextlib
import logging
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import bpy

from ...core.errors import ErrorKind, UserError, bug
from ...core.requests.texture import STARTER, Size
from ...host import disk, elsewhere, environment, probe
from ...host.installer import Installer
from ...host.installer_messages import InstallerAction, InstallerTask
from ..common import environments, package, preferences, state
from ..common.drawing import redraw_sidebars
from ..common.environments import Chore
from ..common.languages import rpt_
from ..jobs import generation
from ..settings import request

_logger = logging.getLogger(__name__)
_TICK = 0.25  # seconds
_PATIENCE = 900.0  # seconds for the self test's texture


def log() -> Path:
    """What the installer writes."""
    return package.data_folder("logs") / "installer.log"


BUSY = UserError(ErrorKind.RUNTIME, "The engine's packages are busy with something else.", "Wait until it is done.")
_JOBS_RUN = UserError(ErrorKind.RUNTIME, "Wait for the running jobs, or cancel them.")


def problem(action: InstallerAction) -> UserError | None:
    """Why the installer cannot be started now."""
    current = state.current
    if current.setup.busy:
        return BUSY
    if current.session and len(current.session.jobs):
        return _JOBS_RUN
    if current.environments and current.environments.error:
        return current.environments.error
    if action is InstallerAction.INSTALL and not bpy.app.online_access and not preferences.get().wheels.strip():
        return UserError(
            ErrorKind.RUNTIME,
            "Blender isn't allowed online. Turn on Allow Online Access in Preferences > System, or name a Folder of "
            "Wheels.",
        )
    return None


def start(action: InstallerAction) -> None:
    """Start the installer. Raises `UserError`."""
    if error := problem(action):
        raise error
    current, prefs = state.current, preferences.get()
    close_session()
    current.setup.message, current.setup.error = "", None
    current.setup.installer = Installer(
        InstallerTask(
            action,
            lock=str(environments.LOCKS / f"{prefs.backend}.json"),
            root=str(preferences.environments_folder()),
            wheels=str(preferences.chosen_path(prefs.wheels) or ""),
            index=prefs.index.strip(),
            online=bool(bpy.app.online_access),
        ),
        log(),
    )
    _watch()


def cancel() -> None:
    """Stop what goes on, where it can be stopped."""
    if state.current.setup.chore:
        state.current.setup.chore.stop.set()
    if state.current.setup.installer:
        state.current.setup.installer.cancel()


def check_python() -> None:
    """Ask the engine's Python what it has. Raises `UserError` where there is none."""
    python = preferences.find_engine().python
    _start_chore("Asking the engine's Python", lambda stop: probe.ask(python, stopped=stop.is_set).text)


def self_test() -> None:
    """Ask the engine's Python what it has, and have it make a small texture. Raises `UserError`."""
    python = preferences.find_engine().python
    wanted = request.make(prompt="red brick wall", size=Size(256, 256), seed=1, model=STARTER)
    folder = Path(tempfile.mkdtemp(prefix="tilewright-test-"))
    session = generation.make_session(folder, here=True)  # its own: what the panel shows stays as it is

    def test(stop: threading.Event) -> str:
        def tick(events: object) -> None:
            if stop.is_set():
                raise UserError(ErrorKind.RUNTIME, "Stopped.")

        try:
            about = probe.ask(python, stopped=stop.is_set).text
            job = session.submit(wanted)
            session.wait(job, timeout=_PATIENCE, tick=tick)
            if job.error:
                raise job.error
            if not job.results:
                words = rpt_("The engine made no texture in {seconds:.0f} s.")
                raise UserError(ErrorKind.WORKER, words.format(seconds=_PATIENCE), "Open the log.")
            result = job.results[0]
            device = result.recipe.environment.get("device", "")
            score = rpt_("not measured") if result.seam_score is None else f"{result.seam_score:.2f}"
            words = rpt_("A texture of 256x256 took {seconds:.1f} s on {device}; seam score {score}.")
            made = words.format(seconds=result.seconds, device=device or rpt_("its device"), score=score)
            return f"{rpt_('The engine works.')} {about} {made}"
        finally:
            session.close()
            shutil.rmtree(folder, ignore_errors=True)

    _start_chore("Testing the engine", test)


def check_elsewhere() -> None:
    """Ask the other machine what is there. Raises `UserError` where none can be so named."""
    there, product, file = preferences.named_place(), package.version(), package.elsewhere_file()
    current = state.current

    def ask(stop: threading.Event) -> str:
        report = elsewhere.check(there, stop.is_set)
        current.elsewhere = report
        elsewhere.save(report, file)
        if problem := report.problem(product):
            hint = "Press Copy Command in the preferences, and run it in a terminal: it installs there what is missing."
            raise UserError(ErrorKind.RUNTIME, problem, hint)
        return report.text

    _start_chore(rpt_("Asking {name}").format(name=there.host), ask)


def install_command() -> str:
    """The line for a terminal that brings Tilewright to the other machine. Raises `UserError`."""
    return elsewhere.install_command(preferences.named_place(), sys.executable, preferences.get().backend)


def remove_environment(folder: Path) -> None:
    """Delete one environment. Raises `UserError` where it cannot be done now."""
    root = preferences.environments_folder()
    close_session()

    def remove(stop: threading.Event) -> str:
        environment.remove(root, folder)
        return rpt_("{name} was removed.").format(name=folder.name)

    _start_chore(rpt_("Removing {name}").format(name=folder.name), remove)


def remove_everything(results: bool, models: bool = False) -> None:
    """Delete environments, logs and what else lies in the extension's folders; textures and models only if asked."""
    root, data = preferences.environments_folder(), package.data_folder("")
    ours = {package.results_folder(), package.old_results_folder()}
    # a folder that the user chose may hold more than ours
    kept = {preferences.store_folder()} - ours if results else {preferences.store_folder(), *ours}
    library = preferences.library()
    close_session()
    package.close_log()

    def remove(stop: threading.Event) -> str:
        for found in environment.list_environments(root, None):
            environment.remove(root, found.folder)
        if models:
            library.remove_downloads()
        with disk.disk_errors(root):
            package.added_models().unlink(missing_ok=True)
            for place in (root / environment.DOWNLOADS, *ours, data):
                _remove_tree(place, kept)
            for place in ours:
                with contextlib.suppress(OSError):  # there is something else in it
                    place.parent.rmdir()
            (root / ".lock").unlink(missing_ok=True)
            if root.is_dir() and not any(root.iterdir()):
                root.rmdir()
        sentences = [rpt_("Everything Tilewright put on this machine was removed.")]
        sentences += [] if results else [rpt_("The textures are kept.")]
        sentences += [] if models or not library.has_downloads() else [rpt_("The downloaded models are kept.")]
        return " ".join([*sentences, rpt_("You can uninstall it now.")])

    _start_chore("Removing everything", remove)


def close() -> None:
    """End what goes on; for when the extension is disabled."""
    if bpy.app.timers.is_registered(tick):
        bpy.app.timers.unregister(tick)
    cancel()
    if state.current.setup.installer:
        state.current.setup.installer.close()
    if state.current.setup.chore:
        state.current.setup.chore.thread.join(2.0)


# --- going on ----------------------------------------------------------------------------------------------------


def tick() -> float | None:
    """The timer: read the installer's messages and redraw, until nothing runs any more."""
    setup = state.current.setup
    try:
        _advance()
    except Exception as error:  # a timer that raises is dropped by Blender
        _logger.exception("The setup made a mistake.")
        setup.error, setup.chore = bug(error), None
    return _TICK if setup.busy else None


def _advance() -> None:
    setup = state.current.setup
    changed = setup.installer.pump() if setup.installer else False
    outcome = setup.installer.outcome if setup.installer else None
    if changed and outcome:
        setup.message = outcome.text
        setup.error = None if setup.installer and setup.installer.cancelled else outcome.error
        if setup.installer and setup.installer.cancelled:
            setup.message = "Cancelled. Downloads are kept, and Install continues from there."
    if setup.chore and setup.chore.future.done():
        text, error = setup.chore.ended()
        setup.chore, changed = None, True
        setup.message, setup.error = text or setup.message, error or setup.error
    if changed:
        if not setup.busy:
            preferences.check_engine()
        redraw()


def _watch() -> None:
    if bpy.app.background:
        while state.current.setup.busy:
            _advance()
            time.sleep(0.02)
        if state.current.setup.error:
            raise state.current.setup.error
    elif not bpy.app.timers.is_registered(tick):
        bpy.app.timers.register(tick, persistent=True)
    redraw()


def _start_chore(title: str, function: Callable[[threading.Event], str]) -> None:
    setup = state.current.setup
    if setup.busy:
        raise BUSY
    setup.message, setup.error = "", None
    setup.chore = Chore.begin(title, function)
    _watch()


def close_session() -> None:
    """The worker ends, so that its files can be changed; in the background, for it takes up to a second."""
    current = state.current
    if current.session and len(current.session.jobs):
        raise _JOBS_RUN
    if current.session:
        threading.Thread(target=current.session.close, name="tilewright-close", daemon=True).start()
        current.session = None


def _remove_tree(folder: Path, kept: set[Path]) -> None:
    """Delete a folder but for what is kept in it."""
    if not folder.is_dir() or folder in kept:
        return
    if not any(place.is_relative_to(folder) for place in kept):
        disk.patiently(lambda: shutil.rmtree(folder))
        return
    for inner in folder.iterdir():
        if inner.is_dir() and not inner.is_symlink():
            _remove_tree(inner, kept)
        else:
            inner.unlink()


def redraw() -> None:
    """Have the sidebars and the preferences drawn again."""
    redraw_sidebars()
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "PREFERENCES":
                area.tag_redraw()
