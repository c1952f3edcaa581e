# SPDX-License-Identifier: GPL-3.0-or-later
"""Images in Blender: loading, packing, and their pixels as files. Imports common and settings."""
