# SPDX-License-Identifier: GPL-3.0-or-later
"""Model families, and the models known by name."""
