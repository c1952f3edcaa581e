# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks a Python that the user names what it has: versions, devices, gaps. Imports core and the standard library.

Blocks for as long as importing torch takes: call it in a background thread.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import ErrorKind, UserError
from . import child

# The least versions: older ones could run code from a model's folder, or lack what the engine uses.
REQUIRED = {
    "torch": "2.10",
    "torchvision": "0.25",
    "diffusers": "0.38",
    "transformers": "5.3",
    "safetensors": "0.5",
    "pillow": "10.0",
    "numpy": "1.26",
    "spandrel": "0.4",
    "peft": "0.17",
    "accelerate": "1.0",
}
_SECONDS = 180.0
_SCRIPT = """
import json, sys
from importlib import metadata
answer = {"python": sys.version.split()[0], "packages": {}, "devices": [], "error": ""}
for name in %r:
    try:
        answer["packages"][name] = metadata.version(name)
    except metadata.PackageNotFoundError:
        pass
try:
    import torch
    if torch.cuda.is_available():
        answer["devices"] += [torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())]
    if hasattr(torch, "xpu") and torch.xpu.is_available():
        answer["devices"] += [torch.xpu.get_device_name(n) for n in range(torch.xpu.device_count())]
    if torch.backends.mps.is_available():
        answer["devices"].append("Apple graphics")
except Exception as error:
    answer["error"] = f"{type(error).__name__}: {error}"
print("TOLD " + json.dumps(answer))
"""


@dataclass(frozen=True)
class Answer:
    """What a Python has. packages: name -> version. devices: accelerators that torch can use, none for a processor."""

    python: str
    packages: dict[str, str]
    devices: tuple[str, ...]

    @property
    def text(self) -> str:
        where = ", ".join(self.devices) or "the processor"
        torch = self.packages["torch"]
        return f"Python {self.python} with torch {torch} has all {len(REQUIRED)} packages. It computes on {where}."


def ask(python: Path, seconds: float = _SECONDS, stopped: Callable[[], bool] = lambda: False) -> Answer:
    """Run that Python and have it tell. Raises `UserError` (kind `RUNTIME`), listing all that is missing or too old.

    stopped: asked now and then; True gives it up.
    """

    def check() -> None:
        if stopped():
            raise UserError(ErrorKind.RUNTIME, "Stopped.")

    command = [str(python), "-I", "-X", "utf8", "-c", _SCRIPT % (tuple(REQUIRED),)]
    try:
        _, said = child.run(command, variables=child.environment(), limit=seconds, tick=check, own_group=True)
    except TimeoutError as error:
        raise UserError(ErrorKind.RUNTIME, f"{python} did not answer within {seconds:g} s.") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(
            ErrorKind.RUNTIME, f"{python} cannot be started: {reason}.", "Name the file of a Python."
        ) from error
    line = next((line for line in said.splitlines() if line.startswith("TOLD ")), "")
    try:
        answer = json.loads(line.removeprefix("TOLD "))
        packages, error_text = dict(answer["packages"]), str(answer["error"])
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            ErrorKind.RUNTIME,
            f"{python} is not a Python that the engine can use.",
            "Name the file of a Python 3.11 or newer.",
        ) from error
    lacking = [name for name in REQUIRED if name not in packages]
    old = [
        f"{name} {packages[name]}" for name in REQUIRED if name in packages and _older(packages[name], REQUIRED[name])
    ]
    problems = ([f"lacks {', '.join(lacking)}"] if lacking else []) + (
        [f"is too old in {', '.join(old)}"] if old else []
    )
    if problems:
        wanted = " ".join(
            f'"{name}>={REQUIRED[name]}"' for name in REQUIRED if name in lacking or f"{name} " in "".join(old)
        )
        hint = f"Install there: pip install {wanted}"
        raise UserError(ErrorKind.RUNTIME, f"The Python {python} {' and '.join(problems)}.", hint)
    if error_text:
        raise UserError(ErrorKind.RUNTIME, f"torch does not work in {python}: {error_text[:200]}.", "Install it again.")
    return Answer(str(answer["python"]), packages, tuple(map(str, answer["devices"])))


def _older(version: str, least: str) -> bool:
    def numbers(text: str) -> list[int]:
        return [int(part) for part in re.findall(r"\d+", text.split("+")[0])][:3]

    return numbers(version) < numbers(least)
