#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Guess: a thread that copies one tensor and then only waits costs another thread's network nothing.
# Seen:  each thread that calls torch gets a team of OpenMP's threads of its own and keeps it. Once all teams together have more
#        threads than there are processors, libgomp no longer lets waiting ones spin: between any two layers they go to
#        sleep and are woken. Without the copy the network's thread hardly ever sleeps, after it thousands of times a
#        second, until the other thread ends. What a step loses by it depends on the machine: printed, not asserted. With
#        the copy made by numpy nothing changes. Matters to all who fill batches, or save
#        pictures, in a second thread.
# Versions: torch==2.14.1 numpy==2.4.6, Linux, two processors or more. Installs into a temporary folder; ends with an error if
# this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch==2.14.1 numpy==2.4.6
env --unset=OMP_NUM_THREADS --unset=OMP_WAIT_POLICY --unset=GOMP_SPINCOUNT venv/bin/python - <<'PYTHON'
import os
import resource
import threading
import time

import numpy as np
import torch

processors = len(os.sched_getaffinity(0))
torch.set_num_threads(processors)
print("torch", torch.__version__, "processors", processors)
network = torch.nn.Sequential(*(torch.nn.Conv2d(32, 32, 3, padding=1) for _ in range(8)))
picture = torch.randn(1, 32, 64, 64)


@torch.no_grad()
def sleeps(seconds: float = 4.0) -> float:
    """How often this thread went to sleep in a second of the network's work."""
    network(picture)
    before, begun, steps = resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw, time.monotonic(), 0
    while time.monotonic() - begun < seconds:
        network(picture)
        steps += 1
    took = time.monotonic() - begun
    print(f"  {1000 * took / steps:.2f} ms a step")
    return (resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw - before) / took


def beside(copy) -> float:
    """The same while another thread, which has copied once, waits."""
    copied, ended = threading.Event(), threading.Event()

    def work() -> None:
        copy()
        copied.set()
        ended.wait()

    other = threading.Thread(target=work)
    other.start()
    copied.wait()
    found = sleeps()
    ended.set()
    other.join()
    return found


source, target = torch.randn(4_000_000), torch.empty(4_000_000)
found = {
    "alone": sleeps(),
    "beside numpy's copy": beside(lambda: np.copyto(target.numpy(), source.numpy())),
    "beside torch's copy": beside(lambda: target.copy_(source)),
    "when that thread has ended": sleeps(),
}
for what, count in found.items():
    print(f"{what}: asleep {count:.0f} times a second")
most = max(count for what, count in found.items() if what != "beside torch's copy")
assert processors < 2 or found["beside torch's copy"] > 200 > 4 * most, found
PYTHON
