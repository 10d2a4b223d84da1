"""The drowsiness monitor: scripted blinks, closures, yawns, nods, gaps; and everything absent."""

import json
import math
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classicface.apps._running import RunningQuantile, SlidingSums
from classicface.apps.drowsiness import DrowsinessMonitor
from classicface.apps.drowsiness_limits import DrowsinessLimits
from classicface.apps.drowsiness_record import (
    COLUMNS,
    DrowsinessRecord,
    measure_drowsiness,
)
from classicface.data.synthetic import FaceParameters, blink_lids, draw_face
from classicface.exceptions import DataFormatError, InvalidInputError
from classicface.shape.schemes import convert_landmarks

LIDS = ("blink", "long closure", "microsleep")


@pytest.fixture(scope="module")
def eyes():
    """Return a function from the closure of the lids to landmarks, by interpolation."""
    steps = np.linspace(0, 1, 21)
    faces = np.stack([draw_face(FaceParameters(eyes_closed=(c, c)), size=240)[1] for c in steps])

    def at(closed):
        i = min(int(closed * 20), 19)
        share = closed * 20 - i
        return (1 - share) * faces[i] + share * faces[i + 1]

    return at


def watch(eyes, times, lids, noise=0.0, limits=None, seed=0):
    """Return the record of a person whose lids are closed by `lids(time)`; None is no face."""
    rng = np.random.default_rng(seed)
    monitor = DrowsinessMonitor("ibug68", limits, pose=False)
    record = DrowsinessRecord(monitor.limits)
    for time in times:
        closed = lids(time)
        face = None if closed is None else eyes(closed) + rng.normal(0, noise, (68, 2))
        record.add(monitor.update(time, face))
    record.close(monitor.finish())
    return record


def kinds(record, *wanted):
    return [event for event in record.events if event.kind in wanted]


def pulse(time, start, end, edge=0.15):
    """Lids that close within `edge`, stay closed, and open."""
    return float(np.clip(min((time - start) / edge, (end - time) / edge), 0, 1))


@pytest.mark.parametrize(("fps", "noise"), [(10, 0.0), (15, 0.6), (30, 0.6), (60, 0.6)])
def test_twenty_blinks_at_uneven_times(eyes, fps, noise):
    rng = np.random.default_rng(fps)
    starts = 1 + np.cumsum(rng.uniform(0.9, 1.9, 20))
    n = int((starts[-1] + 2) * fps)
    times = (np.arange(n) + rng.uniform(-0.3, 0.3, n)) / fps
    record = watch(eyes, times, lambda t: blink_lids(t, starts, 0.25), noise)
    found = kinds(record, *LIDS)
    assert [event.kind for event in found] == ["blink"] * 20
    for event, start in zip(found, starts, strict=True):
        assert start < event.start < event.end < start + 0.25
        assert event.depth > 0.3
    summary = record.summary()
    assert summary["blinks"] == 20
    assert summary["blink_duration"] == pytest.approx(0.13, abs=0.03)
    assert summary["notes"] == []
    assert record.states[-1] == "awake"


def test_blinks_of_the_calibration_are_told_at_its_end(eyes):
    times = np.arange(0, 6, 1 / 30)
    record = watch(eyes, times, lambda t: blink_lids(t, [1, 2.5]))
    assert len(kinds(record, "blink")) == 2
    assert record.states[60] == "calibrating"
    assert record.column("openness")[10] == pytest.approx(1, abs=0.05)
    assert record.summary()["eyes_seen"] == pytest.approx(6, abs=0.1)


def test_a_film_that_is_too_short(eyes):
    record = watch(eyes, [0.0], lambda t: 0.0)
    summary = record.summary()
    assert record.states == ["calibrating"]
    assert summary["frames"] == 1
    assert summary["blink_rate"] is summary["perclos"] is summary["fps"] is None
    assert "too short" in summary["notes"][0]


def test_noise_does_not_blink(eyes):
    record = watch(eyes, np.arange(0, 62, 1 / 20), lambda t: 0.0, noise=0.7)
    assert record.events == []
    assert record.summary()["notes"] == ["no blink in a minute: the model may not see eyes close"]


def test_a_single_bad_frame_at_60_a_second_is_no_blink(eyes):
    times = np.arange(0, 8, 1 / 60)
    record = watch(eyes, times, lambda t: 1.0 if abs(t - times[400]) < 1e-6 else 0.0)
    assert record.events == []


def test_eyes_that_are_closed_throughout_are_not_awake(eyes):
    record = watch(eyes, np.arange(0, 30, 1 / 15), lambda t: 1.0)
    assert record.states[-1] == "no baseline"
    assert set(record.states) == {"calibrating", "no baseline"}
    assert record.summary()["notes"] == ["no baseline: eyes not seen open"]
    assert record.summary()["worst"] is None


def test_eyes_that_open_late_give_a_baseline(eyes):
    record = watch(eyes, np.arange(0, 30, 1 / 15), lambda t: 1.0 if t < 12 else 0.0)
    assert record.states[170] == "no baseline"
    assert record.states[-1] == "drowsy"  # the end of the sleep is counted once it can be told
    assert [event.kind for event in record.events] == ["microsleep"]
    assert record.column("openness")[-1] == pytest.approx(1, abs=0.06)


def test_a_baseline_of_half_closed_eyes_is_corrected(eyes):
    record = watch(eyes, np.arange(0, 30, 1 / 30), lambda t: 0.45 if t < 6 else 0.0)
    assert record.column("openness")[6 * 30 + 10] > 1.5
    assert record.column("openness")[-1] == pytest.approx(1, abs=0.05)


def test_a_baseline_does_not_sink_to_drooping_lids(eyes):
    limits = DrowsinessLimits(adaptation=10.0)
    record = watch(eyes, np.arange(0, 200, 0.1), lambda t: min(0.6, 0.004 * t), limits=limits)
    baseline = record.column("baseline")
    assert baseline[-1] == pytest.approx(0.7 * baseline[50], rel=0.02)
    assert record.column("openness")[-1] < 0.6


def test_microsleep_perclos_and_states(eyes):
    naps = [(30, 31), (40, 43), (55, 58)]
    times = np.arange(0, 150, 1 / 15)
    record = watch(eyes, times, lambda t: max(pulse(t, *nap) for nap in naps))
    found = kinds(record, *LIDS)
    assert [event.kind for event in found] == ["long closure", "microsleep", "microsleep"]
    assert [event.duration for event in found] == pytest.approx([0.9, 2.9, 2.9], abs=0.15)
    state = dict(zip(np.round(times, 3), record.states, strict=True))
    assert state[39.0] == "awake"
    assert state[41.4] == "awake"
    assert state[42.0] == "asleep"  # closed for 1.5 s, while it lasts
    assert state[44.0] == "drowsy"
    assert state[110.0] == "drowsy"
    assert state[149.0] == "awake"  # a minute and `recovery` after the last
    summary = record.summary()
    assert summary["worst"] == "asleep"
    assert summary["perclos"] == pytest.approx(6.6 / 150, abs=0.01)
    assert summary["perclos_most"] == pytest.approx(6.6 / 58, abs=0.02)
    assert sum(summary["states"].values()) == pytest.approx(150, abs=0.1)


def test_perclos_alone_makes_tired_and_drowsy(eyes):
    def lids(t):  # closed for 0.4 s of every 4, then of every 2
        return pulse(t % (4 if t < 90 else 2), 1.0, 1.45, 0.03)

    record = watch(eyes, np.arange(0, 180, 1 / 20), lids)
    perclos = record.column("perclos")
    assert perclos[89 * 20] == pytest.approx(0.1, abs=0.02)
    assert record.states[89 * 20] == "tired"
    assert perclos[-1] == pytest.approx(0.2, abs=0.04)
    assert record.states[-1] == "drowsy"


def test_missing_frames_are_neither_open_nor_closed(eyes):
    def lids(t):
        return None if 20 < t < 50 else pulse(t % 5, 1.0, 1.4)

    record = watch(eyes, np.arange(0, 70, 1 / 30), lids)
    whole = watch(eyes, np.arange(0, 40, 1 / 30), lambda t: pulse(t % 5, 1.0, 1.4))
    summary = record.summary()
    assert summary["eyes_seen"] == pytest.approx(40, abs=0.1)
    assert summary["perclos"] == pytest.approx(whole.summary()["perclos"], abs=0.005)
    assert summary["states"]["absent"] == pytest.approx(29, abs=0.2)
    assert record.states[30 * 30] == "absent"
    assert record.states[-1] == "awake"


def test_a_face_that_is_lost_with_closed_eyes(eyes):
    record = watch(eyes, np.arange(0, 20, 1 / 30), lambda t: pulse(t, 8, 99) if t < 10 else None)
    (event,) = kinds(record, *LIDS)
    assert event.kind == "microsleep"
    assert event.end == pytest.approx(10, abs=0.1)
    monitor = DrowsinessMonitor(pose=False)
    for t in np.arange(0, 12, 0.1):
        state = monitor.update(t, eyes(pulse(t, 6, 99)) if t < 10 else None)
    assert (state.state, state.reason) == ("absent", "no face (last asleep)")


def test_a_gap_between_frames_says_nothing(eyes):
    times = np.concatenate([np.arange(0, 10, 0.1), np.arange(100, 110, 0.1)])
    record = watch(eyes, times, lambda t: pulse(t, 9.0, 101.0))
    assert [event.kind for event in record.events] == ["long closure"] * 2
    assert record.summary()["longest_closure"] < 1.5
    assert record.summary()["eyes_seen"] == pytest.approx(20, abs=0.3)


def test_yawns(eyes):
    mouth = draw_face(FaceParameters(mouth_open=1.0, pucker=0.6), size=240)[1]
    closed_mouth = eyes(0.0)

    def face(t):
        return mouth if 10 < t < 15 or 20 < t < 21 or 30 < t < 34 else closed_mouth

    times = np.arange(0, 40, 1 / 15)
    record = measure_drowsiness(times, np.stack([face(t) for t in times]))
    found = kinds(record, "yawn")
    assert [event.start for event in found] == pytest.approx([10, 30], abs=0.1)
    assert found[0].duration == pytest.approx(5, abs=0.2)
    assert record.states[-1] == "tired"


def test_eyes_closed_in_a_yawn_are_no_sleep(eyes):
    yawning = draw_face(FaceParameters(mouth_open=1.0, pucker=0.6, eyes_closed=(1, 1)), size=240)[1]
    times = np.arange(0, 20, 1 / 15)
    faces = np.stack([yawning if 10 < t < 14 else eyes(0.0) for t in times])
    faces[(times > 13) & (times < 14)] = yawning
    record = measure_drowsiness(times, faces)
    assert "asleep" not in record.states
    assert len(kinds(record, "yawn")) == 1


def test_nods_from_the_callers_pitch(eyes):
    def pitch(t):
        if 10 < t < 11.6:
            return -20 * np.sin(np.pi * (t - 10) / 1.6)
        if 20 < t < 32:
            return -18 * min(1.0, (t - 20) / 6)  # slowly looking down
        return -25 * min(1.0, (t - 40) / 0.4) if t > 40 else 0.0

    monitor = DrowsinessMonitor(pose=False)
    events = []
    for t in np.arange(0, 48, 1 / 20):
        events += monitor.update(t, eyes(0.0), pitch=3 + pitch(t)).events
    found = [event for event in events if event.kind in ("nod", "head down")]
    assert [event.kind for event in found] == ["nod", "head down"]
    assert found[0].start == pytest.approx(10.2, abs=0.2)
    assert found[0].depth == pytest.approx(20, abs=1)
    assert found[1].start == pytest.approx(40.1, abs=0.2)


def test_nods_from_the_landmarks():
    times = np.arange(0, 16, 1 / 12)
    faces = []
    for t in times:
        drop = 24 * np.sin(np.pi * (t - 10) / 1.5) if 10 < t < 11.5 else 0.0
        faces.append(draw_face(FaceParameters(pitch=-drop), size=32, face_size=20)[1])
    record = measure_drowsiness(times, 8 * np.stack(faces))
    assert [event.kind for event in record.events] == ["nod"]
    assert record.column("pitch")[np.argmin(abs(times - 10.75))] < -15


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


def test_csv_and_json(eyes, tmp_path):
    record = watch(eyes, np.arange(0, 8, 0.1), lambda t: blink_lids(t, [5], 0.4))
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


def test_points_that_part_again_while_the_lids_are_shut(eyes):
    def lids(t):
        return blink_lids(t, [6.0], 0.3) - (0.75 if 6.1 < t < 6.14 else 0.0)

    record = watch(eyes, np.arange(0, 9, 1 / 60), lids)
    (event,) = record.events
    assert event.kind == "blink"
    assert event.duration == pytest.approx(0.17, abs=0.04)
    twice = watch(eyes, np.arange(0, 9, 1 / 60), lambda t: blink_lids(t, [6.0, 6.3], 0.25))
    assert len(twice.events) == 2


def test_a_shallow_dip_of_one_frame_at_30_a_second_is_no_blink(eyes):
    times = np.arange(0, 9, 1 / 30)
    for depth, found in ((0.4, 0), (0.9, 1)):
        record = watch(eyes, times, lambda t, d=depth: d if abs(t - times[200]) < 1e-6 else 0.0)
        assert len(record.events) == found
