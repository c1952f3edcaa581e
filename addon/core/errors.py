# SPDX-License-Identifier: GPL-3.0-or-later
"""The one error type that a user may see. Imports the standard library only.

What the user can mend is a `UserError`: one sentence and a hint. Anything else that is raised is a bug of ours; its
traceback belongs in the log, and the user is shown `bug()`.
"""

from enum import StrEnum
from typing import Any


class ErrorKind(StrEnum):
    """What went wrong, for code that has to choose; people read the message."""

    REQUEST = "request"  # the request itself: size, prompt, seed ...
    MODEL = "model"  # a model folder or one of its files
    RUNTIME = "runtime"  # the worker's Python: missing, too old, lacks a package
    WORKER = "worker"  # the worker died, hung or spoke nonsense
    MEMORY = "memory"  # out of main or accelerator memory
    NUMERICS = "numerics"  # not-a-number where pixels should be
    DISK = "disk"  # full, not writable, gone
    NETWORK = "network"  # offline, refused, not found, too slow
    TARGET = "target"  # the object, material or node that should receive the result
    BUG = "bug"  # ours


class UserError(Exception):
    """One clear sentence, and what to do about it.

    `message` ends with a full stop and names what it is about; `hint` may be empty.
    """

    def __init__(self, kind: ErrorKind, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UserError) and self.to_json() == other.to_json()

    def __hash__(self) -> int:
        return hash((self.kind, self.message, self.hint))

    def to_json(self) -> dict[str, str]:
        return {"kind": self.kind.value, "message": self.message, "hint": self.hint}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "UserError":
        """The reverse of `to_json`. Raises KeyError, TypeError or ValueError on anything else."""
        message, hint = data["message"], data["hint"]
        if not isinstance(message, str) or not isinstance(hint, str):
            raise TypeError("message and hint are texts")
        return cls(ErrorKind(data["kind"]), message, hint)


def bad_request(message: str, hint: str = "") -> UserError:
    """What was asked for cannot be done (kind `REQUEST`)."""
    return UserError(ErrorKind.REQUEST, message, hint)


def bug(error: BaseException) -> UserError:
    """What a user is shown of an error that is ours; log the traceback where it is caught."""
    return UserError(
        ErrorKind.BUG,
        f"Tilewright made a mistake ({type(error).__name__}).",
        "Open the log and report it; your earlier results are safe.",
    )


def cannot_import(error: Exception) -> UserError:
    """That a package of the worker cannot be imported (kind `RUNTIME`).

    Not only an ImportError says so: a torch that lacks a library of the system raises OSError, diffusers RuntimeError.
    """
    name = getattr(error, "name", None) or "its packages"
    reason = " ".join(str(error).split()).rstrip(".")[:300]
    message = f"The worker's Python cannot load {name}: {reason}."
    return UserError(ErrorKind.RUNTIME, message, "Choose a Python that has torch and diffusers.")
