# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user meets first: sidebar, preferences, command line. Imports every wing."""
