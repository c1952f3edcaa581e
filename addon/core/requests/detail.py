# SPDX-License-Identifier: GPL-3.0-or-later
"""How large the pieces of a texture are in its picture. Imports core only."""

from enum import StrEnum
from fractions import Fraction

from ..errors import bad_request


class Detail(StrEnum):
    """The size of bricks, planks or threads in a picture.

    A model paints pieces of the same size in pixels whatever the picture's size; so for another size of pieces the
    picture is sampled larger or smaller, and then brought to its size.
    """

    FINE = "FINE"
    MEDIUM = "MEDIUM"  # sampled as large as it is
    COARSE = "COARSE"

    @property
    def times(self) -> Fraction:
        """The sides of what is sampled over those of the picture."""
        return {Detail.FINE: Fraction(2), Detail.MEDIUM: Fraction(1), Detail.COARSE: Fraction(1, 2)}[self]

    def check_size(self, width: int, height: int, low: int, high: int) -> None:
        """Raise `UserError` where what is sampled for a picture of these sides is not from `low` to `high` pixels."""
        least, most = low / self.times, high / self.times
        if not (least <= min(width, height) and max(width, height) <= most):
            raise bad_request(
                f"With the detail size {self.value.lower()} sides are {least} to {most} pixels, not {width}x{height}.",
                "Choose another size, or the detail size medium.",
            )


def parse_detail(text: str) -> Detail:
    """As it was typed. Raises `UserError`."""
    if text.strip().upper() not in list(Detail):
        raise bad_request(f"{text!r} is no detail size.", "Choose fine, medium or coarse.")
    return Detail(text.strip().upper())
