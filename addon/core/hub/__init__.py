# SPDX-License-Identifier: GPL-3.0-or-later
"""Models on a hub: which of their files are wanted, what is stored beside them, what the process is asked."""
