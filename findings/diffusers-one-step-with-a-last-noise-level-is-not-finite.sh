#!/usr/bin/env bash
# diffusers 0.42.1: FlowMatchEulerDiscreteScheduler with shift_terminal, as Qwen-Image's configuration has it, gives a
# timestep that is no number where one step is asked for: it stretches a schedule that begins at 1, by (1 - 1) / (1 - 1).
# Needs the network. Fails if it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet diffusers==0.42.1 torch==2.14.1
cd "$folder"
"$folder/env/bin/python" - <<'PYTHON' 2>/dev/null | tee out.txt
from diffusers import FlowMatchEulerDiscreteScheduler

scheduler = FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True, shift_terminal=0.02)
for steps in (2, 1):
    scheduler.set_timesteps(sigmas=[1 - step / steps for step in range(steps)], mu=0.5)
    print(steps, "steps:", scheduler.timesteps.tolist())
PYTHON
grep -q "1 steps: \[nan\]" out.txt
