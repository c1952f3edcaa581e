# SPDX-License-Identifier: GPL-3.0-or-later
"""The queue as the panel, the status bar and another file see it."""

from .conftest import Blender
from .test_jobs import stuck


def test_waiting_jobs_are_listed_and_done_in_the_order_that_they_were_moved_to(blender: Blender) -> None:
    blender.use_fake(stuck("SAMPLING"))
    made = blender.run("queue_of_jobs.waiting_jobs_are_listed_and_can_be_moved")
    assert sorted(made) == ["fourth", "third"]


def test_many_waiting_jobs_take_little_room(blender: Blender) -> None:
    blender.use_fake(stuck("SAMPLING"))
    blender.run("queue_of_jobs.many_waiting_jobs_take_little_room")
    assert blender.results == []


def test_a_list_is_seen_and_ended_as_one(blender: Blender) -> None:
    blender.use_fake(stuck("SAMPLING"))
    made = blender.run("queue_of_jobs.a_list_tells_how_far_it_is_and_ends_alone_or_line_by_line")
    assert sorted(made) == ["line a", "other"]


def test_time_that_is_left_is_learned(blender: Blender) -> None:
    told = {"start": 1.0, "load": 1.0, "step": 2.0, "beside": 1.0}
    blender.use_fake({"pace": told} | stuck("LOADING"))
    blender.run("queue_of_jobs.time_that_is_left_is_known_from_the_second_job_on")


def test_fault_9_queue_outlives_another_file_and_its_results_are_listed(blender: Blender) -> None:
    blender.use_fake({"step_seconds": 0.1})
    assert blender.run("queue_of_jobs.queue_outlives_another_file") == 4


def test_fault_5_second_try_in_a_leaner_mode_is_told(blender: Blender) -> None:
    assert_note_is_shown(blender, "Out of memory; trying again with less.")


def test_fault_6_second_try_in_float32_is_told(blender: Blender) -> None:
    assert_note_is_shown(blender, "The decoder gave invalid numbers; decoding once more in float32.")


def assert_note_is_shown(blender: Blender, note: str) -> None:
    blender.use_fake({"faults": [{"do": "note", "phase": "DECODING", "text": note}]})
    blender.run("queue_of_jobs.note_is_shown", note=note)
