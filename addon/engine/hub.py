# SPDX-License-Identifier: GPL-3.0-or-later
"""Talks to a model hub: searches it, says what it has, downloads. Runs in a process of its own. Imports core.

huggingface_hub (2.4) knows where a file is and reads it over a shaky line, but it compares no hashes, goes on with
nothing that an earlier process has begun, and names its errors for programmers: all of that is done here.
"""

import io
import logging
import os
import shutil
import time
import urllib.parse
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from huggingface_hub import HfApi, constants, get_hf_file_metadata, get_token, hf_hub_url
from huggingface_hub.file_download import http_get
from huggingface_hub.utils import build_hf_headers

from ..core.child_process import Teller
from ..core.errors import ErrorKind, UserError, bug
from ..core.hub import choice, stored
from ..core.hub.messages import HubAction, HubModel, HubOutcome, HubProgress, HubStage, HubTask, encode
from ..core.hub.stored import HubFile, Plan
from ..core.results import disk_errors, sync
from ..core.single_holder import only_holder

_logger = logging.getLogger(__name__)
_TRIES = 3
_WAIT_SECONDS = 0.5  # for another Blender
_SPARE = 200_000_000  # bytes that stay free
_MAX_INDEX = 1 << 20  # bytes
_AGAIN = {408, 425, 429, 500, 502, 503, 504}
_NEXT_TIME = "What was downloaded is kept: Download continues from there."
# http_get passes on pieces of 10 MB: on a slow line a minute without a sign of life, and lost when it is cut.
constants.DOWNLOAD_CHUNK_SIZE = 1 << 18
T = TypeVar("T")


def main(task: str, replies: BinaryIO) -> int:
    """Do the task and tell about it. 0 if it went well."""
    teller = Teller(replies, encode, lambda progress: (progress.stage, progress.file))
    try:
        outcome = _do(HubTask.loads(task), teller)
    except UserError as error:
        _logger.error("%s", error)
        outcome = HubOutcome(error)
    except Exception as error:  # ours: the traceback goes into the log
        _logger.exception("The download made a mistake.")
        outcome = HubOutcome(bug(error))
    teller.tell(outcome)
    return 1 if outcome.error else 0


def _do(task: HubTask, teller: Teller) -> HubOutcome:
    hub = _Hub(task)
    if task.action is HubAction.SEARCH:
        return HubOutcome(found=hub.search(task.text, task.limit))
    if task.action is HubAction.LOOK:
        teller.progress(HubProgress(HubStage.ASKING))
        return hub.look(task.repository, task.revision, task.wanted)
    if task.plan is None:
        raise ValueError("no plan")
    models = Path(task.models)
    while True:
        with ExitStack() as stack:
            with disk_errors(models):
                ours = stack.enter_context(only_holder(models / stored.UNFINISHED))
            if ours:
                return HubOutcome(plan=task.plan, folder=str(_Download(hub, task.plan, models, teller).run()))
        teller.progress(HubProgress(HubStage.WAITING))
        time.sleep(_WAIT_SECONDS)


# --- what the hub knows -------------------------------------------------------------------------------------------


class _Hub:
    """A hub. A token is sent where one is asked for, and to nobody else."""

    def __init__(self, task: HubTask) -> None:
        self._pause = task.pause
        self.endpoint = (task.endpoint or str(constants.ENDPOINT)).rstrip("/")
        self._token = task.token.strip() or get_token() or ""
        self._api = HfApi(endpoint=self.endpoint, token=False)

    def search(self, text: str, limit: int) -> tuple[HubModel, ...]:
        """Models with those words in their names, the most used first."""
        found = self._patiently(_understood(lambda: self._search(text, limit)), self._complaint("The hub's search", ""))
        return tuple(model for model in found if stored.is_repository(model.repository))

    def _search(self, text: str, limit: int) -> list[HubModel]:
        found = self._api.list_models(
            search=text, filter=["diffusers", "safetensors"], sort="downloads", limit=limit, token=False
        )
        return [HubModel(str(m.id), int(m.downloads or 0), _licence(m.tags), bool(m.gated)) for m in found]

    def look(self, repository: str, revision: str, wanted: tuple[str, ...]) -> HubOutcome:
        """What would be downloaded of it."""
        if not stored.is_repository(repository):
            message = f"{repository!r} is no name of a repository."
            raise UserError(ErrorKind.REQUEST, message, "A name looks like owner/model.")
        bare, files = self._ask(
            lambda token: _understood(lambda: self._about(repository, revision, token))(), repository
        )
        index = next((file for file in files if file.path == choice.INDEX), None)
        if not wanted and index is None:
            try:
                chosen = choice.choose(repository, files, None)
            except UserError as error:
                return HubOutcome(error, loose=choice.loose_files(files))
        else:
            data = self.read(bare, index) if index and not wanted else None
            chosen = choice.choose(repository, files, data, wanted)
        return HubOutcome(plan=replace(bare, files=chosen))

    def _about(self, repository: str, revision: str, token: str | bool) -> tuple[Plan, tuple[HubFile, ...]]:
        """A plan that has no files yet, and all that the repository has."""
        about = self._api.model_info(repository, revision=revision or None, files_metadata=True, token=token)
        plan = Plan(repository, str(about.sha), (), _licence(about.tags), bool(about.gated))
        return Plan.from_json(plan.to_json()), tuple(map(_file, about.siblings or ()))

    def read(self, plan: Plan, file: HubFile) -> bytes:
        """A small file."""
        if file.size > _MAX_INDEX:
            raise UserError(ErrorKind.MODEL, f"{file.path} of {plan.repository} is too large for a configuration.")
        content = io.BytesIO()
        self.fetch(plan, file, content)
        return content.getvalue()

    def fetch(self, plan: Plan, file: HubFile, target: Any) -> None:
        """Write the file's bytes to `target`, an open file, from where that stands. They are compared with no hash.

        Raises `UserError`, or what the target raises.
        """
        if file.size > constants.MAX_HTTP_DOWNLOAD_SIZE:
            message = (
                f"{file.path} of {plan.repository} has {file.size / 1e9:.0f} GB, more than the hub gives in one piece."
            )
            raise UserError(ErrorKind.NETWORK, message, "Choose a model whose weights are in several files.")
        url = hf_hub_url(plan.repository, file.path, revision=plan.revision, endpoint=self.endpoint)

        def fetch(token: str | bool) -> None:
            known = get_hf_file_metadata(url, token=token, timeout=constants.HF_HUB_ETAG_TIMEOUT)
            if known.commit_hash is None or known.etag is None:
                raise _Foreign
            if known.etag != file.digest.partition(":")[2]:
                raise _changed(plan, file)
            headers = build_hf_headers(token=token if _same_host(url, known.location) else False)
            # a compressed one would be cut somewhere else than where the first part ended
            headers["Accept-Encoding"] = "identity"
            http_get(
                known.location,
                target,
                resume_size=target.tell(),
                headers=headers,
                expected_size=file.size,
                displayed_filename=file.path,
            )

        self._ask(fetch, plan.repository, file.path)

    def _ask(self, ask: Callable[[str | bool], T], repository: str, file: str = "") -> T:
        """Ask without a token, and once more with it where the hub wants one."""
        complaint = self._complaint(repository, file)
        try:
            return self._patiently(lambda: ask(False), complaint)
        except _Gated:
            if not self._token:
                raise
        return self._patiently(lambda: ask(self._token), complaint)

    def _patiently(self, action: Callable[[], T], complaint: Callable[[Exception], UserError | None]) -> T:
        """Try it three times, where another try may help. Raises `UserError`, or what has no sentence."""
        for attempt in range(_TRIES):
            try:
                return action()
            except UserError:
                raise
            except Exception as error:
                told = complaint(error)
                if told is None:
                    raise
                _logger.info("%s: %s", type(error).__name__, error)
                if attempt == _TRIES - 1 or not _may_pass(error):
                    raise told from error
                time.sleep(self._pause * (1 + 2 * attempt))
        raise AssertionError("the last try raises")

    def _complaint(self, repository: str, file: str) -> Callable[[Exception], UserError | None]:
        """Makes a sentence of what huggingface_hub raises; None of what it did not raise."""
        host = urllib.parse.urlsplit(self.endpoint).hostname or self.endpoint
        page = f"{self.endpoint}/{repository}"
        what = f"{file} of {repository}" if file else repository

        def network(message: str, hint: str) -> UserError:
            return UserError(ErrorKind.NETWORK, message, hint)

        def complain(error: Exception) -> UserError | None:
            kinds = {cls.__name__ for cls in type(error).__mro__}
            status = getattr(getattr(error, "response", None), "status_code", None)
            if "GatedRepoError" in kinds and (status == 401 or not self._token):
                hint = f"Agree to its terms on {page}, make a token there, and enter it in the preferences."
                return _Gated(ErrorKind.NETWORK, f"{repository} is given only to who agrees to its terms.", hint)
            if "GatedRepoError" in kinds:
                hint = f"Agree to its terms on {page} with the account that your token belongs to."
                return _Gated(ErrorKind.NETWORK, f"Your account has no access to {repository} yet.", hint)
            if "RevisionNotFoundError" in kinds:
                return network(f"{repository} has no such revision.", "Look it up again: it may have been withdrawn.")
            if "RepositoryNotFoundError" in kinds:
                hint = "Check the name. If it is private, enter a token in the preferences."
                return _Gated(ErrorKind.NETWORK, f"{host} has no {repository}, or shows it to members only.", hint)
            if status == 401:
                hint = "Make a new one on the hub, and enter it in the preferences."
                return _Gated(ErrorKind.NETWORK, f"{host} does not accept the token.", hint)
            if status == 403:
                hint = f"See {page}: you may need permission there."
                return _Gated(ErrorKind.NETWORK, f"{host} refuses access to {what} (403).", hint)
            if status == 404:
                return network(f"{host} does not have {what} (404).", "Look it up again: it may have been withdrawn.")
            if status == 416:
                return network(f"{host} has another {what} than it said (416).", _NEXT_TIME)
            if status == 429:
                return network(f"{host} was asked too often (429).", f"Wait some minutes. {_NEXT_TIME}")
            if status is not None:
                return network(f"{host} answers with an error ({status}).", f"Try again later. {_NEXT_TIME}")
            if "_Foreign" in kinds or "FileMetadataError" in kinds:
                hint = "Log in to your network, or check the hub's address in the preferences and HF_ENDPOINT."
                return network(f"What answers as {host} is no model hub.", hint)
            if "ProxyError" in kinds:
                return network(f"The proxy on the way to {host} does not answer.", "Check your system's proxy.")
            if kinds & {"TimeoutException", "Timeout"}:
                return network(f"{host} did not answer in time.", _NEXT_TIME)
            if kinds & {"ConnectError", "ConnectionError"}:
                reason = " ".join(str(error).split()).rstrip(".")[:200]
                return network(f"{host} cannot be reached: {reason}.", f"Check the connection. {_NEXT_TIME}")
            if kinds & {"TransportError", "RequestException"}:
                return network(f"The line to {host} was cut.", _NEXT_TIME)
            if "Consistency check failed" in str(error):
                return network(f"{what} came with another length than {host} had said.", _NEXT_TIME)
            return None

        return complain


class _Foreign(Exception):
    """Something answered that is no hub: a hotel's login, a mirror of something else."""


class _Gated(UserError):
    """The hub wants a token, or another one."""


def _may_pass(error: Exception) -> bool:
    """Whether another try may help. What has no answer `http_get` has tried five times already."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    return status in _AGAIN or (status is None and not isinstance(error, _Foreign))


def _understood(ask: Callable[[], T]) -> Callable[[], T]:
    """The same, which raises `_Foreign` where the answer makes no sense."""

    def asked() -> T:
        try:
            return ask()
        except (KeyError, TypeError, ValueError, AttributeError) as error:  # of JSON too
            raise _Foreign from error

    return asked


def _file(sibling: Any) -> HubFile:
    digest = f"sha256:{sibling.lfs.sha256}" if sibling.lfs else f"git:{sibling.blob_id}"
    return HubFile(str(sibling.rfilename), int(sibling.size), digest)


def _licence(tags: list[str] | None) -> str:
    return next((tag.partition(":")[2] for tag in tags or () if tag.startswith("license:")), "")


def _same_host(one: str, other: str) -> bool:
    parts = [urllib.parse.urlsplit(url) for url in (one, other)]
    return parts[0][:2] == parts[1][:2]


def _changed(plan: Plan, file: HubFile) -> UserError:
    message = f"{file.path} of {plan.repository} is not the file that was looked up."
    return UserError(ErrorKind.NETWORK, message, "Look it up again: it has been changed.")


# --- onto the disk ------------------------------------------------------------------------------------------------


class _Download:
    """Brings one model's folder to what a plan says: all files, each compared with its hash, and nothing half.

    What is begun lies in a folder of its own among the unfinished ones, and comes to its place by one rename.
    """

    def __init__(self, hub: _Hub, plan: Plan, models: Path, teller: Teller) -> None:
        self._hub = hub
        self._plan = plan
        self._teller = teller
        self._target = models / plan.folder_name
        self._work = models / stored.UNFINISHED / plan.folder_name
        self._done = 0
        self._clock: tuple[int, float] | None = None  # bytes that were there when the download began, and when

    def run(self) -> Path:
        """The model's folder. Raises `UserError`."""
        with disk_errors(self._work.parent):
            self._take_up()
            missing = self._missing()
        self._check_space(missing)
        for file in missing:
            self._fetch(file)
        with disk_errors(self._target.parent):
            stored.save(self._work, self._plan)
            for part in self._work.rglob("*.part"):
                part.unlink()
            os.rename(self._work, self._target)
            sync(self._target.parent)
        return self._target

    def _take_up(self) -> None:
        """Go on with what is there: a model that is to be mended, or what was begun."""
        if self._target.exists():
            if stored.load(self._target) is None:
                message = f"{self._target} is there already, and was not downloaded by Tilewright."
                raise UserError(ErrorKind.DISK, message, "Move or rename that folder.")
            if self._work.exists():
                shutil.rmtree(self._work)
            os.rename(self._target, self._work)  # while it is mended, it does not count
        self._work.mkdir(parents=True, exist_ok=True)
        stored.save(self._work, self._plan)

    def _missing(self) -> list[HubFile]:
        """The files that are not there, or not whole; those that are, are counted as done."""
        missing, total = [], self._plan.size
        for file in self._plan.files:
            seen = self._done

            def tell(piece: int, file: HubFile = file) -> None:
                nonlocal seen
                seen += piece
                self._teller.progress(HubProgress(HubStage.CHECKING, file.path, seen, total))

            if stored.is_whole(self._work / file.path, file, tell):
                self._done += file.size
            else:
                missing.append(file)
        return missing

    def _check_space(self, missing: list[HubFile]) -> None:
        needed = sum(file.size - _size(self._part(file)) for file in missing)
        with disk_errors(self._work):
            free = shutil.disk_usage(self._work).free
        if needed and free < needed + _SPARE:
            message = f"{self._target.parent} has {free / 1e9:.1f} GB free, and {(needed + _SPARE) / 1e9:.1f} GB are"
            hint = "Free some space, or choose a folder on another drive in the preferences."
            raise UserError(ErrorKind.DISK, f"{message} needed.", hint)

    def _part(self, file: HubFile) -> Path:
        path = self._work / file.path
        return path.with_name(f"{path.name}.{file.digest[-8:]}.part")

    def _fetch(self, file: HubFile) -> None:
        part = self._part(file)
        for attempt in range(_TRIES):
            self._read(file, part)
            read = 0

            def tell(piece: int) -> None:
                nonlocal read
                read += piece
                self._teller.progress(HubProgress(HubStage.CHECKING, file.path, self._done + read, self._plan.size))

            with disk_errors(part.parent):
                if stored.is_whole(part, file, tell):
                    os.replace(part, self._work / file.path)
                    self._done += file.size
                    return
                part.unlink()  # a wrong byte may be anywhere
            _logger.warning("%s came with another hash (try %d).", file.path, attempt + 1)
        message = f"{file.path} of {self._plan.repository} is not the right file: its hash is another."
        raise UserError(ErrorKind.NETWORK, message, "Nothing of it was kept. Try again later, or from another hub.")

    def _read(self, file: HubFile, part: Path) -> None:
        with disk_errors(part.parent):
            part.parent.mkdir(parents=True, exist_ok=True)
            if _size(part) > file.size:
                part.unlink()
            opened = part.open("r+b" if part.exists() else "w+b")
        with opened:
            if opened.seek(0, os.SEEK_END) == file.size:
                return
            try:
                self._hub.fetch(self._plan, file, _Counted(opened, lambda place: self._tell(file, place)))
            except UserError:
                raise
            except OSError as error:  # the disk's: those of the network have been told as `UserError`
                reason = error.strerror or type(error).__name__
                message = f"Cannot write to {part.parent}: {reason}."
                hint = "Free some space there, or choose another folder in the preferences."
                raise UserError(ErrorKind.DISK, message, hint) from error
            with disk_errors(part.parent):
                opened.flush()
                os.fsync(opened.fileno())

    def _tell(self, file: HubFile, place: int) -> None:
        done, now = self._done + place, time.monotonic()
        if self._clock is None:
            self._clock = done, now
        first, begin = self._clock
        seconds, total = now - begin, self._plan.size
        left = (total - done) / ((done - first) / seconds) if done > first and seconds > 2 else None
        self._teller.progress(HubProgress(HubStage.DOWNLOADING, file.path, done, total, left))


class _Counted:
    """An open file that tells where it stands after each write: `http_get` uses no more of it than this."""

    def __init__(self, file: BinaryIO, tell: Callable[[int], None]) -> None:
        self._file = file
        self._tell = tell

    def write(self, data: bytes) -> int:
        written = self._file.write(data)
        self._tell(self._file.tell())
        return written

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, place: int) -> int:
        return self._file.seek(place)

    def truncate(self) -> int:
        return self._file.truncate()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
