# SPDX-License-Identifier: GPL-3.0-or-later
"""Batches into a store of objects: an S3 that answers on loopback alone, spoken to by s3fs as users have it."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from addon.core import results
from addon.core.errors import UserError
from addon.core.prompt_files import Wish
from addon.engine.batch import command, making, rows, sheet
from addon.engine.batch.shelf import LIST
from addon.engine.batch.url_shelf import UrlShelf, shelf_at
from tools.bench import sleeping

s3fs = pytest.importorskip("s3fs", reason="s3fs is not installed in this environment")
server = pytest.importorskip("moto.server", reason="moto is not installed in this environment")
ROOT = Path(__file__).resolve().parents[2]
URL = "s3://textures/lib"
TABLE = "prompt,seed,name,maps\noak,7,wood/oak,height\nmoss,1,,\n"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    running = server.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture(autouse=True)
def bucket(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty bucket, told to the library by the environment variables that are its own."""
    monkeypatch.setenv("HOME", str(tmp_path))  # no ~/.aws of whoever runs this
    for name, value in {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    request = urllib.request.Request(f"{address}/moto-api/reset", method="POST")
    urllib.request.urlopen(request).close()
    s3fs.S3FileSystem.clear_instance_cache()
    s3fs.S3FileSystem().mkdir("textures")
    return address


def run(folder: Path, text: str, *options: str, maker: Any = sleeping.maker) -> int:
    table = folder / "table.csv"
    table.write_text(text, encoding="utf-8")
    return command.main([str(table), "--output", URL, *options], maker)


def keys() -> list[str]:
    shelf = UrlShelf(URL)
    shelf._files.invalidate_cache()
    return sorted(path.removeprefix("textures/lib/") for path in shelf._files.find("textures/lib"))


def text_of(name: str) -> str:
    return UrlShelf(URL)._files.cat_file(f"textures/lib/{name}").decode()


def never() -> making.Maker:
    raise AssertionError("nothing is to be made")


def test_a_bucket_gets_what_a_folder_gets(tmp_path: Path, bucket: str) -> None:
    assert run(tmp_path, TABLE) == 0
    assert keys() == [
        "index.html",
        "moss-1/moss-1.png",
        "moss-1/result.json",
        "moss-1/thumbnail.png",
        "results.jsonl",
        "wood/oak-7/oak-7-height.png",
        "wood/oak-7/oak-7.png",
        "wood/oak-7/result.json",
        "wood/oak-7/thumbnail.png",
    ]
    files = [json.loads(line)["file"] for line in text_of(LIST).splitlines()]
    assert sorted(files) == ["moss-1/moss-1.png", "wood/oak-7/oak-7.png"]
    assert 'src="wood/oak-7/thumbnail.png"' in text_of(sheet.SHEET)
    kind = UrlShelf(URL)._files.call_s3("head_object", Bucket="textures", Key=f"lib/{sheet.SHEET}")["ContentType"]
    assert kind == "text/html"  # or a browser would offer to save it


def test_what_is_there_is_not_made_again_and_the_rest_is(tmp_path: Path) -> None:
    assert run(tmp_path, TABLE) == 0
    assert run(tmp_path, TABLE, maker=never) == 0
    assert run(tmp_path, TABLE + "brick,3,,\n") == 0
    assert len(text_of(LIST).splitlines()) == 3


def test_what_was_half_carried_there_counts_for_nothing_and_is_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    carry = UrlShelf._place_text

    def cut(shelf: UrlShelf, place: str, text: str) -> None:
        if place.endswith(results.INDEX):
            raise KeyboardInterrupt
        carry(shelf, place, text)

    with monkeypatch.context() as patch:
        patch.setattr(UrlShelf, "_place_text", cut)
        assert run(tmp_path, TABLE) == 130
    assert results.INDEX not in {key.rpartition("/")[2] for key in keys()}
    assert text_of(LIST) == ""
    assert run(tmp_path, TABLE) == 0
    assert len([key for key in keys() if key.endswith(results.INDEX)]) == len(text_of(LIST).splitlines()) == 2
    assert not [key for key in keys() if "-2/" in key]


def test_another_texture_of_that_name_is_never_overwritten(tmp_path: Path) -> None:
    assert run(tmp_path, "prompt,seed,name\noak,7,wood\n") == 0
    before = text_of("wood-7/result.json")
    assert run(tmp_path, "prompt,seed,name\nmoss,7,wood\n") == 0
    assert text_of("wood-7/result.json") == before
    assert json.loads(text_of("wood-7-2/result.json"))["recipe"]["request"]["prompt"] == "moss"


def test_a_texture_that_lost_a_file_is_made_again_in_its_place(tmp_path: Path) -> None:
    assert run(tmp_path, TABLE) == 0
    UrlShelf(URL)._files.rm_file("textures/lib/moss-1/moss-1.png")
    assert run(tmp_path, TABLE) == 0
    assert [key for key in keys() if key.startswith("moss-1") and key.endswith(".png") and "thumb" not in key]
    assert len(text_of(LIST).splitlines()) == 2


def test_of_two_that_make_the_same_texture_the_first_stays(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("prompt,seed\noak,7\n")
    (task,) = rows.read(table, Wish("", 0))
    shelf = shelf_at(URL)

    def make(start: Any, watch: Any) -> None:
        making.make(sleeping.maker(), task, shelf)
        sleeping.maker()(start, watch)

    making.make(make, task, shelf)
    assert list(shelf.made()) == [task.id]


@pytest.mark.parametrize("what", ["bucket", "rights", "server"])
def test_a_store_that_does_not_take_it_ends_the_batch_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    options = ["--output", "s3://nowhere/lib"] if what == "bucket" else []
    if what == "rights":
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    if what == "server":
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    s3fs.S3FileSystem.clear_instance_cache()  # as in a new process
    assert run(tmp_path, TABLE, *options) == 1
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert said[0].startswith(("Cannot write to s3://", "Cannot read s3://"))
    assert "Free some space" not in said[0]


def test_a_blend_cannot_refer_to_a_bucket(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, TABLE, "--blend", str(tmp_path / "a.blend"), maker=never) == 1
    assert "A .blend refers to pictures of this machine" in capsys.readouterr().err
    assert keys() == []


def test_processes_of_ray_fill_a_bucket(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="Ray is not installed in this environment")
    table = tmp_path / "table.csv"
    table.write_text(TABLE, encoding="utf-8")
    scratch = tempfile.mkdtemp(prefix="tw-")  # Ray's sockets have short names only
    try:
        done = subprocess.run(
            [sys.executable, "-m", "tests.cluster.sleepers", table, "--output", URL, "--ray", "local", "--cores", "1"],
            cwd=ROOT,
            env={**os.environ, "RAY_TMPDIR": scratch},
            capture_output=True,
            text=True,
            timeout=200,
        )
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    assert done.returncode == 0, done.stderr
    assert len(text_of(LIST).splitlines()) == 2
    assert run(tmp_path, TABLE, maker=never) == 0


def test_a_path_is_a_folder_and_a_url_is_none(tmp_path: Path) -> None:
    assert not isinstance(shelf_at(str(tmp_path)), UrlShelf)
    assert not isinstance(shelf_at("C:\\textures"), UrlShelf)
    assert isinstance(shelf_at(f"file://{tmp_path}"), UrlShelf)


@pytest.mark.parametrize(("url", "words"), [("gs://b/x", "gcsfs"), ("nonsense://b", "nonsense")])
def test_a_library_that_is_missing_is_named(url: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        shelf_at(url)


def test_a_thousand_in_a_bucket_are_found_by_few_requests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The list of a bucket tells of a thousand objects; what counts is one more request for each, many at once."""
    assert run(tmp_path, TABLE) == 0
    shelf = UrlShelf(URL)
    asked: list[Any] = []
    cat: Callable[..., Any] = shelf._files.cat

    def counted(paths: list[str], **others: Any) -> Any:
        asked.append(paths)
        return cat(paths, **others)

    monkeypatch.setattr(shelf._files, "cat", counted)
    assert len(shelf.made()) == 2
    assert [len(paths) for paths in asked] == [2]
