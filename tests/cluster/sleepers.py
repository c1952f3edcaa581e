# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m tests.cluster.sleepers ARGUMENTS`: the batch's command, with pictures that sleep."""

import sys

from addon.engine.batch import command
from tools.bench import sleeping

if __name__ == "__main__":
    sys.exit(command.main(sys.argv[1:], sleeping.maker))
