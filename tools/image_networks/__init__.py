# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the starter upscaler and the starter map networks on the procedural textures."""
