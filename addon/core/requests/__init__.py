# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be asked of the worker, as frozen values: a texture, or work on a picture that exists. Imports core only.

Nobody outside this package asks which of the two a request is: both answer the same questions.
"""

from collections.abc import Mapping
from typing import Any

from ..errors import bad_request
from .picture import PictureRequest
from .texture import TextureRequest

Request = TextureRequest | PictureRequest
_CLASSES: dict[str, type[Request]] = {TextureRequest.kind: TextureRequest, PictureRequest.kind: PictureRequest}


def request_from_json(data: Mapping[str, Any]) -> Request:
    """A request of either kind; the reverse of its `to_json` and of `recipe_json`. Raises `UserError`."""
    if not isinstance(data, Mapping):
        raise bad_request("The settings are not those of a texture.")
    kind = data.get("kind", _kind_without_word(data))
    if not isinstance(kind, str) or kind not in _CLASSES:
        raise bad_request(f"A request of the kind {kind!r} is not known.", "Update Tilewright.")
    return _CLASSES[kind].from_json(data)


def recipe_json(request: Request) -> dict[str, Any]:
    """`to_json` as it stands in a recipe: with the kind only where the reader would take it for another.

    So the recipe of an unchanged request stays the same text, and an older Tilewright, which may share the results'
    folder with this one and refuses what it does not know, goes on reading it.
    """
    data = request.to_json()
    if _kind_without_word(data) == request.kind:
        del data["kind"]
    return data


def _kind_without_word(data: Mapping[str, Any]) -> str:
    """Which kind a request is that does not say so: before they did, only one on a picture had a source."""
    return PictureRequest.kind if "source" in data else TextureRequest.kind
