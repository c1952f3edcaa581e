# SPDX-License-Identifier: GPL-3.0-or-later
"""The real huggingface_hub against a hub on the loopback device: what it finds, downloads, goes on with and refuses.

FAULTS.md 21 to 24, for models. Each is a process of its own, as Blender starts it.
"""

import hashlib
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from addon.core.errors import ErrorKind, UserError
from addon.core.hub import choice, stored
from addon.core.hub.messages import HubAction, HubOutcome, HubProgress, HubStage, HubTask
from addon.core.hub.stored import HubFile, Plan
from addon.core.model_files import folder as model_folder
from addon.host.hub import HubErrand
from tests.hub import STRANGER, TOKEN, Hub, Repository, git_sha1, is_large

NAME = "somebody/tiny-model"
UNET = "unet/diffusion_pytorch_model.safetensors"
STARTER = Path(__file__).resolve().parents[2] / "addon" / "models" / "starter"
PATIENT = 60.0


def tensors(size: int = 400_000) -> bytes:
    """A safetensors file."""
    header = json.dumps({"a": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    return len(header).to_bytes(8, "little") + header + os.urandom(size)


def model() -> dict[str, bytes]:
    """A small folder in diffusers format, with configurations of the starter's."""
    files = {
        str(path.relative_to(STARTER).as_posix()): path.read_bytes()
        for path in STARTER.rglob("*.json")
        if path.name != "tokenizer.json"
    }
    files["tokenizer/tokenizer.json"] = b'{"version": "1.0"}'
    for part in ("unet", "vae"):
        files[f"{part}/diffusion_pytorch_model.safetensors"] = tensors()
    return files | {"text_encoder/model.safetensors": tensors(), "README.md": b"# Tiny", "LICENSE": b"free"}


class Site:
    """A hub, a folder of models, and what asks the one for the other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.models = folder / "models 纹 's folder"
        self.hub = Hub({NAME: Repository(model())})
        self.running: list[HubErrand] = []

    @property
    def repository(self) -> Repository:
        return self.hub.repositories[NAME]

    @property
    def target(self) -> Path:
        return self.models / "somebody--tiny-model"

    @property
    def unfinished(self) -> Path:
        return self.models / stored.UNFINISHED / "somebody--tiny-model"

    @property
    def log(self) -> str:
        return (self.folder / "hub.log").read_text(encoding="utf-8", errors="replace")

    def start(self, action: HubAction, **fields: Any) -> HubErrand:
        made = HubErrand(HubTask(action, **({"pause": 0.05} | fields)), self.folder / "hub.log", Path(sys.executable))
        self.running.append(made)
        return made

    def finish(self, errand: HubErrand, limit: float = PATIENT) -> HubOutcome:
        end = time.monotonic() + limit
        while errand.outcome is None:
            errand.pump()
            assert time.monotonic() < end, "the process did not end"
            time.sleep(0.005)
        return errand.outcome

    def run(self, action: HubAction, **fields: Any) -> HubOutcome:
        return self.finish(self.start(action, **fields))

    def look(self, repository: str = NAME, **fields: Any) -> Plan:
        outcome = self.run(HubAction.LOOK, repository=repository, **fields)
        assert outcome.plan, f"{outcome.error}\n{self.log}"
        return outcome.plan

    def plan(self) -> Plan:
        """What `look` finds, found out without a process: see the test of that."""
        files = []
        for path, data in self.repository.files.items():
            large = f"sha256:{hashlib.sha256(data).hexdigest()}"
            files.append(HubFile(path, len(data), large if is_large(path, data) else f"git:{git_sha1(data)}"))
        chosen = choice.choose(NAME, files, self.repository.files["model_index.json"])
        return Plan(NAME, self.repository.sha, chosen, self.repository.licence)

    def refused(self, action: HubAction = HubAction.LOOK, **fields: Any) -> UserError:
        outcome = self.run(action, **({"repository": NAME} | fields))
        assert outcome.error is not None, outcome
        assert outcome.error.kind is not ErrorKind.BUG, self.log
        return outcome.error

    def download(self, plan: Plan, **fields: Any) -> HubOutcome:
        return self.run(HubAction.DOWNLOAD, plan=plan, models=str(self.models), **fields)

    def failing(self, plan: Plan, **fields: Any) -> UserError:
        return self.refused(HubAction.DOWNLOAD, plan=plan, models=str(self.models), **fields)

    def assert_whole(self, repository: Repository | None = None) -> None:
        wanted = repository or self.repository
        plan = stored.load(self.target)
        assert plan is not None
        assert plan.revision == wanted.sha
        for file in plan.files:
            assert (self.target / file.path).read_bytes() == wanted.files[file.path]
        assert [path.name for path in self.models.rglob("*.part")] == []
        assert not self.unfinished.exists()

    def part(self) -> Path | None:
        """What there is of the U-Net."""
        return next((self.unfinished / "unet").glob("*.part"), None)

    def ranges(self) -> list[str]:
        """The parts that were asked of large files."""
        return [part for method, path, part, _ in self.hub.asked if method == "GET" and path.startswith("store:")]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    made = Site(tmp_path)
    for name in [name for name in os.environ if name.startswith("HF_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_ENDPOINT", made.hub.url)
    monkeypatch.setenv("HF_HUB_DOWNLOAD_TIMEOUT", "1")
    monkeypatch.setenv("HF_HUB_ETAG_TIMEOUT", "1")
    yield made
    for errand in made.running:
        assert errand.close()
    made.hub.close()


def test_a_search_finds_what_can_be_run_and_tells_the_hub_nothing_but_the_words(site: Site) -> None:
    site.hub.repositories["somebody/large-model"] = Repository({}, downloads=7, licence="mit", gated=True)
    found = site.run(HubAction.SEARCH, text="model").found
    assert [(item.repository, item.licence, item.gated) for item in found] == [
        ("somebody/large-model", "mit", True),
        (NAME, "apache-2.0", False),
    ]
    # huggingface_hub 2.4 asks the hub on its own which programs around it could be named to it
    assert len(site.hub.asked) == 1
    assert "search=model" in site.hub.asked[0][1]
    assert site.run(HubAction.SEARCH, text="nothing of that name").found == ()


def test_a_look_pins_the_revision_and_says_what_would_be_downloaded(site: Site) -> None:
    site.repository.files |= {"unet/extra.py": b"boom", "pic.png": b"x", "unet/diffusion_pytorch_model.bin": b"boom"}
    plan = site.look()
    assert (plan.revision, plan.licence, plan.gated) == (site.repository.sha, "apache-2.0", False)
    paths = [file.path for file in plan.files]
    assert UNET in paths
    assert "tokenizer/tokenizer.json" in paths
    assert not [path for path in paths if path.endswith((".py", ".bin", ".png"))]
    assert plan.size == sum(len(site.repository.files[path]) for path in paths)
    assert "LICENSE" in paths, "the licence goes with the weights"
    assert not site.models.exists(), "looking changes nothing"
    assert plan == site.plan()


def test_a_model_is_downloaded_checked_and_told_about(site: Site) -> None:
    errand = site.start(HubAction.DOWNLOAD, plan=site.plan(), models=str(site.models))
    stages: list[HubProgress] = []
    while errand.outcome is None:
        if errand.pump():
            stages.append(errand.progress)
        time.sleep(0.001)
    assert errand.outcome.error is None, f"{errand.outcome}\n{site.log}"
    assert errand.outcome.folder == str(site.target)
    site.assert_whole()
    assert model_folder.verify(site.target).family.pipeline == "StableDiffusionPipeline"
    assert stages[-1].fraction == 1.0
    fractions = [told.fraction for told in stages if told.stage is HubStage.DOWNLOADING]
    assert fractions == sorted(fractions)
    # again: nothing is asked for, since all is there
    site.hub.asked.clear()
    assert site.download(stored.load(site.target)).error is None  # type: ignore[arg-type]
    assert site.hub.asked == []
    site.assert_whole()


def test_what_is_broken_is_mended_and_nothing_else_is_read_again(site: Site) -> None:
    plan = site.plan()
    assert site.download(plan).error is None
    (site.target / UNET).write_bytes(bytes(len(site.repository.files[UNET])))
    (site.target / "vae" / "config.json").unlink()
    assert stored.broken(site.target, plan) == [UNET, "vae/config.json"]
    site.hub.asked.clear()
    assert site.download(plan).error is None
    site.assert_whole()
    assert {
        path.partition("resolve/")[2].partition("/")[2] for _, path, _, _ in site.hub.asked if "/resolve/" in path
    } == {
        UNET,
        "vae/config.json",
    }


def test_another_revision_brings_what_has_changed_and_takes_it_up_in_place(site: Site) -> None:
    assert site.download(site.plan()).error is None
    site.repository.files[UNET] = tensors()
    site.hub.asked.clear()
    assert site.download(site.plan()).error is None
    site.assert_whole()
    assert len(site.ranges()) == 1


def test_large_files_in_chunks_come_by_the_plain_way(site: Site) -> None:
    site.repository.xet = True
    assert site.download(site.plan()).error is None
    site.assert_whole()
    assert not [path for _, path, _, _ in site.hub.asked if "xet" in path]


def test_half_precision_is_taken_where_it_is_complete(site: Site) -> None:
    for part in ("unet", "vae"):
        site.repository.files[f"{part}/diffusion_pytorch_model.fp16.safetensors"] = tensors(1000)
    plan = site.plan()
    assert UNET in [file.path for file in plan.files], "the text encoder has none"
    site.repository.files["text_encoder/model.fp16.safetensors"] = tensors(1000)
    plan = site.plan()
    weights = [file.path for file in plan.files if file.path.endswith(".safetensors")]
    assert len(weights) == 3
    assert all(".fp16." in path for path in weights)
    assert site.download(plan).error is None
    assert set(model_folder.verify(site.target).variants.values()) == {"fp16"}


# --- faults ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("faults", [["cut", ""], ["cut", "no range"], ["stall", ""], [500, ""], [429, ""], [503, ""]])
def test_fault_22_a_line_that_is_cut_is_gone_on_with(site: Site, faults: list[Any]) -> None:
    plan = site.plan()
    site.hub.faults[("file", UNET)] = faults
    outcome = site.download(plan)
    assert outcome.error is None, site.log
    site.assert_whole()


def test_fault_22_what_an_earlier_process_has_begun_is_gone_on_with(site: Site) -> None:
    plan = site.plan()
    site.hub.faults[("file", UNET)] = ["slow"]
    errand = site.start(HubAction.DOWNLOAD, plan=plan, models=str(site.models))
    end = time.monotonic() + PATIENT
    while not ((part := site.part()) and part.stat().st_size > 50_000):
        assert time.monotonic() < end
        time.sleep(0.01)
    begin = time.monotonic()
    errand.cancel()
    outcome = site.finish(errand)
    assert time.monotonic() - begin < 1.0
    assert outcome.error
    assert "continues from there" in outcome.error.hint
    begun = part.stat().st_size
    assert begun < len(site.repository.files[UNET])
    assert not site.target.exists(), "half a model does not count"
    site.hub.faults.clear()
    site.hub.asked.clear()
    assert site.download(plan).error is None
    site.assert_whole()
    assert f"bytes={begun}-" in site.ranges()


def test_fault_22_wrong_bytes_are_refused_by_their_hash_and_the_model_does_not_count(site: Site) -> None:
    plan = site.plan()
    site.hub.faults[("file", UNET)] = ["wrong"]  # huggingface_hub 2.4 compares lengths, and takes it
    error = site.failing(plan)
    assert UNET in error.message
    assert "hash" in error.message
    assert not site.target.exists()
    assert site.part() is None, "what is wrong is not kept"
    site.hub.faults[("file", UNET)] = ["wrong", ""]
    assert site.download(plan).error is None
    site.assert_whole()


@pytest.mark.parametrize("path", [UNET, "vae/config.json"])
def test_fault_22_a_repository_that_changes_in_between_gives_what_was_looked_up_or_nothing(
    site: Site, path: str
) -> None:
    plan = site.plan()
    site.repository.files[path] = tensors(1000)
    error = site.failing(plan)
    assert "no such revision" in error.message
    assert not site.target.exists()


@pytest.mark.parametrize("fault", ["short", "html"])
def test_fault_22_another_length_than_was_said_is_refused(site: Site, fault: str) -> None:
    plan = site.plan()
    site.hub.faults[("file", UNET)] = [fault]
    error = site.failing(plan)
    assert error.kind is ErrorKind.NETWORK
    assert UNET in error.message
    assert not site.target.exists()
    site.hub.faults.clear()
    assert site.download(plan).error is None
    site.assert_whole()


@pytest.mark.parametrize(
    ("where", "fault", "words"),
    [
        ("api", 401, "does not accept the token"),
        ("api", 403, "refuses access"),
        ("api", 404, "does not have somebody/tiny-model (404)"),
        ("api", 429, "asked too often"),
        ("api", 500, "answers with an error (500)"),
        ("api", "html", "is no model hub"),
        ("api", "drop", "was cut"),
        ("head", "html", "is no model hub"),
        ("head", "stall", "did not answer in time"),
        ("head", 404, "does not have model_index.json"),
        ("head", 502, "answers with an error (502)"),
    ],
)
def test_fault_23_each_refusal_has_its_own_sentence_and_three_tries_at_most(
    site: Site, where: str, fault: Any, words: str
) -> None:
    site.hub.faults[(where, "*")] = [fault]
    error = site.refused()
    assert words in error.message
    assert error.hint
    asked = [path for _, path, _, _ in site.hub.asked if ("/resolve/" in path) == (where == "head")]
    assert 1 <= len(asked) <= 3


def test_fault_23_gated_models_say_what_to_do_and_a_token_goes_only_where_it_is_asked_for(site: Site) -> None:
    site.repository.gated = True
    error = site.refused()
    assert "agrees to its terms" in error.message
    assert f"{site.hub.url}/{NAME}" in error.hint
    error = site.refused(token=STRANGER)
    assert "no access to somebody/tiny-model yet" in error.message
    error = site.refused(token="hf_mistyped")
    assert "does not accept the token" in error.message
    plan = site.look(token=TOKEN)
    assert plan.gated
    site.hub.asked.clear()
    assert site.download(plan, token=TOKEN).error is None, site.log
    site.assert_whole()
    with_token = [path for _, path, _, token in site.hub.asked if token]
    assert with_token
    assert not [path for path in with_token if path.startswith("store:")]
    assert TOKEN not in site.log
    assert TOKEN not in (site.target / stored.FILE).read_text()
    # what is free is asked for without one
    site.repository.gated = False
    site.hub.asked.clear()
    site.look(token=TOKEN)
    assert not [path for _, path, _, token in site.hub.asked if token]


def test_fault_23_the_token_that_the_hubs_own_tools_keep_is_used_where_none_was_entered(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.repository.private = True
    assert "members only" in site.refused().message
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert site.look().revision == site.repository.sha


def test_fault_23_a_hub_that_is_not_there_and_a_proxy_that_is_dead(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert "127.0.0.1 cannot be reached" in site.refused().message
    monkeypatch.setenv("HF_ENDPOINT", "http://hub.invalid")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    error = site.refused()
    assert "hub.invalid" in error.message


def test_fault_24_two_download_at_once_and_the_first_dies(site: Site) -> None:
    plan = site.plan()
    site.hub.faults[("file", UNET)] = ["slow", ""]
    first = site.start(HubAction.DOWNLOAD, plan=plan, models=str(site.models))
    end = time.monotonic() + PATIENT
    while site.part() is None:
        assert time.monotonic() < end
        time.sleep(0.01)
    second = site.start(HubAction.DOWNLOAD, plan=plan, models=str(site.models))
    while second.progress.stage is not HubStage.WAITING:
        second.pump()
        assert time.monotonic() < end
        time.sleep(0.01)
    first.cancel()
    assert site.finish(second).error is None
    site.assert_whole()
    assert site.finish(first).error


def test_fault_24_two_download_at_once_and_the_second_finds_all_there(site: Site) -> None:
    plan = site.plan()
    both = [site.start(HubAction.DOWNLOAD, plan=plan, models=str(site.models)) for _ in range(2)]
    assert [site.finish(errand).error for errand in both] == [None, None]
    site.assert_whole()
    assert len(site.ranges()) == 3


def test_fault_14_a_full_disk_is_told_and_the_next_download_goes_on(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = site.plan()
    huge = Plan(
        plan.repository, plan.revision, tuple(stored.HubFile(f.path, f.size * 10**9, f.digest) for f in plan.files)
    )
    error = site.failing(huge)
    assert error.kind is ErrorKind.DISK
    assert "GB free" in error.message
    assert not [path for _, path, _, _ in site.hub.asked if path.startswith("store:")], "before anything is read"
    resource = pytest.importorskip("resource")
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    # the system then says "file too large" in the middle of a write, as it says "no space left" on a full disk
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, limit[1]))
    try:
        error = site.failing(plan)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, before)
    assert error.kind is ErrorKind.DISK
    assert str(site.models) in error.message
    assert not site.target.exists()
    assert site.download(plan).error is None
    site.assert_whole()


def test_a_folder_of_somebody_elses_is_left_alone(site: Site) -> None:
    site.target.mkdir(parents=True)
    (site.target / "mine.txt").write_text("mine")
    error = site.failing(site.plan())
    assert str(site.target) in error.message
    assert (site.target / "mine.txt").read_text() == "mine"


def test_a_process_whose_blender_is_gone_ends(site: Site) -> None:
    plan = site.plan()
    site.hub.faults[("file", UNET)] = ["stall"]
    errand = site.start(HubAction.DOWNLOAD, plan=plan, models=str(site.models))
    end = time.monotonic() + PATIENT
    while not [path for _, path, _, _ in site.hub.asked if path.startswith("store:")]:
        assert time.monotonic() < end
        time.sleep(0.01)
    process = errand._child._process
    assert process
    assert process.stdin
    process.stdin.close()
    site.finish(errand, 5.0)


@pytest.mark.parametrize(
    "name", ["..", "../x", "a/../b", "a/b/c", "/etc/passwd", "a", "", "a/b.git", "C:/x", "a/nul", "a\\b", "a/b\n"]
)
def test_fault_21_names_that_lead_elsewhere_are_refused_before_anything_is_asked(site: Site, name: str) -> None:
    error = site.refused(repository=name)
    assert error.kind is ErrorKind.REQUEST
    assert site.hub.asked == []


def test_fault_21_files_with_names_that_lead_elsewhere_are_not_downloaded(site: Site) -> None:
    for path in (
        "../outside.json",
        "/outside.json",
        "unet/../../outside.json",
        "tokenizer/nul.json",
        "tokenizer\\x.json",
    ):
        site.repository.files[path] = b"{}"
    plan = site.plan()
    assert not [file.path for file in plan.files if "outside" in file.path or "nul" in file.path or "\\" in file.path]


def test_fault_20_a_model_with_pickles_only_is_refused_by_name(site: Site) -> None:
    del site.repository.files[UNET]
    site.repository.files["unet/diffusion_pytorch_model.bin"] = b"cos\nsystem\n"
    error = site.refused()
    assert "unet/diffusion_pytorch_model.bin" in error.message
    assert "pickle" in error.message
    assert not site.models.exists()


def test_a_single_file_is_downloaded_and_several_have_to_be_chosen_from(site: Site) -> None:
    files = {"one.safetensors": tensors(1000), "README.md": b"hello"}
    site.hub.repositories["somebody/files"] = Repository(dict(files))
    plan = site.look("somebody/files")
    assert [file.path for file in plan.files] == ["README.md", "one.safetensors"]
    site.hub.repositories["somebody/files"].files["two.safetensors"] = tensors(1000)
    outcome = site.run(HubAction.LOOK, repository="somebody/files")
    assert outcome.error
    assert outcome.loose == ("one.safetensors", "two.safetensors")
    plan = site.look("somebody/files", wanted=("two.safetensors",))
    assert "one.safetensors" not in [file.path for file in plan.files]
    assert site.download(plan).error is None
    assert (site.models / "somebody--files" / "two.safetensors").is_file()


def test_a_python_without_huggingface_hub_is_named(site: Site, tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "$@"\n')  # without any packages
    python.chmod(0o755)
    errand = HubErrand(HubTask(HubAction.SEARCH, text="x"), site.folder / "hub.log", python)
    site.running.append(errand)
    outcome = site.finish(errand)
    assert outcome.error
    assert "cannot load huggingface_hub" in outcome.error.message
