# SPDX-License-Identifier: GPL-3.0-or-later
"""The contact sheet of a batch in a real browser: its pictures, its search, and that it asks nobody for anything."""

from pathlib import Path

import pytest

from addon.engine.batch import command, sheet
from tests.tools import browser
from tools.bench import sleeping

PROGRAM = browser.found()


@pytest.mark.skipif(PROGRAM is None, reason=f"none of {', '.join(browser.NAMES)} is installed")
def test_a_browser_shows_the_thumbnails_and_searches_and_asks_no_network(tmp_path: Path) -> None:
    assert PROGRAM is not None
    table = tmp_path / "table.csv"
    hostile = '"<img src=x onerror=alert(1)> & oak #1 100%"'
    rows = ["prompt,seed,maps,name", f"{hostile},7,height,wood/oak", "grüner Moosboden,1,,", "red brick,3,all,wall"]
    rows += [f"stone {number},{number},," for number in range(10, 40)]
    table.write_text("\n".join(rows), encoding="utf-8")
    output = tmp_path / "my textures #2"
    assert command.main([str(table), "--output", str(output)], sleeping.maker) == 0
    with browser.Browser(PROGRAM, tmp_path / "profile") as page:
        page.open((output / sheet.SHEET).as_uri())
        # those out of sight are loaded when they come into it
        page.value("document.querySelectorAll('img').forEach((image) => { image.loading = 'eager'; })")
        loaded = page.value(
            "Promise.all([...document.images].map((image) => image.decode().then(() => image.naturalWidth)))"
        )
        assert loaded == [sleeping.SIDE] * 33
        assert page.value("document.querySelectorAll('figure:not([hidden])').length") == 33
        searches = {"Brick RED": 1, "moosboden grün": 1, "stone-17": 1, "stone": 30, "<img #1": 1, "nothing": 0, "": 33}
        for words, shown in searches.items():
            page.value(f"search.value = {words!r}; search.dispatchEvent(new Event('input'))")
            seen = page.value("[...document.querySelectorAll('figure')].filter((one) => one.checkVisibility()).length")
            assert (words, seen) == (words, shown)
            assert page.value("count.textContent") == f"{shown} of 33"
        told = page.of("Log.entryAdded") + page.of("Runtime.exceptionThrown") + page.of("Runtime.consoleAPICalled")
        assert told == []
        asked = [event["request"]["url"] for event in page.of("Network.requestWillBeSent")]
        assert len(asked) >= 34
        assert all(url.startswith("file://") for url in asked)
        links = page.value("[...document.links].map((link) => link.href)")
        assert len(links) == 33 + 1 + 5
        for link in (links[0], links[-1]):  # a picture and a map
            page.open(link)
            assert page.value("document.images[0].naturalWidth") == sleeping.SIDE
