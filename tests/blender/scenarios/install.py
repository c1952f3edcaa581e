# SPDX-License-Identifier: GPL-3.0-or-later
"""Installs the zip, as a user does by dropping it into Blender."""

import bpy


def install(file: str) -> None:
    bpy.ops.extensions.package_install_files(filepath=file, repo="user_default", enable_on_install=True)
    bpy.ops.wm.save_userpref()
    assert hasattr(bpy.types.Scene, "tilewright")
