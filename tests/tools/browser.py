# SPDX-License-Identifier: GPL-3.0-or-later
"""A real browser without a window, spoken to through two pipes: Chromium's --remote-debugging-pipe. Standard library.

Messages are JSON with a NUL after each (chromium/src, content/browser/devtools/devtools_pipe_handler.cc). Nothing
listens anywhere.
"""

import json
import os
import select
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_PATIENCE = 60.0  # seconds for an answer: a loaded machine starts a browser slowly


def found() -> str | None:
    """A browser on the PATH."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One page. events: what it told, oldest first."""

    def __init__(self, program: str, profile: Path) -> None:
        self._in, out = os.pipe()  # what the browser says
        commands, self._out = os.pipe()
        self.events: list[dict[str, Any]] = []
        self._rest, self._number = b"", 0

        def place() -> None:  # where the browser looks for them
            inner = os.dup(commands), os.dup(out)
            os.dup2(inner[0], 3)
            os.dup2(inner[1], 4)

        arguments = [
            *("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage"),
            *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
            *("--remote-debugging-pipe", f"--user-data-dir={profile}", "about:blank"),
        ]
        self._process = subprocess.Popen(
            [program, *arguments],
            preexec_fn=place,
            close_fds=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(out)
        os.close(commands)
        pages = self._ask("Target.getTargets")["targetInfos"]
        page = next(one["targetId"] for one in pages if one["type"] == "page")
        self._session = self._ask("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.ask(f"{domain}.enable")

    def __enter__(self) -> "Browser":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._in)
        os.close(self._out)

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the page's."""
        return self._ask(method, self._session, **parameters)

    def open(self, url: str) -> None:
        """Open an address and wait until all of it is loaded; what was told before is forgotten."""
        self.events.clear()
        self.ask("Page.navigate", url=url)
        self.wait_for("Page.loadEventFired")

    def value(self, expression: str) -> Any:
        """What an expression of JavaScript gives there, awaited where it is a promise."""
        answer = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait_for(self, method: str) -> None:
        """Until it tells of that."""
        while not any(event["method"] == method for event in self.events):
            self._read()

    def of(self, method: str) -> list[dict[str, Any]]:
        """What it told of that kind."""
        return [event["params"] for event in self.events if event["method"] == method]

    def _ask(self, method: str, session: str = "", **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result

    def _read(self) -> dict[str, Any]:
        """The next message; events are kept."""
        while b"\0" not in self._rest:
            assert select.select([self._in], [], [], _PATIENCE)[0], "the browser does not answer"
            data = os.read(self._in, 1 << 20)
            assert data, "the browser has ended"
            self._rest += data
        text, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        if "method" in message:
            self.events.append(message)
        return message
