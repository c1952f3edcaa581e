# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures behind `tools/dev.py bench`: a module for each group of them, run in the environment that it needs."""
