# SPDX-License-Identifier: GPL-3.0-or-later
"""Promise 4: nothing is run that came from a file. Reads the sources: no way to evaluate, unpickle or import by name.

What the import test allows is not repeated here; this one looks at calls.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ADDON = Path(__file__).resolve().parents[2] / "addon"

# By the last part of what is called, or by two parts where the last alone is harmless elsewhere.
NEVER = {
    "eval",
    "exec",
    "compile",
    "execfile",
    "__import__",
    "import_module",
    "exec_module",
    "load_module",
    "run_path",
    "run_module",
    "run_string",
    "spec_from_file_location",
    "system",
    "popen",
    "unsafe_load",
    "load_state_dict_from_url",
    "driver_namespace",
    "as_module",
}
NEVER_OF = {
    ("torch", "load"),
    ("jit", "load"),
    ("hub", "load"),
    ("np", "load"),
    ("numpy", "load"),
    ("yaml", "load"),
    ("pickle", "load"),
    ("pickle", "loads"),
    ("marshal", "loads"),
    ("shelve", "open"),
    ("ctypes", "CDLL"),
}
NEVER_NAMED = {"shell": True, "trust_remote_code": True, "allow_pickle": True}  # keyword arguments
NEVER_AT_ALL = {"custom_pipeline", "custom_revision"}
# The start of worker and installer: it loads the package that it is a part of, by names that stand in the source.
ALLOWED = {
    ("start.py", "spec_from_file_location"),
    ("start.py", "exec_module"),
    ("start.py", "import_module"),
}
# A class from a list of ours, since `core.model_files` refuses all others; torch.cuda and its like, by our own enum.
GETATTR_BY_NAME = {"engine/models.py", "engine/weights.py", "engine/devices.py"}


def modules() -> list[Path]:
    return sorted(path.relative_to(ADDON) for path in ADDON.rglob("*.py"))


def dangers(source: str, module: str) -> Iterator[str]:
    """What the module may not do: a sentence each."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        parts = _parts(node.func)
        last, place = parts[-1], f"addon/{module}:{node.lineno}"
        harmless = parts == ("re", "compile") or (len(parts) > 1 and last == "eval" and not node.args)  # a network's
        if last in NEVER and not harmless and (module, last) not in ALLOWED:
            yield f"{place}: {'.'.join(parts)}()"
        # an array that must not hold objects is read without unpickling
        array = parts[-1] == "load" and any(
            k.arg == "allow_pickle" and isinstance(k.value, ast.Constant) and k.value.value is False
            for k in node.keywords
        )
        # what this process has loaded already names no file
        own = parts[-1] == "CDLL" and [isinstance(a, ast.Constant) and a.value is None for a in node.args] == [True]
        if parts[-2:] in NEVER_OF and not own and not (array and parts[-2] in ("np", "numpy")):
            yield f"{place}: {'.'.join(parts)}()"
        for keyword in node.keywords:
            value = keyword.value.value if isinstance(keyword.value, ast.Constant) else None
            if keyword.arg in NEVER_AT_ALL or (keyword.arg in NEVER_NAMED and value is not False):
                yield f"{place}: {keyword.arg}="
        if last == "from_pretrained":
            wanted = {"use_safetensors", "local_files_only"}
            true = {k.arg for k in node.keywords if isinstance(k.value, ast.Constant) and k.value.value is True}
            if not wanted <= true:
                yield f"{place}: from_pretrained without {', '.join(sorted(wanted - true))}"


def _parts(function: ast.expr) -> tuple[str, ...]:
    """The names of what is called: ("os", "path", "join")."""
    if isinstance(function, ast.Attribute):
        return (*_parts(function.value), function.attr)
    return (function.id,) if isinstance(function, ast.Name) else ("?",)


@pytest.mark.parametrize("module", modules(), ids=Path.as_posix)
def test_fault_20_no_code_of_ours_evaluates_unpickles_or_imports_what_a_file_names(module: Path) -> None:
    source = (ADDON / module).read_text(encoding="utf-8")
    assert list(dangers(source, module.as_posix())) == []


@pytest.mark.parametrize("module", modules(), ids=Path.as_posix)
def test_fault_20_classes_are_looked_up_by_name_in_one_place_alone(module: Path) -> None:
    """`getattr(library, name)` with a name that was read is an import in disguise."""
    tree = ast.parse((ADDON / module).read_text(encoding="utf-8"))
    found = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and _parts(node.func) == ("getattr",)
        and not isinstance(node.args[1], ast.Constant)
        and _parts(node.args[0])[0]
        not in ("self", "message", "obj", "pace", "settings", "cls", "data", "prefs", "wish", "options")
        and _parts(node.args[0]) != ("bpy", "types")  # Blender's own menus, by names that stand in the source
    ]
    if module.as_posix() in GETATTR_BY_NAME:
        assert found, "this exception is not needed any more"
    else:
        assert [f"addon/{module}:{line}" for line in found] == []


@pytest.mark.parametrize(
    "source",
    [
        "eval(text)",
        "exec(open(path).read())",
        "builtins.exec(text)",
        "compile(text, 'x', 'exec')",
        "__import__(name)",
        "importlib.import_module(name)",
        "runpy.run_path(path)",
        "torch.load(path)",
        "torch.jit.load(path)",
        "torch.hub.load(name)",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "pickle.loads(data)",
        "os.system(words)",
        "os.popen(words)",
        "subprocess.run(words, shell=True)",
        "cls.from_pretrained(folder)",
        "cls.from_pretrained(folder, use_safetensors=True)",
        "cls.from_pretrained(folder, use_safetensors=True, local_files_only=flag)",
        "f(custom_pipeline=name)",
        "f(trust_remote_code=True)",
        "f(trust_remote_code=flag)",
        "ctypes.CDLL(path)",
        "text.as_module()",
    ],
)
def test_a_danger_is_found(source: str) -> None:
    assert len(list(dangers(source, "core/a.py"))) in (1, 2)


@pytest.mark.parametrize(
    "source",
    [
        "re.compile(pattern)",
        "json.loads(text)",
        "store.load(folder)",
        "images.load(result)",
        "subprocess.run([python, script])",
        "f(trust_remote_code=False)",
        "cls.from_pretrained(folder, use_safetensors=True, local_files_only=True)",
        "platform.system",
        "ctypes.CDLL(None)",
    ],
)
def test_what_is_harmless_passes(source: str) -> None:
    assert list(dangers(source, "core/a.py")) == []
