"""The drowsiness monitor: scripted blinks, closures, yawns, nods, gaps; and everything absent."""

import numpy as np
import pytest

from classicface.apps.drowsiness import (
    DrowsinessLimits,
    DrowsinessMonitor,
    measure_drowsiness,
)
from classicface.data.synthetic import FaceParameters, blink_lids, draw_face

LIDS = ("blink", "long closure", "microsleep")


def kinds(record, *wanted):
    return [event for event in record.events if event.kind in wanted]


def pulse(time, start, end, edge=0.15):
    """Lids that close within `edge`, stay closed, and open."""
    return float(np.clip(min((time - start) / edge, (end - time) / edge), 0, 1))


@pytest.mark.parametrize(("fps", "noise"), [(10, 0.0), (15, 0.6), (30, 0.6), (60, 0.6)])
def test_twenty_blinks_at_uneven_times(watch, fps, noise):
    rng = np.random.default_rng(fps)
    starts = 1 + np.cumsum(rng.uniform(0.9, 1.9, 20))
    n = int((starts[-1] + 2) * fps)
    times = (np.arange(n) + rng.uniform(-0.3, 0.3, n)) / fps
    record = watch(times, lambda t: blink_lids(t, starts, 0.25), noise)
    found = kinds(record, *LIDS)
    assert [event.kind for event in found] == ["blink"] * 20
    for event, start in zip(found, starts, strict=True):
        assert start < event.start < event.end < start + 0.25
        assert event.depth > 0.3
    summary = record.summary()
    assert summary["blinks"] == 20
    assert summary["blink_duration"] == pytest.approx(0.13, abs=0.03)
    assert bool(summary["notes"]) == (fps == 10)  # some blinks may fall between the frames
    assert record.states[-1] == "awake"


def test_blinks_of_the_calibration_are_told_at_its_end(watch):
    times = np.arange(0, 6, 1 / 30)
    record = watch(times, lambda t: blink_lids(t, [1, 2.5]))
    assert len(kinds(record, "blink")) == 2
    assert record.states[60] == "calibrating"
    assert record.column("openness")[10] == pytest.approx(1, abs=0.05)
    assert record.summary()["eyes_seen"] == pytest.approx(6, abs=0.1)


def test_a_film_that_is_too_short(watch):
    record = watch([0.0], lambda t: 0.0)
    summary = record.summary()
    assert record.states == ["calibrating"]
    assert summary["frames"] == 1
    assert summary["blink_rate"] is summary["perclos"] is summary["fps"] is None
    assert "too short" in summary["notes"][0]


def test_noise_does_not_blink(watch):
    record = watch(np.arange(0, 62, 1 / 20), lambda t: 0.0, noise=0.7)
    assert record.events == []
    assert record.summary()["notes"] == ["no blink in a minute: the model may not see eyes close"]


def test_a_single_bad_frame_at_60_a_second_is_no_blink(watch):
    times = np.arange(0, 8, 1 / 60)
    record = watch(times, lambda t: 1.0 if abs(t - times[400]) < 1e-6 else 0.0)
    assert record.events == []


def test_eyes_that_are_closed_throughout_are_not_awake(watch):
    record = watch(np.arange(0, 30, 1 / 15), lambda t: 1.0)
    assert record.states[-1] == "no baseline"
    assert set(record.states) == {"calibrating", "no baseline"}
    assert record.summary()["notes"] == ["no baseline: eyes not seen open"]
    assert record.summary()["worst"] is None


def test_eyes_that_open_late_give_a_baseline(watch):
    record = watch(np.arange(0, 30, 1 / 15), lambda t: 1.0 if t < 12 else 0.0)
    assert record.states[170] == "no baseline"
    assert record.states[-1] == "drowsy"  # the end of the sleep is counted once it can be told
    assert [event.kind for event in record.events] == ["microsleep"]
    assert record.column("openness")[-1] == pytest.approx(1, abs=0.06)


def test_a_baseline_of_half_closed_eyes_is_corrected(watch):
    record = watch(np.arange(0, 30, 1 / 30), lambda t: 0.45 if t < 6 else 0.0)
    assert record.column("openness")[6 * 30 + 10] > 1.5
    assert record.column("openness")[-1] == pytest.approx(1, abs=0.05)


def test_a_baseline_does_not_sink_to_drooping_lids(watch):
    limits = DrowsinessLimits(adaptation=10.0)
    record = watch(np.arange(0, 200, 0.1), lambda t: min(0.6, 0.004 * t), limits=limits)
    baseline = record.column("baseline")
    assert baseline[-1] == pytest.approx(0.7 * baseline[50], rel=0.02)
    assert record.column("openness")[-1] < 0.6


def test_microsleep_perclos_and_states(watch):
    naps = [(30, 31), (40, 43), (55, 58)]
    times = np.arange(0, 150, 1 / 15)
    record = watch(times, lambda t: max(pulse(t, *nap) for nap in naps))
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


def test_perclos_alone_makes_tired_and_drowsy(watch):
    def lids(t):  # closed for 0.4 s of every 4, then of every 2
        return pulse(t % (4 if t < 90 else 2), 1.0, 1.45, 0.03)

    record = watch(np.arange(0, 180, 1 / 20), lids)
    perclos = record.column("perclos")
    assert perclos[89 * 20] == pytest.approx(0.1, abs=0.02)
    assert record.states[89 * 20] == "tired"
    assert perclos[-1] == pytest.approx(0.2, abs=0.04)
    assert record.states[-1] == "drowsy"


def test_missing_frames_are_neither_open_nor_closed(watch):
    def lids(t):
        return None if 20 < t < 50 else pulse(t % 5, 1.0, 1.4)

    record = watch(np.arange(0, 70, 1 / 30), lids)
    whole = watch(np.arange(0, 40, 1 / 30), lambda t: pulse(t % 5, 1.0, 1.4))
    summary = record.summary()
    assert summary["eyes_seen"] == pytest.approx(40, abs=0.1)
    assert summary["perclos"] == pytest.approx(whole.summary()["perclos"], abs=0.005)
    assert summary["states"]["absent"] == pytest.approx(29, abs=0.2)
    assert record.states[30 * 30] == "absent"
    assert record.states[-1] == "awake"


def test_a_face_that_is_lost_with_closed_eyes(eyes, watch):
    record = watch(np.arange(0, 20, 1 / 30), lambda t: pulse(t, 8, 99) if t < 10 else None)
    (event,) = kinds(record, *LIDS)
    assert event.kind == "microsleep"
    assert event.end == pytest.approx(10, abs=0.1)
    monitor = DrowsinessMonitor(pose=False)
    for t in np.arange(0, 12, 0.1):
        state = monitor.update(t, eyes(pulse(t, 6, 99)) if t < 10 else None)
    assert (state.state, state.reason) == ("absent", "no face (last asleep)")


def test_a_gap_between_frames_says_nothing(watch):
    times = np.concatenate([np.arange(0, 10, 0.1), np.arange(100, 110, 0.1)])
    record = watch(times, lambda t: pulse(t, 9.0, 101.0))
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


def test_points_that_part_again_while_the_lids_are_shut(watch):
    def lids(t):
        return blink_lids(t, [6.0], 0.3) - (0.75 if 6.1 < t < 6.14 else 0.0)

    record = watch(np.arange(0, 9, 1 / 60), lids)
    (event,) = record.events
    assert event.kind == "blink"
    assert event.duration == pytest.approx(0.17, abs=0.04)
    twice = watch(np.arange(0, 9, 1 / 60), lambda t: blink_lids(t, [6.0, 6.3], 0.25))
    assert len(twice.events) == 2


def test_a_shallow_dip_of_one_frame_at_30_a_second_is_no_blink(watch):
    times = np.arange(0, 9, 1 / 30)
    for depth, found in ((0.4, 0), (0.9, 1)):
        record = watch(times, lambda t, d=depth: d if abs(t - times[200]) < 1e-6 else 0.0)
        assert len(record.events) == found
