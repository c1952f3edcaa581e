# SPDX-License-Identifier: GPL-3.0-or-later
"""Starting jobs and waiting for them: what the operators and the command line call. Imports bpy, core and host."""

import threading
from pathlib import Path

import bpy

from ...core.errors import ErrorKind, UserError
from ...core.jobs import Job, JobState
from ...core.requests.texture import TextureRequest
from ...host.paces import Paces
from ...host.process import local_workers
from ...host.session import Session
from ...host.store import Store
from ..common import package, preferences, state, target
from ..settings import request
from . import pump


def start(context: bpy.types.Context) -> Job:
    """Queue what the scene's settings ask for, and return at once. Raises `UserError`."""
    settings = context.scene.tilewright
    now = state.current
    try:
        wanted = request.from_settings(settings)
    except UserError as error:
        now.error = error
        raise
    job = submit(context, wanted)
    if settings.use_random_seed:
        settings.seed = wanted.seed  # so that the user can see and keep it
    return job


def submit(context: bpy.types.Context, wanted: TextureRequest) -> Job:
    """Queue a request whose first texture goes where the scene's target says, and return at once. Raises `UserError`.

    Where the user wants previews first, it goes nowhere.
    """
    now = state.current
    now.error = None
    try:
        aim = None
        if not preferences.get().previews_first:
            aim = target.choose(context, context.scene.tilewright.target, now.document)
        preferences.check_engine()
        here = session()
        here.previews = preferences.get().previews and not bpy.app.background
        job = here.submit(wanted)
    except UserError as error:
        now.error = error
        raise
    if aim:
        now.targets[job.id] = aim
    pump.ensure_running()
    return job


def wait(job: Job) -> None:
    """Background mode: run the job to its end and deliver it. Raises `UserError` if it failed or was cancelled."""
    now = state.current
    try:
        now.session.wait(job, tick=pump.take)
    except BaseException:  # Ctrl-C: the job must not go on without anybody waiting for it
        now.session.cancel(job)
        raise
    before = now.error
    pump.deliver_waiting()
    error = job.error or (now.error if now.error is not before else None)
    if job.state is JobState.CANCELLED:
        error = UserError(ErrorKind.REQUEST, "The job was cancelled.")
    if error:
        raise error


def session() -> Session:
    """The one session; made with the present preferences, and anew if they changed while nothing runs."""
    now = state.current
    wanted = preferences.get()
    settings = (preferences.store_folder(), wanted.device, wanted.memory, wanted.idle_minutes)
    if now.session and now.session_settings != settings and not len(now.session.jobs):
        # it takes up to a second, for which Blender must not wait
        threading.Thread(target=now.session.close, name="tilewright-close", daemon=True).start()
        now.session = None
    if now.session is None:
        now.session = make_session(settings[0])
        now.session_settings = settings
        now.stores.add(settings[0])
    return now.session


def make_session(store: Path) -> Session:
    """A session that puts its results into `store`."""
    wanted = preferences.get()
    results = Store(store)
    return Session(
        store=results,
        find_runtime=preferences.find_engine,
        start_worker=local_workers(package.engine_log(), results.clean_parts, 60.0 * wanted.idle_minutes),
        product=package.version(),
        paces=Paces(package.data_folder("paces.json")),
        device=wanted.device,
        memory=wanted.memory,
    )
