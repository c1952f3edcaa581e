# SPDX-License-Identifier: GPL-3.0-or-later
"""Real surfaces, for judging: what the kinds' figures come from, de-lighting, the manual's page on maps."""
