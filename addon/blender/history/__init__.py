# SPDX-License-Identifier: GPL-3.0-or-later
"""Every result: browse, apply, compare, try on, recipes. Imports jobs and what is below; not install."""
