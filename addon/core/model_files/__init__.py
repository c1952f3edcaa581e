# SPDX-License-Identifier: GPL-3.0-or-later
"""What model files on a disk hold, found out without loading them."""
