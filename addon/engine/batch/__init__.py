# SPDX-License-Identifier: GPL-3.0-or-later
"""Hundreds of textures from a table, without Blender: `python -m addon.engine.batch TABLE --output FOLDER`.

Where the extension is installed, `PYTHON start.py batch TABLE --output FOLDER`, with the worker's Python.

rows: from a table to tasks. shelf: the folder that they are put into, each whole or not at all. making: one task.
on_ray: many at once. Nothing here imports torch before the first texture is made.
"""
