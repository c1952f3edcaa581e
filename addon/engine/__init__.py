# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker's process: loading models, seamlessness, sampling. May import core, never host, blender or bpy.

Nothing is imported here: the worker says hello before it imports torch.
"""
