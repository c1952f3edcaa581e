# SPDX-License-Identifier: GPL-3.0-or-later
"""The bench command: its arithmetic, its table and JSON, and that its figures can be measured at all."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.bench import command, engine
from tools.bench.figures import Figure, in_turn, median_difference, median_ratio, show, spread, to_json, to_table
from tools.bench.setup import Setup
from tools.machine import ROOT, MachineError

SHORT = Figure("cancel_s", 0.3, "s", 0.2, "worst: loading")
GOOD = Figure("worker_over_bare", 1.01, "ratio", 1.03)
PART = Figure("cancel_s.worker_s", 0.21, "s")
LOST = Figure("heartbeat_gap_ms", None, "ms", 16, "needs a window")


def test_sides_are_measured_in_turn_and_neither_always_first() -> None:
    order: list[str] = []

    def side(name: str, value: float):
        def measure() -> float:
            order.append(name)
            return value + len(order)

        return measure

    first, second = in_turn((side("a", 0), side("b", 100)), 3)
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert (first, second) == ([1, 4, 5], [102, 103, 106])


def test_a_ratio_is_of_neighbours_in_time_so_a_machine_that_slows_down_does_not_change_it() -> None:
    bare = [1.0, 2.0, 4.0, 8.0, 16.0]
    assert median_ratio([1.5 * value for value in bare], bare) == 1.5
    assert median_ratio([1.0, 1.0, 100.0], [1.0, 1.0, 1.0]) == 1.0  # one disturbed run counts for nothing


def test_a_difference_is_of_neighbours_in_time() -> None:
    assert median_difference([11.0, 22.0, 33.0], [10.0, 20.0, 30.0]) == 2.0


@pytest.mark.parametrize("function", [median_ratio, median_difference])
def test_sides_of_different_length_are_a_mistake(function) -> None:
    with pytest.raises(ValueError):
        function([1.0, 2.0], [1.0])


def test_a_spread_tells_median_least_and_greatest() -> None:
    assert spread([3.0, 1.0, 1250.0]) == "3.000 (1.000 to 1250)"


def test_a_goal_is_an_upper_limit_and_what_was_not_measured_does_not_reach_it() -> None:
    assert not Figure("x", 0.2, "s", 0.2).falls_short
    assert SHORT.falls_short
    assert LOST.falls_short
    assert Figure("x", float("nan"), "s", 1.0).falls_short
    assert not PART.falls_short


def test_json_is_an_array_of_name_value_unit_and_goal() -> None:
    assert json.loads(to_json([GOOD, SHORT, PART, LOST])) == [
        {"name": "worker_over_bare", "value": 1.01, "unit": "ratio", "goal": 1.03},
        {"name": "cancel_s", "value": 0.3, "unit": "s", "goal": 0.2},
        {"name": "cancel_s.worker_s", "value": 0.21, "unit": "s", "goal": None},
        {"name": "heartbeat_gap_ms", "value": None, "unit": "ms", "goal": 16},
    ]
    assert json.loads(to_json([Figure("x", float("inf"), "s")]))[0]["value"] is None


def test_the_table_marks_what_falls_short_and_only_that() -> None:
    lines = to_table([GOOD, SHORT, PART, LOST]).splitlines()
    assert lines[0].split() == ["name", "value", "unit", "goal"]
    assert lines[1].split() == ["worker_over_bare", "1.010", "ratio", "<=", "1.03"]
    assert lines[2].split() == ["cancel_s", "0.3000", "s", "<=", "0.2", "SHORT"]
    assert lines[3] == "    worst: loading"
    assert lines[4].split() == ["worker_s", "0.2100", "s"]
    assert lines[5].endswith("not measured")
    assert lines[6] == "    needs a window"


@given(st.floats(min_value=0.001, max_value=1e6))
def test_a_shown_value_is_the_value_to_four_digits(value: float) -> None:
    text = show(value)
    assert "e" not in text
    assert float(text) == pytest.approx(value, rel=1e-3)


def test_every_figure_names_a_function_that_exists() -> None:
    for name, measure in command.MEASURES.items():
        module, _, function = measure.function.partition(":")
        source = (ROOT / "tools" / "bench" / f"{module}.py").read_text(encoding="utf-8")
        assert f"def {function}(setup: Setup)" in source, name
        assert f'Figure("{name}"' in source, name


def test_the_timer_that_figures_are_rounded_up_to_is_blenders() -> None:
    assert engine.tick_seconds() == 0.1


def test_a_figure_that_cannot_be_measured_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(setup: Setup) -> list[Figure]:
        raise MachineError("There is no window.")

    monkeypatch.setattr("tools.bench.chain_figures.seam_metric_ms", broken)
    (figure,) = command.measure("seam_metric_ms", Setup(Path(sys.executable)))
    assert (figure.value, figure.goal, figure.note) == (None, 50, "There is no window.")


def test_an_earlier_build_needs_the_history(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tools.bench.earlier_figures.ROOT", tmp_path)
    (figure,) = command.measure("starter_over_fourth", Setup(Path(sys.executable)))
    assert (figure.value, figure.goal) == (None, 0.45)
    assert "with its history" in figure.note


def test_an_unknown_name_is_refused_with_those_that_there_are() -> None:
    done = bench("nonsense")
    assert done.returncode == 1
    assert "There is no figure nonsense" in done.stderr
    assert "worker_over_bare" in done.stderr


@pytest.mark.slow
def test_the_bare_script_makes_the_workers_pixels() -> None:
    """Otherwise it would be compared with something else."""
    from addon.core.families.catalogue import STARTER_FOLDER
    from tools.bench import chain
    from tools.bench.against_bare import starter_request

    setup = Setup(Path(os.environ.get("TILEWRIGHT_PYTHON", sys.executable)), quick=True)
    request = starter_request(setup)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (
            engine.Engine(setup.python, folder) as worker,
            engine.Bare(setup.python, folder, request, STARTER_FOLDER) as bare,
        ):
            bare.expect("ready")
            _, mine = worker.make(request)
            _, other = bare.make(request)
        # One level: the worker folds the decoder's end into one convolution, which rounds otherwise.
        assert chain.levels_apart(str(mine), str(other)) <= 1


@pytest.mark.slow
@pytest.mark.timeout(900)  # on a busy machine; a minute on a calm one
def test_quick_figures_are_measured_and_only_they_are_on_stdout() -> None:
    names = (
        "worker_over_bare",
        "seamless_over_plain",
        "starter_512_s",
        "cancel_s",
        "preview_over_none",
        "periodicity_starter",
        "batch_skip_s",
    )
    done = bench(*names, "--quick", "--json")
    assert done.returncode == 0, done.stderr
    figures = {figure["name"]: figure for figure in json.loads(done.stdout)}
    assert set(names) <= set(figures)
    assert all(figure["value"] is not None for figure in figures.values()), done.stderr
    assert all(figures[name]["value"] > 0 for name in names if name != "periodicity_starter")
    assert figures["periodicity_starter"]["value"] <= 1  # rounding; that one holds at any size
    parts = [figure["value"] for name, figure in figures.items() if name.startswith("starter_512_s.")]
    assert len(parts) > 5


@pytest.mark.slow
@pytest.mark.timeout(900)  # on a busy machine; a minute on a calm one
def test_what_a_graphics_card_is_asked_for_is_measured_on_a_processor_too() -> None:
    names = ("card_levels", "card_seamless_over_plain", "card_wrap", "card_decode", "upscale_4096_s")
    done = bench(*names, "--device", "cpu", "--quick", "--json")
    assert done.returncode == 0, done.stderr
    figures = {figure["name"]: figure["value"] for figure in json.loads(done.stdout)}
    assert set(names) <= set(figures)
    assert figures["card_levels"] == 0  # the device is the processor here
    assert {"upscale_4096_s.tiles", "upscale_4096_s.colors", "upscale_4096_s.png"} <= set(figures)


def test_after_the_time_nothing_is_begun() -> None:
    (figure,) = command.measure("card_modes", Setup(Path(sys.executable)), deadline=0.0)
    assert (figure.value, figure.note, figure.falls_short) == (None, "The time is over.", True)


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    variables = {name: value for name, value in os.environ.items() if name != "BLENDER"}
    command_line = [sys.executable, str(ROOT / "tools" / "dev.py"), "bench", *arguments]
    return subprocess.run(command_line, env=variables, capture_output=True, text=True)
