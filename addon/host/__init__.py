# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's end of the worker, and the results on disk. May import core and the standard library only."""
