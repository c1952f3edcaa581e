# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be asked of the worker, as frozen values: a texture, work on a picture, how it is finished."""
