# SPDX-License-Identifier: GPL-3.0-or-later
"""Processor time of wrapping before a convolution, by three means, and of the convolution itself.

Not a test: run `python tests/engine/bench_wrap.py` from the repository with the worker's Python. Milliseconds, one
thread, best of eight.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from addon.engine.seamless import wrap

SHAPES = ((1, 64, 512, 512), (1, 64, 64, 64), (2, 320, 64, 64), (2, 1280, 16, 16))


def by_cat(x: torch.Tensor) -> torch.Tensor:
    x = torch.cat((x[..., -1:], x, x[..., :1]), -1)
    return torch.cat((x[..., -1:, :], x, x[..., :1, :]), -2)


def milliseconds(call: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(8):
        begun = time.process_time()
        call()
        best = min(best, time.process_time() - begun)
    return 1000 * best


@torch.inference_mode()
def main() -> None:
    torch.set_num_threads(1)
    lines = [f"{'shape':24}{'layout':16}{'wrap':>9}{'cat':>9}{'F.pad':>9}{'conv':>9}"]
    for shape in SHAPES:
        for layout in (torch.contiguous_format, torch.channels_last):
            x = torch.randn(shape).contiguous(memory_format=layout)
            conv = torch.nn.Conv2d(shape[1], shape[1], 3, padding=1).to(memory_format=layout)
            calls = (
                lambda x=x: wrap(x, 1, 1, 1, 1),
                lambda x=x: by_cat(x),
                lambda x=x: F.pad(x, (1, 1, 1, 1), mode="circular"),
                lambda x=x, conv=conv: conv(x),
            )
            times = "".join(f"{milliseconds(call):9.3f}" for call in calls)
            lines.append(f"{shape!s:24}{str(layout).removeprefix('torch.'):16}{times}")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
