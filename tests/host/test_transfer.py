# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are no wheels: what a download is without an index. How it fails is in test_download, by way of wheels."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from addon.core.errors import ErrorKind, UserError
from addon.host.transfer import Absent, Advice, Transfer, is_whole, masked
from tests.index import Index

NAME, DATA = "model-1.0-py3-none-any.whl", os.urandom(300_000)
DIGEST = hashlib.sha256(DATA).hexdigest()
ADVICE = Advice("login", "forbidden", "absent", "proxy login", "proxy", "untrusted", "certificates", "other")


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    made = Index((NAME, DATA))
    yield made
    made.close()


@pytest.fixture
def transfer() -> Transfer:
    return Transfer(ADVICE, timeout=0.5, pause=0.01)


def address(index: Index) -> str:
    return f"{index.url.removesuffix('/simple')}/files/{NAME}"


def test_a_file_comes_whole_and_tells_how_far_it_is(index: Index, transfer: Transfer, tmp_path: Path) -> None:
    target, seen = tmp_path / "weights.bin", []
    index.faults[NAME] = ["cut", ""]
    transfer.fetch(address(index), target, len(DATA), DIGEST, seen.append)
    assert target.read_bytes() == DATA
    assert is_whole(target, len(DATA), DIGEST)
    assert seen == sorted(seen), "what was there before the line broke is not fetched again"
    assert seen[-1] == len(DATA)
    assert [path.name for path in tmp_path.iterdir()] == ["weights.bin"]


@pytest.mark.parametrize(("status", "hint"), [(401, "login"), (403, "forbidden"), (407, "proxy login")])
def test_the_hint_is_that_of_whom_it_is_fetched_for(
    index: Index, transfer: Transfer, tmp_path: Path, status: int, hint: str
) -> None:
    index.faults[NAME] = [status]
    with pytest.raises(UserError) as caught:
        transfer.fetch(address(index), tmp_path / "a", len(DATA), DIGEST, lambda have: None)
    assert (caught.value.kind, caught.value.hint) == (ErrorKind.NETWORK, hint)


def test_what_is_absent_has_a_type_of_its_own(index: Index, transfer: Transfer, tmp_path: Path) -> None:
    index.faults[NAME] = [404]
    with pytest.raises(Absent) as caught:
        transfer.read(address(index), "*/*", 10)
    assert caught.value.hint == "absent"
    with pytest.raises(Absent):
        transfer.fetch(address(index), tmp_path / "a", len(DATA), DIGEST, lambda have: None)


def test_a_small_file_is_read_up_to_its_limit(index: Index, transfer: Transfer) -> None:
    assert transfer.read(address(index), "*/*", 10).data == DATA[:10]


def test_another_file_of_the_same_length_is_refused(index: Index, transfer: Transfer, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not the right file") as caught:
        transfer.fetch(address(index), tmp_path / "a", len(DATA), "0" * 64, lambda have: None)
    assert caught.value.hint == "other"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/a", "data:,words", "/etc/passwd"])
def test_only_the_web_is_read(transfer: Transfer, url: str) -> None:
    with pytest.raises(UserError, match="is no http or https address"):
        transfer.read(url, "*/*", 10)


def test_a_password_is_not_shown() -> None:
    assert masked("https://anna:secret@host/a@b") == "https://host/a@b"
