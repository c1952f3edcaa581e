# SPDX-License-Identifier: GPL-3.0-or-later
"""What every wing may need: state, targets, folders, texts, the engine's environments. Imports no other wing."""
