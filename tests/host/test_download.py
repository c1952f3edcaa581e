# SPDX-License-Identifier: GPL-3.0-or-later
"""Wheels from an index that fails in every way (FAULTS.md 22 and 23), and where pip and uv say that the index is."""

import hashlib
import os
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from addon.core.errors import ErrorKind, UserError
from addon.core.lock import Wheel
from addon.host import indexes
from addon.host.download import Fetcher
from addon.host.indexes import Settings
from tests.index import Index, make_wheel

FILE, DATA = make_wheel("boulder", files={"data.bin": os.urandom(300_000)})
WHEEL = Wheel(FILE, len(DATA), hashlib.sha256(DATA).hexdigest())


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_")) or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)


@pytest.fixture
def index() -> Iterator[Index]:
    made = Index((FILE, DATA))
    yield made
    made.close()


def fetch(folder: Path, *urls: str, online: bool = True, **settings: object) -> Path:
    fetcher = Fetcher(Settings(urls, **settings), online=online, timeout=0.5, pause=0.01)  # type: ignore[arg-type]
    return fetcher.fetch(WHEEL, folder, lambda have: None)


def refused(folder: Path, *urls: str, **more: object) -> UserError:
    with pytest.raises(UserError) as caught:
        fetch(folder, *urls, **more)  # type: ignore[arg-type]
    assert not (folder / FILE).exists()
    assert caught.value.kind is ErrorKind.NETWORK
    return caught.value


def test_a_wheel_comes_whole_and_is_not_fetched_twice(index: Index, tmp_path: Path) -> None:
    assert fetch(tmp_path, index.url).read_bytes() == DATA
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
    asked = len(index.asked)
    fetch(tmp_path, index.url)
    assert len(index.asked) == asked


# --- 22 -----------------------------------------------------------------------------------------------------------


def test_fault_22_a_download_cut_at_half_is_resumed(index: Index, tmp_path: Path) -> None:
    index.faults[FILE] = ["cut", "cut", ""]
    assert fetch(tmp_path, index.url).read_bytes() == DATA
    assert [bool(asked) for path, asked in index.asked if path.endswith(FILE)] == [False, True, True]


def test_fault_22_one_that_is_always_cut_is_refused_and_goes_on_later(index: Index, tmp_path: Path) -> None:
    index.faults[FILE] = ["cut"]
    error = refused(tmp_path, index.url)
    assert "broke off after" in error.message
    index.faults.clear()
    assert fetch(tmp_path, index.url).read_bytes() == DATA


def test_fault_22_the_same_length_with_wrong_bytes_is_refused_by_its_hash(index: Index, tmp_path: Path) -> None:
    index.faults[FILE] = ["wrong"]
    error = refused(tmp_path, index.url)
    assert WHEEL.sha256 in error.message
    assert list(tmp_path.iterdir()) == [], "what is wrong is not resumed from"


def test_fault_22_a_file_changed_while_downloading_is_fetched_anew(index: Index, tmp_path: Path) -> None:
    (tmp_path / f"{FILE}.part").write_bytes(b"of another file " * 100)
    assert fetch(tmp_path, index.url).read_bytes() == DATA


def test_fault_22_a_part_that_is_too_long_is_thrown_away(index: Index, tmp_path: Path) -> None:
    (tmp_path / f"{FILE}.part").write_bytes(DATA + b"more")
    assert fetch(tmp_path, index.url).read_bytes() == DATA


# --- 23 -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "said", "tries"),
    [
        (401, "wants a user name and a password (401)", 1),
        (403, "refuses access (403)", 1),
        (404, "does not have the file (404)", 1),
        (429, "was asked too often (429)", 3),
        (500, "answers with an error (500)", 3),
        (503, "answers with an error (503)", 3),
    ],
)
def test_fault_23_each_refusal_has_its_sentence(
    index: Index, tmp_path: Path, status: int, said: str, tries: int
) -> None:
    index.faults[FILE] = [status]
    error = refused(tmp_path, index.url)
    assert said in error.message
    assert error.hint
    assert len([path for path, _ in index.asked if path.endswith(FILE)]) == tries


def test_fault_23_refusals_of_the_project_page(index: Index, tmp_path: Path) -> None:
    index.faults["boulder"] = [403]
    assert "refuses access (403)" in refused(tmp_path, index.url).message
    index.faults["boulder"] = [404]
    assert "is not available from http://127.0.0.1" in refused(tmp_path, index.url).message
    index.faults["boulder"] = [500, 500, ""]
    assert fetch(tmp_path, index.url).is_file()


def test_fault_23_time_out(index: Index, tmp_path: Path) -> None:
    index.faults["boulder"] = ["stall"]
    error = refused(tmp_path, index.url)
    assert error.message == "127.0.0.1 did not answer in time."
    assert len(index.asked) == 3


def test_fault_23_nobody_there(tmp_path: Path) -> None:
    error = refused(tmp_path, f"http://127.0.0.1:{free_port()}/simple")
    assert "127.0.0.1 cannot be reached" in error.message


def test_fault_23_no_such_host(tmp_path: Path) -> None:
    assert "There is no network, or no nowhere.invalid in it." in refused(tmp_path, "http://nowhere.invalid/x").message


@pytest.mark.parametrize("by_setting", [True, False])
def test_fault_23_dead_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_setting: bool) -> None:
    proxy = f"http://anna:secret@127.0.0.1:{free_port()}"
    if not by_setting:
        monkeypatch.setenv("http_proxy", proxy)
    error = refused(tmp_path, "http://index.example/simple", proxy=proxy if by_setting else "")
    assert "The proxy http://127.0.0.1:" in error.message
    assert "does not answer" in error.message
    assert "secret" not in str(error)


def test_fault_23_offline(index: Index, tmp_path: Path) -> None:
    error = refused(tmp_path, index.url, online=False)
    assert "may not go online" in error.message
    assert index.asked == []


def test_fault_23_a_page_that_is_no_index(index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.index._Handler.page", lambda self, name: self.answer(200, b"\xff\xfe<html>"))
    assert "is no page of a package index" in refused(tmp_path, index.url).message


# --- places -------------------------------------------------------------------------------------------------------


def test_another_index_is_asked_where_the_first_does_not_have_it(index: Index, tmp_path: Path) -> None:
    index.faults["boulder"] = [404, ""]
    assert fetch(tmp_path, index.url, index.url + "/").is_file()


def test_a_file_of_another_build_is_refused(index: Index, tmp_path: Path) -> None:
    index.files[FILE] = DATA[:-1] + b"?"
    assert "is not the right file" in refused(tmp_path, index.url).message
    assert not [path for path, _ in index.asked if path.endswith(FILE)], "it is not even downloaded"


def test_a_password_in_the_address_is_sent_and_never_shown(index: Index, tmp_path: Path) -> None:
    address = index.url.replace("//", "//anna:secret@")
    assert fetch(tmp_path, address).is_file()
    (tmp_path / FILE).unlink()
    index.faults["boulder"] = [401]
    assert "secret" not in str(refused(tmp_path, address))


@pytest.mark.parametrize(
    ("variables", "pip", "uv", "first"),
    [
        ({"UV_DEFAULT_INDEX": "http://a/", "PIP_INDEX_URL": "http://b/"}, "", "", "http://a/"),
        ({"UV_INDEX_URL": "http://a/"}, "", "", "http://a/"),
        ({"PIP_INDEX_URL": "http://b/"}, "[global]\nindex-url=http://c/", "", "http://b/"),
        ({}, "[global]\nindex-url=http://c/", "", "http://c/"),
        ({}, "[install]\nindex-url=http://d/\n[global]\nindex-url=http://c/", "", "http://d/"),
        ({}, "[global]\nindex-url=http://c/", 'index-url = "http://e/"', "http://e/"),
        ({}, "", '[[index]]\nurl = "http://f/"\ndefault = true', "http://f/"),
    ],
)
def test_the_index_is_the_one_that_uv_and_pip_are_set_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], pip: str, uv: str, first: str
) -> None:
    (tmp_path / "pip.conf").write_text(pip)
    (tmp_path / "uv.toml").write_text(uv)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    monkeypatch.setenv("UV_CONFIG_FILE", str(tmp_path / "uv.toml"))
    found = indexes.read_settings()
    assert found.indexes[0] == first
    assert indexes.read_settings(index="http://preferences/").indexes[0] == "http://preferences/"


def test_without_settings_it_is_pips_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_NO_CONFIG", "1")
    (index,) = indexes.read_settings().indexes
    assert index.startswith("https://")
    assert index.rstrip("/").endswith("/simple")


def test_without_any_pip_the_user_is_asked_for_an_index(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_NO_CONFIG", "1")
    monkeypatch.setattr(indexes, "_pip", lambda: None)
    with pytest.raises(UserError, match="cannot tell where packages come from"):
        indexes.read_settings()


def test_proxy_certificates_and_folders_are_pips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = tmp_path / "pip.conf"
    settings.write_text(
        f"[global]\nindex-url=http://c/\nproxy=http://proxy:8\ncert=/etc/ca.pem\nextra-index-url=http://d/\n"
        f"find-links={tmp_path}\n"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(settings))
    monkeypatch.setenv("UV_NO_CONFIG", "1")
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    found = indexes.read_settings()
    assert found == Settings(("http://c/", "http://d/"), (tmp_path,), "http://proxy:8", "/etc/ca.pem")


def test_a_certificate_file_that_is_none_is_told(tmp_path: Path) -> None:
    error = refused(tmp_path, "https://index.example/simple", certificates=str(tmp_path / "none.pem"))
    assert "The file of certificates cannot be read" in error.message


def test_an_index_on_the_disk_serves_as_well(tmp_path: Path) -> None:
    page = tmp_path / "simple" / "boulder"
    page.mkdir(parents=True)
    (page / FILE).write_bytes(DATA)
    (page / "index.html").write_text(f'<a href="{FILE}#sha256={WHEEL.sha256}">{FILE}</a>')
    folder = tmp_path / "to"
    folder.mkdir()
    assert fetch(folder, (tmp_path / "simple").as_uri(), online=False).read_bytes() == DATA


def free_port() -> int:
    """One that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def test_no_proxy_of_this_machine_disturbs_these_tests() -> None:
    assert urllib.request.getproxies() == {}
