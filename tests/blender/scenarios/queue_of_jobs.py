# SPDX-License-Identifier: GPL-3.0-or-later
"""Several jobs at once: what is seen of them, their order, and another file in between."""

from typing import Any

import bpy
from common import addon, drive, finish, fresh, made, start
from drawing import _draw as draw_panel


def _status() -> Any:
    return bpy.context.window_manager.tilewright


def waiting_jobs_are_listed_and_can_be_moved() -> list[str]:
    jobs = [start(prompt=prompt) for prompt in ("stuck in SAMPLING", "second", "third", "fourth")]
    drive(lambda: jobs[0].progress and jobs[0].progress.phase.name == "SAMPLING")
    texts = draw_panel()
    assert [text for text in texts if text in ("second", "third", "fourth")] == ["second", "third", "fourth"]
    assert any(text.startswith("3 waiting") for text in texts), texts
    assert bpy.ops.tilewright.move_job(job=jobs[3].id, places=-1) == {"FINISHED"}
    assert bpy.ops.tilewright.move_job(job=jobs[3].id, places=-9) == {"FINISHED"}
    assert bpy.ops.tilewright.move_job(job=jobs[3].id) == {"CANCELLED"}, "it is in front already"
    assert bpy.ops.tilewright.move_job(job=jobs[0].id, places=1) == {"CANCELLED"}, "it is running"
    assert bpy.ops.tilewright.move_job(job="none") == {"CANCELLED"}
    assert [text for text in draw_panel() if text in ("second", "third", "fourth")] == ["fourth", "second", "third"]
    bpy.ops.tilewright.cancel(job=jobs[1].id)
    bpy.ops.tilewright.cancel(job=jobs[0].id)
    finish(jobs[2])
    drive(lambda: all(job.ended for job in jobs))
    assert addon("jobs.status").text() == ""
    return [image.tilewright.prompt for image in made()]


def many_waiting_jobs_take_little_room() -> None:
    jobs = [start(prompt="stuck in SAMPLING"), *(start(prompt=f"job {number}") for number in range(30))]
    drive(lambda: jobs[0].progress)
    texts = draw_panel()
    assert "and 25 more" in texts
    assert sum(text.startswith("job ") for text in texts) == 5
    assert addon("jobs.status").text().endswith("(30 waiting)")
    bpy.ops.tilewright.cancel()
    drive(lambda: all(job.ended for job in jobs))
    assert not made()


def a_list_tells_how_far_it_is_and_ends_alone_or_line_by_line() -> list[str]:
    """The queue takes another job beside a list; cancelling one line leaves the others, the list leaves that job."""
    Wish = addon("jobs.prompt_lists").Wish
    generation, current = addon("jobs.generation"), addon("common.state").current
    wishes = [Wish(prompt, 0, seed=1) for prompt in ("line a", "stuck in SAMPLING", "line c", "line d", "line e")]
    jobs = generation.start_all(bpy.context, wishes, "wishes.csv")
    other = start(prompt="other")
    assert "wishes.csv: 0 of 5" in draw_panel()
    drive(lambda: jobs[1].progress and jobs[1].progress.phase.name == "SAMPLING")
    assert "wishes.csv: 1 of 5" in draw_panel()
    assert 0.2 <= current.lists[0].fraction < 0.4
    bpy.ops.tilewright.cancel(job=jobs[2].id)
    assert "wishes.csv: 2 of 5" in draw_panel()
    assert [job.ended for job in jobs] == [True, False, True, False, False]
    bpy.ops.tilewright.cancel(job=jobs[4].id, of_list=True)
    finish(other)
    assert [job.state.name for job in jobs] == ["FINISHED", *["CANCELLED"] * 4]
    assert not any("wishes.csv" in text for text in draw_panel())
    return [entry.result.recipe.request.prompt for entry in addon("history.browse").get().entries]


def time_that_is_left_is_known_from_the_second_job_on() -> None:
    finish(start(prompt="first", steps=10))
    job = start(prompt="stuck in LOADING", steps=10)
    line = addon("jobs.panel").progress_text(job)
    assert line.endswith(" s left"), line
    file = addon("common.package").data_folder("paces.json")
    assert "starter" in file.read_text(encoding="ascii")
    bpy.ops.tilewright.cancel()
    drive(lambda: job.ended)
    text = addon("jobs.panel").seconds_text
    told = [text(seconds) for seconds in (None, 0.2, 2.4, 99.4, 130, 7000)]
    assert told == ["", "1 s left", "2 s left", "99 s left", "2 min left", "2 h left"]


def queue_outlives_another_file() -> int:
    fresh()
    jobs = [start(prompt=f"job {number}") for number in range(3)]
    drive(lambda: jobs[0].progress)
    fresh()
    assert _status().running
    assert _status().queued == 2
    finish(jobs[2])
    assert [job.state.value for job in jobs] == ["finished"] * 3
    assert not made(), "the new file was touched"
    assert "what was open before" in _status().outcome
    here = start(prompt="for this file")
    finish(here)
    assert [image.tilewright.prompt for image in made()] == ["for this file"]
    return len(addon("jobs.generation").Store(addon("common.preferences").store_folder()).results())


def note_is_shown(note: str) -> None:
    """What the engine had to do differently is told, while it does it and with the result."""
    finish(start(prompt="lean", steps=3))
    assert note in " ".join(draw_panel())
    assert len(made()) == 1
