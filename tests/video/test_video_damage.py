"""Damage is never silent where it can be noticed, and never more than an error of ours."""

import itertools
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from classicface.exceptions import ClassicFaceError, DataFormatError
from classicface.video import Frame, containers, open_video
from classicface.video.clock import Clock
from classicface.video.files import FileSource
from classicface.video.ledger import MAX_HELD, Ledger
from classicface.video.lengths import missing_bytes
from classicface.video.source import Faults

av = pytest.importorskip("av", reason="needs PyAV")

ENDINGS = ("mp4", "mkv", "avi", "webm")

#: Each example writes and decodes a film.
fuzzing = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


def read(path: Path, **options: Any) -> tuple[list[Frame], list[str]]:
    with open_video(path, **options) as video:
        frames = list(video)
        return frames, video.faults


def check_frames(frames: list[Frame], size: tuple[int, int] | None = None) -> None:
    """Check what holds for the frames of any film, however damaged."""
    assert all(a.index < b.index and a.time < b.time for a, b in itertools.pairwise(frames))
    assert len({frame.image.shape for frame in frames}) == 1
    assert all(np.isfinite(frame.time) and frame.time >= 0 for frame in frames)


def read_damaged(data: bytes, ending: str, folder: Path) -> tuple[list[Frame], list[str]] | None:
    """Return what comes of a damaged file, None where it is refused."""
    path = folder / f"damaged.{ending}"
    path.write_bytes(data)
    try:
        frames, faults = read(path)
    except ClassicFaceError:
        return None
    check_frames(frames)
    assert len(faults) <= 12 and all(len(sentence) < 400 for sentence in faults)
    return frames, faults


@fuzzing
@given(share=st.floats(0, 1, exclude_max=True), ending=st.sampled_from(ENDINGS))
def test_a_cut_file_says_so(films: Any, tmp_path: Path, share: float, ending: str) -> None:
    whole = films[ending].read_bytes()
    outcome = read_damaged(whole[: int(share * len(whole))], ending, tmp_path)
    if outcome is not None:
        frames, faults = outcome
        assert len(frames) == 30 or faults
        assert ending == "mp4" or faults  # a cut mp4 may still hold all of its frames


@fuzzing
@given(
    places=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 7)), max_size=20),
    ending=st.sampled_from(ENDINGS),
)
def test_flipped_bits_do_no_harm(
    films: Any, tmp_path: Path, places: list[tuple[float, int]], ending: str
) -> None:
    data = bytearray(films[ending].read_bytes())
    for share, bit in places:
        data[int(share * len(data))] ^= 1 << bit
    read_damaged(bytes(data), ending, tmp_path)


@fuzzing
@given(
    places=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), max_size=8),
    ending=st.sampled_from(("mp4", "avi")),
)
def test_frames_that_bits_in_the_pictures_cost_are_said(
    films: Any, tmp_path: Path, places: list[tuple[float, int]], ending: str
) -> None:
    data = bytearray(films[ending].read_bytes())
    start = data.index(b"mdat" if ending == "mp4" else b"movi") + 4
    end = len(data) if ending == "mp4" else data.index(b"idx1")
    for share, flip in places:
        data[start + int(share * (end - start))] ^= flip
    outcome = read_damaged(bytes(data), ending, tmp_path)
    if outcome is not None:
        frames, faults = outcome
        assert len(frames) == 30 or faults


@fuzzing
@given(st.binary(max_size=3000), st.sampled_from(("", "mp4", "mkv", "avi")))
def test_noise_is_refused_or_read(films: Any, tmp_path: Path, noise: bytes, head: str) -> None:
    start = films[head].read_bytes()[:600] if head else b""
    read_damaged(start + noise, head or "ts", tmp_path)


def packets(path: Path) -> list[Any]:
    with av.open(str(path)) as container:
        return [
            (packet.pts, bytes(packet), packet.is_keyframe)
            for packet in container.demux(video=0)
            if packet.size
        ]


def zeroed(path: Path, numbers: Iterable[int], target: Path) -> list[int]:
    """Fill packets of a film with zeros; return their places in the order of showing."""
    found = packets(path)
    data = path.read_bytes()
    for number in numbers:
        content = found[number][1]
        assert data.count(content) == 1
        data = data.replace(content, bytes(len(content)))
    target.write_bytes(data)
    order = sorted(stamp for stamp, *_ in found)
    return [order.index(found[number][0]) for number in numbers]


def test_a_damaged_frame_is_left_out_with_the_times_kept(films: Any, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.mp4"
    (lost,) = zeroed(films["mp4"], [12], damaged)
    frames, faults = read(damaged)
    assert [frame.index for frame in frames] == [i for i in range(30) if i != lost]
    np.testing.assert_allclose([f.time * 25 for f in frames], [f.index for f in frames], atol=1e-6)
    assert any(f"frame {lost} ({lost / 25:.3f} s)" in sentence for sentence in faults)
    assert any("built on frames that are damaged or missing" in sentence for sentence in faults)


def test_doubt_ends_at_the_next_key_frame(encode: Any, tmp_path: Path) -> None:
    path = encode("keys.mp4", g="10", keyint_min="10", sc_threshold="0", bf="0")
    assert [i for i, packet in enumerate(packets(path)) if packet[2]] == [0, 10, 20]
    damaged = tmp_path / "damaged.mp4"
    zeroed(path, [4], damaged)
    frames, faults = read(damaged)
    assert [frame.index for frame in frames] == [i for i in range(30) if i != 4]
    suspect = next(sentence for sentence in faults if "built on frames" in sentence)
    assert "frame 5 (0.200 s) and 4 more, the last of them frame 9 (0.360 s)" in suspect


def test_pictures_that_stand_alone_are_not_doubted(encode: Any, tmp_path: Path) -> None:
    path = encode("jpegs.avi", "mjpeg", pixels="yuvj420p")
    damaged = tmp_path / "damaged.avi"
    zeroed(path, [4], damaged)
    frames, faults = read(damaged)
    assert len(frames) == 29 and len(faults) == 1 and "frame 4 (0.160 s)" in faults[0]


def test_a_film_without_its_first_frames_keeps_its_times(encode: Any, tmp_path: Path) -> None:
    path = encode("keys.mp4", g="10", keyint_min="10", sc_threshold="0", bf="0")
    damaged = tmp_path / "damaged.mp4"
    zeroed(path, range(10), damaged)
    frames, faults = read(damaged)
    assert [frame.index for frame in frames] == list(range(10, 30))
    assert frames[0].time == pytest.approx(0.4) and faults
    zeroed(path, range(30), damaged)
    with pytest.raises(DataFormatError, match="not one frame"):
        read(damaged)


def test_a_frame_of_another_size_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "sizes.avi"
    small, large = (np.full((16 * k, 16 * k, 3), 90, np.uint8) for k in (1, 2))
    pictures = []
    for image in (small, large):
        with av.open(str(tmp_path / "one.mjpeg"), "w", format="mjpeg") as out:
            stream = out.add_stream("mjpeg", rate=25)
            stream.width, stream.height, stream.pix_fmt = image.shape[1], image.shape[0], "yuvj420p"
            out.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            out.mux(stream.encode(None))
        pictures.append((tmp_path / "one.mjpeg").read_bytes())
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mjpeg", rate=25)
        stream.width = stream.height = 16
        stream.pix_fmt = "yuvj420p"
        for i, which in enumerate((0, 0, 1, 0)):
            packet = av.Packet(pictures[which])
            packet.pts = packet.dts = i
            packet.stream, packet.time_base = stream, Fraction(1, 25)
            packet.is_keyframe = True
            if i == 0:
                out.start_encoding()
            out.mux(packet)
    frames, faults = read(path)
    assert [frame.index for frame in frames] == [0, 1, 3]
    assert len(faults) == 1 and "another size" in faults[0] and "frame 2" in faults[0]


def test_many_faults_make_few_sentences(films: Any, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.avi"
    zeroed(films["avi"], range(5, 25), damaged)
    frames, faults = read(damaged)
    assert [f.index for f in frames] == [*range(5), *range(25, 30)]
    assert len(faults) <= 3
    assert any("frame 5 (0.200 s) and 19 more, the last of them frame 24" in s for s in faults)


@pytest.mark.parametrize("ending", ["mkv", "webm", "avi"])
def test_missing_ends_are_measured(films: Any, tmp_path: Path, ending: str) -> None:
    assert missing_bytes(films[ending]) == 0
    whole = films[ending].read_bytes()
    path = tmp_path / f"cut.{ending}"
    for n in (1, 17, len(whole) // 4):
        path.write_bytes(whole[:-n])
        assert missing_bytes(path) == n
        assert any(f"its last {n} bytes are missing" in s for s in read(path)[1])
    for content in (b"", whole[:4], whole[:6], whole[:30], b"RIFF", b"\x1aE\xdf\xa3\x00", bytes(9)):
        path.write_bytes(content)
        assert missing_bytes(path) >= 0


def test_a_live_stream_names_no_length(tmp_path: Path) -> None:
    path = tmp_path / "live.webm"
    path.write_bytes(b"\x1aE\xdf\xa3\x80\x18S\x80g\x01\xff\xff\xff\xff\xff\xff\xff" + bytes(50))
    assert missing_bytes(path) == 0
    path.write_bytes(b"RIFF\xff\xff\xff\xffAVI " + bytes(50))
    assert missing_bytes(path) == 0
    part = b"RIFF\x0c\x00\x00\x00AVIX" + bytes(8)
    path.write_bytes(part * 3 + b"RIFF\x70\x00\x00\x00AVIX" + bytes(8))
    assert missing_bytes(path) == 0x70 + 8 - 20


def test_the_ledger_counts_what_never_came() -> None:
    told: list[tuple[int, int, str]] = []
    ledger = Ledger(lambda *fault: told.append(fault))
    for stamp, why in [(0, ""), (30, ""), (10, "bad"), (20, ""), (40, "marked")]:
        ledger.sent(stamp, why)
    assert ledger.settle(0) == (0, "")
    assert ledger.settle(20) == (2, "")  # 10 never came
    assert ledger.settle(None) == (3, "")
    assert ledger.settle(40) == (5, "marked")  # nor 30
    ledger.sent(50)
    ledger.finish()
    assert told == [(1, 10, "bad"), (4, 30, "no picture came of the data"), (6, 50, told[1][2])]


def test_the_ledger_lets_fields_go_and_holds_little() -> None:
    told: list[int] = []
    ledger = Ledger(lambda index, stamp, why: told.append(stamp))
    ledger.sent(0)
    ledger.sent(1)
    ledger.sent(2, "bad")
    ledger.sent(3)
    assert ledger.settle(0, fields=True) == (0, "")
    assert ledger.settle(3, fields=True) == (2, "")  # 1 was the second field of 0
    assert told == [2]
    for stamp in range(100, 100 + 3 * MAX_HELD):
        ledger.sent(stamp)
    assert told[1:] == list(range(100, 100 + 2 * MAX_HELD))


def tell_all(stamps: list[float | None], fps: float = 10.0) -> tuple[list[float], list[str]]:
    faults = Faults()
    clock = Clock(1 / fps, faults)
    times = [clock.tell(i, stamp) for i, stamp in enumerate(stamps)]
    clock.finish()
    return times, faults.sentences()


def test_even_and_uneven_times_are_kept() -> None:
    assert tell_all([0.0, 0.1, 0.2])[1] == []
    uneven = [0.0, 0.3, 0.35, 0.9, 1.0, 1.6]
    assert tell_all(list(uneven)) == (uneven, [])
    times, faults = tell_all([None] * 4)
    np.testing.assert_allclose(times, [0, 0.1, 0.2, 0.3])
    assert faults == []


def test_a_clock_that_jumps_back_goes_on() -> None:
    stamps = [0.0, 0.1, 0.1, 0.3, 5000.0, 0.5, 0.6]
    times, faults = tell_all(list(stamps))
    np.testing.assert_allclose(times, [0.0, 0.1, 0.2, 0.3, 5000.0, 5000.1, 5000.2])
    assert len(faults) == 2
    assert "jumps back" in faults[0] and "frame 2 (0.200 s) and 1 more" in faults[0]
    assert "nothing was recorded" in faults[1] and "4999.700 s between frame 3" in faults[1]


def test_holes_are_said_where_the_frames_are_even() -> None:
    even: list[float | None] = [i / 10 for i in range(100)]
    times, faults = tell_all(even[:40] + even[41:])
    assert len(times) == 99 and len(faults) == 1
    assert "frames are missing" in faults[0] and "0.200 s between frame 39" in faults[0]
    long = tell_all(even[:20] + even[55:])[1]
    assert len(long) == 1 and "3.600 s between frame 19 (1.900 s) and the next" in long[0]
    assert tell_all([0.0, 60.0, 120.0, 180.0], fps=1 / 60)[1] == []  # a film in time lapse


@given(st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), max_size=30))
def test_times_always_grow(stamps: list[float | None]) -> None:
    times, _ = tell_all(stamps)
    assert all(a < b for a, b in itertools.pairwise(times))
    assert all(time >= 0 for time in times)


def test_reading_that_breaks_off_is_said(films: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "BUFFER", 512)
    source = FileSource(films["avi"], None, 1)
    with source as video:
        source._file.close()  # as when a memory stick is pulled out
        frames = list(video)
        faults = video.faults
    assert 1 <= len(frames) < 30
    assert any("reading broke off: frame" in sentence for sentence in faults)
