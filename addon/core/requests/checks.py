# SPDX-License-Identifier: GPL-3.0-or-later
"""What several requests ask of their values. Each raises `UserError` (kind `REQUEST`). Imports core only."""

import math
import re
from pathlib import PurePath

from ..errors import bad_request


def number(title: str, value: object, high: float) -> float:
    """A number from 0 to `high`, as a float."""
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        raise bad_request(f"{title} must be a number, not {value!r}.")
    if not 0 <= value <= high:
        raise bad_request(f"{title} must be from 0 to {high:g}, not {value}.")
    return float(value)


def check_path(title: str, value: object) -> None:
    """Refuse what is no whole path."""
    if not isinstance(value, str) or "\0" in value or not PurePath(value).is_absolute():
        raise bad_request(f"{title} must be named by its whole path.")


def is_hash(value: object, digits: int) -> bool:
    """Whether it is a hash of so many hexadecimal digits, or none, which is ""."""
    return isinstance(value, str) and bool(re.fullmatch(f"([0-9a-f]{{{digits}}})?", value))
