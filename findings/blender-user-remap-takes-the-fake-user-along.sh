#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Guess: ID.user_remap() hands over the users that another data-block is; a fake user is a setting of its own, and
# stays.
# Seen:  the fake user goes along: the old one has none any more and is not saved, and the new one has it. The same in
# bpy 4.2.23 and 5.0.1 and in Blender 5.2.2.
# Versions: bpy==4.5.15, Python 3.11. Installs into a temporary folder; ends with an error if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check bpy==4.5.15
venv/bin/python - <<'PYTHON'
import bpy

print("bpy", bpy.app.version_string)
old, new = (bpy.data.materials.new(name) for name in ("old", "new"))
old.use_fake_user = True
old.user_remap(new)
seen = old.use_fake_user, new.use_fake_user, old.users, new.users
print("fake users of the old and the new one, and all their users:", seen)
assert seen == (False, True, 0, 1)
PYTHON
