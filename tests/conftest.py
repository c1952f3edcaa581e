# SPDX-License-Identifier: GPL-3.0-or-later
"""What all tests share: hypothesis' settings. Imports neither bpy nor torch: both environments load it."""

from hypothesis import settings

# Machines that run the tests are shared and slow, so an example's time says nothing. The examples are the same on every
# run, so that a new failure comes from a change in the code.
settings.register_profile("tilewright", deadline=None, derandomize=True, database=None)
settings.load_profile("tilewright")
