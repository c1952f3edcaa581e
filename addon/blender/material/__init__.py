# SPDX-License-Identifier: GPL-3.0-or-later
"""Materials: nodes for color and maps, physical size, assets, UV maps. Imports common, settings, pictures."""
