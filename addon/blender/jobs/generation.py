# SPDX-License-Identifier: GPL-3.0-or-later
"""Starting jobs and waiting for them: what the operators and the command line call. Imports bpy, core and host."""

import threading
from collections.abc import Sequence
from pathlib import Path

import bpy

from ...core.errors import ErrorKind, UserError
from ...core.jobs import Job, JobState
from ...core.naming import slug
from ...core.prompt_files import Wish
from ...core.requests.texture import TextureRequest
from ...host.paces import Paces
from ...host.process import local_workers
from ...host.session import Session
from ...host.ssh_link import DEADLINES, ssh_workers
from ...host.store import Store
from ..common import package, preferences, state
from ..settings import request
from ..settings.properties import TILEWRIGHT_PG_settings, chosen_target, settings_of, target_problem
from . import pump, templates


def start(context: bpy.types.Context) -> Job:
    """Queue what the scene's settings ask for, and return at once. Raises `UserError`.

    Where nothing is there that takes a texture, it goes into the history alone.
    """
    settings = settings_of(context.scene)
    current = state.current
    try:
        wanted, folder = asked_for(settings)
    except UserError as error:
        current.error = error
        raise
    job = submit(context, wanted, folder=folder)
    if settings.use_random_seed:  # so that the user can see and keep it
        settings.seed = wanted.seed
        settings.variation_seed = wanted.variation_seed or settings.variation_seed
    return job


def asked_for(settings: TILEWRIGHT_PG_settings) -> tuple[TextureRequest, Path | None]:
    """What the settings ask for, and the folder of what was written for it, None for nothing. Raises `UserError`."""
    with templates.prepared(settings) as pictures:
        wanted = request.from_settings(settings, template=pictures.template, guides=pictures.guides)
        return wanted, pictures.folder


def start_all(context: bpy.types.Context, wishes: Sequence[Wish], title: str) -> list[Job]:
    """As `start`, for each line of a list; their textures go into the history alone. Raises `UserError` for none.

    title: what the list is called.
    """
    settings = settings_of(context.scene)
    with templates.prepared(settings) as pictures:
        requests = [request.from_settings(settings, wish, pictures.template, pictures.guides) for wish in wishes]
        jobs = [submit(context, wanted, into_history=True, folder=pictures.folder) for wanted in requests]
    lists = state.current.lists
    lists[:] = [*(one for one in lists if one.left), state.PromptList(title, tuple(jobs))]
    return jobs


def submit(
    context: bpy.types.Context, wanted: TextureRequest, *, into_history: bool = False, folder: Path | None = None
) -> Job:
    """Queue a request whose first texture goes where the scene's target says, and return at once. Raises `UserError`.

    Where the user wants previews first, or there is no such place, it goes into the history alone. folder: goes when no
    job reads from it any more.
    """
    current = state.current
    current.error = None
    try:
        target = None
        if not (into_history or goes_into_history(context)):
            target = chosen_target(context)
        preferences.check_engine()
        here = session()
        here.previews = preferences.get().previews and not bpy.app.background
        job = here.submit(wanted)
    except UserError as error:
        current.error = error
        templates.drop(folder)
        raise
    if folder is not None:
        current.folders[job.id] = folder
    if target:
        current.targets[job.id] = target
    current.view.follows = True
    pump.ensure_running()
    return job


def goes_into_history(context: bpy.types.Context) -> bool:
    """Whether a new texture goes into no material by itself."""
    return bool(preferences.get().previews_first) or target_problem(context) is not None


def wait(job: Job) -> None:
    """Background mode: run the job to its end and deliver it. Raises `UserError` if it failed or was cancelled."""
    current = state.current
    try:
        current.session.wait(job, tick=pump.handle)
    except BaseException:  # Ctrl-C: the job must not go on without anybody waiting for it
        current.session.cancel(job)
        raise
    before = current.error
    pump.deliver_waiting()
    error = job.error or (current.error if current.error is not before else None)
    if job.state is JobState.CANCELLED:
        error = UserError(ErrorKind.REQUEST, "The job was cancelled.")
    if error:
        raise error


def session() -> Session:
    """The one session; made with the present preferences, and anew if they changed while nothing runs."""
    current = state.current
    prefs = preferences.get()
    there = preferences.place()
    settings = (preferences.store_folder(), prefs.device, prefs.memory, prefs.idle_minutes, prefs.priority, there)
    if current.session and current.session_settings != settings and not len(current.session.jobs):
        # it takes up to a second, for which Blender must not wait
        threading.Thread(target=current.session.close, name="tilewright-close", daemon=True).start()
        current.session = None
    if current.session is None:
        current.session = make_session(settings[0])
        current.session_settings = settings
        current.stores.add(settings[0])
    return current.session


def make_session(store: Path, *, here: bool = False) -> Session:
    """A session that puts its results into `store`. here: with a worker on this computer, whatever is chosen."""
    prefs = preferences.get()
    results = Store(store)
    low = prefs.priority == "LOW"
    there = None if here else preferences.place()
    if there:
        idle = 60.0 * prefs.idle_minutes
        return Session(
            store=results,
            find_runtime=preferences.find_worker,
            start_worker=ssh_workers(there, package.engine_log(), results, package.version(), idle, low=low),
            product=package.version(),
            # its own: how long such jobs take here says nothing of there
            paces=Paces(package.data_folder(f"paces-{slug(there.host)}.json")),
            deadlines=DEADLINES,
        )
    return Session(
        store=results,
        find_runtime=preferences.find_engine,
        start_worker=local_workers(package.engine_log(), results.clean_parts, 60.0 * prefs.idle_minutes, low=low),
        product=package.version(),
        paces=Paces(package.data_folder("paces.json")),
        device=prefs.device,
        memory=prefs.memory,
    )
