from .conftest import Blender
from .test_window import WINDOW


def test_dbg(blender: Blender) -> None:
    blender.use_fake(
        {"step_seconds": 0.8, "faults": [{"do": "signal", "phase": "SAMPLING", "step": 1, "prompt": "dies"}]}
    )
    blender.window = WINDOW
    done = blender.spawn(
        blender.script("by_hand.texture_by_mouse_and_keyboard", arguments={"pictures": "/tmp/mdbg/pics"})
    )
    print(done.stdout[-6000:], done.stderr[-3000:])
    import json

    told = json.loads((blender.folder / "report.json").read_text())
    print(told["error"])
    assert not told["error"]
