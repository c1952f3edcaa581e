# SPDX-License-Identifier: GPL-3.0-or-later
"""What a job is doing, in words: for the panel, which translates them, and for scripts. Imports core."""

from ...core.protocol import Phase

WORDS = {
    Phase.STARTING: "Starting the engine",
    Phase.LOADING: "Loading the model",
    Phase.ENCODING: "Reading the prompt",
    Phase.SAMPLING: "Sampling",
    Phase.DECODING: "Decoding",
    Phase.TILING: "Making it tileable",
    Phase.UPSCALING: "Upscaling",
    Phase.MAPPING: "Making the maps",
    Phase.SAVING: "Saving",
}
