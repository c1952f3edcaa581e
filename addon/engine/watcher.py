# SPDX-License-Identifier: GPL-3.0-or-later
"""What a job tells of itself while it runs, and how it is ended in the middle of a network. Imports core and torch."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

from torch import nn

from ..core.protocol import Phase
from ..core.results import Draft, Result


class Watcher(Protocol):
    """Whoever wants to know about a job. What its methods raise to end the job passes through everything here."""

    def check(self) -> None:
        """Raise if the job is to end. Called very often."""

    def progress(self, phase: Phase, image: int = 0, step: int = 0, steps: int = 0) -> None:
        """Where the job is; see `protocol.Progress`."""

    def note(self, text: str) -> None:
        """A sentence for the user."""

    def preview(self, image: int, step: int, path: Path) -> None:
        """A file with the picture in the making; see `protocol.Preview`."""

    def publish(self, image: int, draft: Draft, result: Result) -> None:
        """Put a whole picture into the store and tell of it, or raise."""


@contextmanager
def cancellable(
    networks: Iterable[nn.Module], layers: tuple[type[nn.Module], ...], check: Callable[[], None]
) -> Iterator[None]:
    """Call `check`, which may raise, before each layer of these kinds: a cancel is seen in the middle of a network.

    And before each of the blocks that a network of diffusers' names as those it repeats, or does not split. Takes
    itself away at the end.
    """

    def before(_module: Any, _arguments: Any) -> None:
        check()

    with ExitStack() as stack:
        for network in networks:
            blocks = {
                *(getattr(network, "_repeated_blocks", None) or ()),
                *(getattr(network, "_no_split_modules", None) or ()),
            }
            for module in network.modules():
                if isinstance(module, layers) or type(module).__name__ in blocks:
                    stack.callback(module.register_forward_pre_hook(before).remove)
        yield
