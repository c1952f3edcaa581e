# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user chose: properties, presets, models, and the request made of them. Imports common."""
