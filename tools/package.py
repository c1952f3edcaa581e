# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the extension's zip with Blender's own builder, the same bytes from the same source. Standard library only."""

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from tools import environments
from tools.machine import ROOT, MachineError

MANIFEST = "blender_manifest.toml"
# What belongs into the package. A kind of file that is named in neither is refused, so that nothing ships by accident.
SHIPPED_SUFFIXES = {".json", ".md", ".model", ".py", ".safetensors", ".svg", ".toml", ".txt"}
SHIPPED_NAMES = {"LICENSE", "NOTICE"}
# Bytecode, and pictures, which are for the reader of the repository.
LEFT_OUT_SUFFIXES = {".jpg", ".png", ".pyc", ".pyo", ".webp"}
LEFT_OUT_FOLDERS = {"__pycache__", "tests"}
# The zip stores file times: 2000-01-01 in the builder's time zone, which is set to UTC.
FILE_TIME = 946_684_800


def build(output: Path = ROOT / "dist") -> Path:
    """Build and validate the zip of the present source, and return its path: `output`/tilewright-VERSION.zip.

    Raises:
        MachineError: a file of an unknown kind is in addon/, or Blender's builder refuses the package.
    """
    builder = builder_command(environments.ensure(environments.BLENDER))
    version = tomllib.loads((ROOT / MANIFEST).read_text(encoding="utf-8"))["version"]
    output.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="tilewright-build-") as folder,
        tempfile.TemporaryDirectory(prefix=".part-", dir=output) as part,
    ):
        stage(Path(folder))
        zip_file = Path(part) / f"tilewright-{version}.zip"
        run_builder([*builder, "build", "--source-dir", folder, "--output-filepath", str(zip_file)])
        run_builder([*builder, "validate", str(zip_file)])
        # Renamed into place: whoever reads the zip at this moment gets the old one or the new one, whole.
        return zip_file.replace(output / zip_file.name)


def stage(folder: Path) -> None:
    """Fill `folder` with what the package holds: addon/*, the manual's pages, the manifest, LICENSE.

    All with fixed times and permissions.
    """
    sources = {path.relative_to(ROOT / "addon"): path for path in files_to_ship(ROOT / "addon")}
    sources |= {Path("manual") / path.name: path for path in (ROOT / "tools" / "manual").glob("*.md")}
    sources[Path("LICENSE")] = ROOT / "LICENSE"
    for relative, source in sources.items():
        target = folder / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    # Unless the manifest lists them, the builder takes files in the directory's order, which differs between machines.
    listed = "".join(f'    "{name}",\n' for name in sorted(path.as_posix() for path in sources))
    manifest = (ROOT / MANIFEST).read_text(encoding="utf-8") + f"\n[build]\npaths = [\n{listed}]\n"
    (folder / MANIFEST).write_text(manifest, encoding="utf-8", newline="\n")
    for path in folder.rglob("*"):
        if path.is_file():
            path.chmod(0o644)
            os.utime(path, (FILE_TIME, FILE_TIME))


def files_to_ship(addon: Path) -> list[Path]:
    """The files under `addon` that belong into the package.

    Raises:
        MachineError: a file of a kind that nobody has decided about.
    """
    chosen = []
    for path in sorted(addon.rglob("*")):
        relative = path.relative_to(addon)
        hidden = any(part.startswith(".") for part in relative.parts)
        if path.is_dir() or hidden or LEFT_OUT_FOLDERS.intersection(relative.parts) or path.suffix in LEFT_OUT_SUFFIXES:
            continue
        if path.suffix not in SHIPPED_SUFFIXES and path.name not in SHIPPED_NAMES:
            raise MachineError(
                f"addon/{relative.as_posix()} is of a new kind: say in tools/package.py whether it ships."
            )
        chosen.append(path)
    return chosen


def builder_command(python: Path) -> list[str]:
    """How to start the builder behind `blender --command extension`: in the module it is a script that needs no bpy."""
    packages = environments.site_packages(python.parent.parent)
    for script in packages.glob("bpy/*/scripts/addons_core/bl_pkg/cli/blender_ext.py"):
        return [str(python), "-I", "-B", str(script)]
    raise MachineError(f"Blender's extension builder is not where it was expected, in {packages / 'bpy'}.")


def run_builder(command: list[str]) -> None:
    """Run one command of the builder and pass its words on where it fails."""
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, "TZ": "UTC0"}
    )
    if done.returncode != 0:
        sys.stderr.write(done.stdout)
        raise MachineError("Blender's extension builder refuses the package, for the reasons above.")
