# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m addon.engine.batch`."""

import sys

from .command import main

sys.exit(main(sys.argv[1:]))
