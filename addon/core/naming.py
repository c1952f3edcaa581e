# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that people read: of images in Blender, of files and folders. Imports the standard library only."""

import re
import unicodedata

RESERVED = {"con", "prn", "aux", "nul", *(f"com{n}" for n in range(10)), *(f"lpt{n}" for n in range(10))}


def title(prompt: str, limit: int = 40) -> str:
    """The prompt as a short name on one line, cut at a word; "texture" where nothing readable is left."""
    words = "".join(c if c.isprintable() else " " for c in prompt).split()
    text = " ".join(words)
    if len(text) > limit:
        cut = text.rfind(" ", 0, limit + 1)
        text = text[: cut if cut > limit // 2 else limit].rstrip(" ,;.")
    return text or "texture"


def image_name(prompt: str, seed: int | None, kind: str = "") -> str:
    """A datablock's name, such as "mossy red brick wall 1234 normal"; at most 63 bytes, as Blender keeps them.

    seed: None where there was none, as for a picture that was made of another.
    """
    suffix = " ".join(["", *([] if seed is None else [str(seed)]), *filter(None, [kind])])
    name = title(prompt)
    while len((name + suffix).encode()) > 63:
        name = name[:-1].rstrip()
    return name + suffix


def slug(prompt: str, limit: int = 40) -> str:
    """The prompt as a file name's stem that every file system takes: letters and digits of any script, dashes."""
    text = unicodedata.normalize("NFKC", title(prompt, limit)).casefold()
    text = re.sub(r"[\W_]+", "-", text).strip("-")
    while len(text.encode()) > 80:  # 255 bytes are a name's limit nearly everywhere; leave room for what is added
        text = text[:-1]
    text = text.strip("-")
    return f"{text}-texture" if text in RESERVED else text or "texture"
