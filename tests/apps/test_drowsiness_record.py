"""The drowsiness record, its files and its thresholds; bad input; memory; running statistics."""

import json
import math
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classicface.apps.drowsiness import DrowsinessLimits, DrowsinessMonitor
from classicface.apps.drowsiness._running import RunningQuantile, SlidingSums
from classicface.apps.drowsiness.record import (
    COLUMNS,
    DrowsinessRecord,
    measure_drowsiness,
)
from classicface.data.synthetic import blink_lids
from classicface.exceptions import DataFormatError, InvalidInputError
from classicface.shape.schemes import convert_landmarks


@pytest.mark.parametrize("name", ["ibug51", "ibug49"])
def test_other_schemes(eyes, name):
    monitor = DrowsinessMonitor(name)
    events = []
    for t in np.arange(0, 8, 1 / 30):
        face = convert_landmarks(eyes(blink_lids(t, [5, 6])), "ibug68", name)
        events += monitor.update(t, face).events
    assert [event.kind for event in events] == ["blink", "blink"]


def test_bad_input_leaves_the_monitor_as_it_was(eyes):
    monitor = DrowsinessMonitor(pose=False)
    monitor.update(5.0, eyes(0))
    with pytest.raises(InvalidInputError, match=r"time runs backwards: 4\.000 s after 5\.000 s"):
        monitor.update(4.0, eyes(0))
    with pytest.raises(InvalidInputError, match="time is nan"):
        monitor.update(math.nan, eyes(0))
    with pytest.raises(InvalidInputError, match="5 landmarks a face; expected 68"):
        monitor.update(6.0, np.zeros((5, 2)))
    with pytest.raises(InvalidInputError, match="expected those of one face"):
        monitor.update(6.0, np.zeros((2, 68, 2)))
    assert monitor.update(5.0, eyes(0)).state == "calibrating"  # the same time again is no fault
    monitor.reset()
    assert monitor.update(0.0, eyes(0)).state == "calibrating"


def test_a_scheme_without_eyes():
    with pytest.raises(InvalidInputError, match=r"drowsiness needs the lids.*dlib5"):
        DrowsinessMonitor("dlib5")
    with pytest.raises(InvalidInputError, match="expected DrowsinessLimits"):
        DrowsinessMonitor("ibug68", {"microsleep": 1})


def test_points_that_are_missing(eyes):
    monitor = DrowsinessMonitor()
    blank = np.full((68, 2), np.nan)
    for t in np.arange(0, 3, 0.1):
        state = monitor.update(t, blank)
    assert (state.state, state.reason) == ("absent", "no face yet")
    for t in np.arange(3, 10, 0.1):
        state = monitor.update(t, eyes(0.0))
    for t in np.arange(10, 13, 0.1):
        half = eyes(0.0)
        half[36:48] = np.nan
        state = monitor.update(t, half)
    assert (state.state, state.reason) == ("absent", "the eyes are not seen")
    assert math.isnan(state.openness)


def test_points_of_no_face_have_no_pose():
    state = DrowsinessMonitor().update(0.0, np.tile(np.arange(68.0)[:, None], 2))
    assert math.isnan(state.pitch)


def test_nothing_at_all():
    record = measure_drowsiness([0, 0.1, 0.2], np.full((3, 68, 2), np.nan))
    assert record.states == ["absent"] * 3
    assert record.summary()["notes"] == ["no face with eyes was seen"]
    empty = DrowsinessRecord()
    assert empty.summary()["frames"] == 0
    assert empty.summary()["states"]["awake"] == 0


def test_measure_drowsiness_refuses_other_shapes():
    with pytest.raises(InvalidInputError, match="a time for each"):
        measure_drowsiness([0, 1], np.zeros((3, 68, 2)))
    with pytest.raises(InvalidInputError, match="a time for each"):
        measure_drowsiness([0], np.zeros((68, 2)))


def test_csv_and_json(watch, tmp_path):
    record = watch(np.arange(0, 8, 0.1), lambda t: blink_lids(t, [5], 0.4))
    record.to_csv(tmp_path / "r.csv")
    lines = (tmp_path / "r.csv").read_text().splitlines()
    assert lines[0].split(",") == [*COLUMNS, "state"]
    assert len(lines) == 81
    cells = dict(zip(lines[0].split(","), lines[60].split(","), strict=True))
    assert (cells["time"], cells["state"], cells["perclos"]) == ("5.9000", "awake", "")
    record.to_json(tmp_path / "r.json")
    document = json.loads((tmp_path / "r.json").read_text())
    assert document["summary"]["blinks"] == 1
    assert document["events"][0]["kind"] == "blink"
    assert document["limits"]["microsleep"] == 1.5
    with pytest.raises(DataFormatError, match="cannot be written"):
        record.to_csv(tmp_path / "none" / "r.csv")
    with pytest.raises(InvalidInputError, match="no column 'eyes'"):
        record.column("eyes")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"microsleep": -1.0}, "microsleep is -1.0"),
        ({"microsleep": 0.3}, "blink_longest is 0.5 and microsleep 0.3"),
        ({"closing": 0.9}, "closing is 0.9 and reopening 0.7"),
        ({"closures_tired": 9}, "closures_tired is 9 and closures_drowsy 4"),
        ({"learn_closed": 1}, "learn_closed is 1"),
        ({"yawns_tired": 0}, "yawns_tired is 0"),
    ],
)
def test_limits_that_make_no_sense(wrong, message):
    with pytest.raises(InvalidInputError, match=message):
        DrowsinessLimits(**wrong)


def test_every_limit_is_documented():
    text = DrowsinessLimits.__doc__
    assert all(field.name in text for field in fields(DrowsinessLimits))


@settings(max_examples=25)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1e3)), min_size=1, max_size=200))
def test_any_frames_at_any_times(eyes, frames):
    monitor, time = DrowsinessMonitor(pose=False), 0.0
    for closed, step in frames:
        time += step
        state = monitor.update(time, None if closed > 0.9 else eyes(closed))
        assert 0 <= state.perclos <= 1 or math.isnan(state.perclos)
        assert 0 <= state.openness <= 2 or math.isnan(state.openness)
        assert all(event.end >= event.start for event in state.events)


def test_memory_is_bounded(eyes):
    import tracemalloc

    monitor, faces = DrowsinessMonitor(pose=False), [eyes(0.0), eyes(1.0)]

    def run(start, n):
        for i in range(n):
            monitor.update(start + i / 60, faces[i % 90 > 80])

    run(0, 400)
    tracemalloc.start()
    run(100, 600)
    grown = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert grown < 20_000


@given(st.lists(st.floats(0, 1), min_size=1, max_size=300), st.floats(0.05, 0.95))
def test_running_quantile_is_near_the_quantile(values, share):
    running = RunningQuantile(0.0, 1.0, 250, 1e12)
    for value in values:
        running.add(value, 0.1)
    found = running.quantile(share)
    assert np.mean(np.array(values) < found - 0.0041) <= share + 1e-6
    assert np.mean(np.array(values) <= found + 0.0041) >= share - 1e-6


def test_running_quantile_forgets():
    running = RunningQuantile(0.0, 1.0, 100, 5.0)
    assert math.isnan(running.quantile(0.5))
    for _ in range(1000):
        running.add(0.2, 0.1)
    for _ in range(100):
        running.add(0.8, 0.1)
    assert running.quantile(0.5) == pytest.approx(0.8, abs=0.02)
    for _ in range(100_000):  # its weights stay finite for ever
        running.add(0.4, 1.0)
    assert running.quantile(0.5) == pytest.approx(0.4, abs=0.02)


@given(st.lists(st.tuples(st.floats(0, 20), st.floats(0, 5)), max_size=60))
def test_sliding_sums_are_those_of_the_window(steps):
    sums, time, past = SlidingSums(60.0, "a"), 0.0, []
    for step, amount in steps:
        time += step
        sums.advance(time)
        sums.add("a", amount)
        past.append((time, amount))
        least = sum(a for t, a in past if t > time - 59.4)
        most = sum(a for t, a in past if t > time - 60.1)
        assert least - 1e-6 <= sums.total("a") <= most + 1e-6
