# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs from the button to the node: start, pump, delivery, queue. Imports the wings below; not history, not install."""
