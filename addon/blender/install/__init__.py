# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's packages: install, verify, self test, diagnostics. Imports jobs and what is below; not history."""
