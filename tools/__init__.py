# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything a contributor runs, behind tools/dev.py. A package, so that tests can import it."""
