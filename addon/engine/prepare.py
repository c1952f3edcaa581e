# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports nearly all that jobs do, at the end of Install, and ends. Imports engine.

So Python has compiled some 4,000 files before the first job: with them its import takes 5 seconds of a processor,
without 14. And what cannot be imported is in the log before somebody waits for a texture.
"""

from ..core import families


def main(_arguments: list[str]) -> int:
    """Returns the exit code: always 0, what fails raises."""
    from . import finish, generate, models, picture_job  # noqa: F401 - to have them compiled

    for family in families.FAMILIES:
        models.pipeline_class(family)
    return 0
