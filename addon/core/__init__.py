# SPDX-License-Identifier: GPL-3.0-or-later
"""What both processes agree on. Imports the standard library and numpy, nothing else."""
