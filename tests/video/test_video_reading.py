"""What open_video reads: containers, codecs, times, rotation, folders; and what it refuses."""

import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from classicface.exceptions import DataFormatError, InvalidInputError, MissingDependencyError
from classicface.image.io import write_image
from classicface.video import Frame, open_video
from classicface.video import containers as containers_module
from classicface.video.boxes import check_boxes
from classicface.video.containers import open_container
from classicface.video.folder import natural_key

av = pytest.importorskip("av", reason="needs PyAV")


def read(path: Any, **options: Any) -> tuple[list[Frame], list[str]]:
    with open_video(path, **options) as video:
        frames = list(video)
        return frames, video.faults


@pytest.mark.parametrize("ending", ["mp4", "mkv", "avi", "webm"])
def test_a_sound_film_comes_back(films: Any, scene: Any, ending: str) -> None:
    with open_video(films[ending]) as video:
        assert (video.size, video.fps, video.n_frames) == ((96, 64), 25.0, 30)
        assert video.name == str(films[ending])
        frames = list(video)
        assert video.faults == []
    assert [frame.index for frame in frames] == list(range(30))
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(30) / 25, atol=5e-4)
    for frame, image in zip(frames, scene(30), strict=True):
        assert frame.image.dtype == np.uint8 and frame.image.flags.c_contiguous
        assert np.abs(frame.image.astype(int) - image).mean() < 12


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [
        ("film.mov", "libx264", "yuv444p"),
        ("film.ts", "libx264", "yuv420p"),
        ("film.mp4", "mpeg4", "yuv420p"),
        ("film.avi", "mjpeg", "yuvj420p"),
        ("film.avi", "libx264", "yuv420p"),  # with frames out of order, which AVI cannot say
        ("film.mkv", "ffv1", "yuv420p10le"),
        ("film.mkv", "rawvideo", "gray"),
        ("film.mpg", "mpeg2video", "yuv420p"),
        ("film.gif", "gif", "rgb8"),
        ("film.webm", "libvpx", "yuv420p"),
        ("film.h264", "libx264", "yuv420p"),  # a stream without times
        ("film.flv", "flv", "yuv420p"),
    ],
)
def test_formats(encode: Any, scene: Any, name: str, codec: str, pixels: str) -> None:
    frames, faults = read(encode(name, codec, pixels=pixels))
    assert faults == []
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(30) / 25, atol=6e-3)
    grey = [frame.image.mean(axis=2) for frame in frames]
    for i, picture in enumerate(scene(30)):
        assert np.abs(grey[i] - picture.mean(axis=2)).mean() < 15


def test_hidden_frames_of_a_codec_are_no_fault(encode: Any) -> None:
    options = {"auto-alt-ref": "1", "lag-in-frames": "16", "deadline": "good", "cpu-used": "5"}
    for codec in ("libvpx", "libvpx-vp9"):
        frames, faults = read(encode(f"{codec}.webm", codec, **options))
        assert len(frames) == 30 and faults == []


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_rotation_and_mirroring_are_obeyed(
    encode: Any, scene: Any, degrees: int, mirrored: bool
) -> None:
    def turn(stream: Any) -> None:
        if not hasattr(stream, "set_display_rotation"):
            pytest.skip("this PyAV cannot write a rotation")
        stream.set_display_rotation(degrees, hflip=mirrored)

    path = encode("turned.mp4", n=2, prepare=turn, crf="10")
    with open_video(path) as video:
        image = next(iter(video)).image
        size = video.size
    turned = np.rot90(scene(1)[0], degrees // 90)  # counter-clockwise, as the matrix says
    candidates = [turned] if not mirrored else [turned[:, ::-1], turned[::-1]]
    assert size == (turned.shape[1], turned.shape[0])
    assert min(np.abs(image.astype(int) - other).mean() for other in candidates) < 12
    if not mirrored:  # OpenCV turns films too
        capture = cv2.VideoCapture(str(path))
        done, peer = capture.read()
        assert done and np.abs(image.astype(int) - peer[..., ::-1]).mean() < 6


def test_edit_lists_are_obeyed(encode: Any, tmp_path: Path) -> None:
    """A film that a phone has trimmed keeps its whole data, and hides some of it."""
    path = tmp_path / "trimmed.mp4"
    with av.open(str(encode("whole.mp4"))) as whole, av.open(str(path), "w") as out:
        source = whole.streams.video[0]
        stream = out.add_stream_from_template(source)
        for packet in whole.demux(source):
            if packet.dts is not None:
                shift = round(5 / 25 / packet.time_base)
                packet.pts, packet.dts, packet.stream = (
                    packet.pts - shift,
                    packet.dts - shift,
                    stream,
                )
                out.mux(packet)
    data = bytearray(path.read_bytes())
    at = data.index(b"elst") + 12
    (duration,) = struct.unpack(">I", data[at : at + 4])
    data[at : at + 4] = struct.pack(">I", duration // 2)
    path.write_bytes(data)
    with open_video(path) as video:
        expected = video.n_frames
        frames = list(video)
        assert video.faults == []
    assert len(frames) == expected < 20
    assert frames[0].time == 0.0


def test_variable_frame_rate_is_kept_and_can_be_overruled(films: Any, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    frames, _ = read(films["mp4"], fps=10)
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(30) / 10)
    with open_video(films["mp4"], fps=10) as video:
        assert video.fps == 10.0


def test_threads_give_the_same_frames(films: Any) -> None:
    one, _ = read(films["mp4"])
    several, faults = read(films["mp4"], threads=3)
    assert faults == []
    for a, b in zip(one, several, strict=True):
        assert (a.index, a.time) == (b.index, b.time)
        np.testing.assert_array_equal(a.image, b.image)


def test_a_source_is_gone_through_once_and_not_after_it_is_closed(films: Any) -> None:
    with open_video(films["mp4"]) as video:
        frames = iter(video)
        next(frames)
        with pytest.raises(InvalidInputError, match="once only"):
            iter(video)
    with pytest.raises(InvalidInputError, match="is closed"):
        next(frames)
    video.close()  # a second time does nothing


def folder_of(pictures: dict[str, Any], folder: Path) -> Path:
    folder.mkdir()
    for name, picture in pictures.items():
        write_image(folder / name, picture)
    return folder


def test_a_folder_is_read_in_the_order_of_its_numbers(tmp_path: Path) -> None:
    greys = {f"f{i}.png": np.full((8, 10), i, np.uint8) for i in range(12)}
    folder = folder_of(greys, tmp_path / "pictures")
    (folder / "notes.txt").write_text("no picture")
    with open_video(folder) as video:
        assert (video.size, video.fps, video.n_frames) == ((10, 8), 30.0, 12)
        frames = list(video)
        assert video.faults == []
    assert [int(frame.image[0, 0, 0]) for frame in frames] == list(range(12))
    assert frames[3].image.shape == (8, 10, 3)
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(12) / 30)
    assert read(folder, fps=5)[0][1].time == pytest.approx(0.2)


def test_faulty_pictures_of_a_folder_are_said_and_keep_their_numbers(tmp_path: Path) -> None:
    folder = folder_of(
        {f"{i}.png": np.full((8, 10), i, np.uint8) for i in range(6)}, tmp_path / "p"
    )
    (folder / "0.png").write_bytes(b"nothing of the kind")
    write_image(folder / "2.png", np.zeros((9, 10), np.uint8))
    (folder / "4.png").write_bytes((folder / "4.png").read_bytes()[:40])
    frames, faults = read(folder)
    assert [frame.index for frame in frames] == [1, 3, 5]
    assert len(faults) == 2
    assert "frame 0 (0.000 s), 0.png" in faults[0] and "1 more" in faults[0]
    assert "another size" in faults[1] and "frame 2" in faults[1] and "10 x 9" in faults[1]


def test_natural_order() -> None:
    names = ["b1", "a10b2", "a2", "a10", "a02", "a", "a10b10", "1", "02"]
    ordered = ["1", "02", "a", "a02", "a2", "a10", "a10b2", "a10b10", "b1"]
    assert natural_key("a2") != natural_key("a02")
    assert sorted(names, key=natural_key) == ordered


def test_folders_without_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataFormatError, match="no picture in this folder"):
        open_video(tmp_path)
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(DataFormatError, match="none of its 1 pictures"):
        open_video(tmp_path)


@pytest.mark.parametrize("source", [None, 1.5, "", [], True, -1, 1000, b"x"])
def test_what_is_no_source_is_refused(source: Any) -> None:
    with pytest.raises(InvalidInputError):
        open_video(source)


@pytest.mark.parametrize("options", [{"fps": 0}, {"fps": 1e9}, {"fps": "a"}, {"threads": 0}])
def test_parameters_out_of_range_are_refused(films: Any, options: Any) -> None:
    with pytest.raises(InvalidInputError):
        open_video(films["mp4"], **options)


def test_files_that_are_no_videos_are_refused(films: Any, tmp_path: Path) -> None:
    def refused(name: str, content: bytes | None, match: str) -> None:
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(DataFormatError, match=match):
            open_video(path)

    refused("absent.mp4", None, "no such file$")
    refused("null\0.mp4", None, "no such file")
    refused("empty.mp4", b"", "is empty")
    refused("text.mp4", b"Dear Sir or Madam,\n" * 50, "cannot be read as a video")
    refused("zeros.mkv", bytes(5000), "cannot be read as a video")
    write_image(tmp_path / "photo.png", np.zeros((8, 8), np.uint8))
    refused("photo.png", None, "a folder of pictures is read")
    data = films["mp4"].read_bytes()
    index = data.index(b"moov") - 4
    (length,) = struct.unpack(">I", data[index : index + 4])
    refused("cut.mp4", data[:index] + data[index + length :], r"index of this mp4 \(moov\)")
    refused("cut2.mp4", data[: index + length // 2], r"index of this mp4 \(moov\)")
    refused("codec.mp4", data.replace(b"avc1", b"zzz9"), "codec that this build")
    if sys.platform.startswith("linux"):
        with pytest.raises(DataFormatError, match="neither a file nor a folder"):
            open_video("/dev/null")


def test_sound_only_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, 1024), np.float32), format="fltp", layout="mono"
        )
        frame.sample_rate = 8000
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    with pytest.raises(DataFormatError, match="no pictures, only sound"):
        open_video(path)


def test_pictures_of_absurd_size_are_refused(encode: Any, films: Any, tmp_path: Path) -> None:
    data = bytearray(encode("raw.avi", "rawvideo", n=2).read_bytes())
    header = data.index(b"strf") + 8
    data[header + 4 : header + 12] = struct.pack("<II", 30_000, 30_000)
    path = tmp_path / "huge.avi"
    path.write_bytes(data)
    with pytest.raises(DataFormatError):
        open_video(path)


def test_lists_of_files_open_nothing(films: Any, tmp_path: Path) -> None:
    """A hostile list must not make the reader open what it names, on disk or on the network."""
    film = films["mp4"]
    lists = {
        "list.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{film}\n#EXT-X-ENDLIST\n",
        "list.ffconcat": f"ffconcat version 1.0\nfile '{film}'\n",
        "named.mp4": f"ffconcat version 1.0\nfile {film.name}\n",
        "list.mpd": f"<MPD><Period><BaseURL>{film}</BaseURL></Period></MPD>",
        "list.sdp": "v=0\nm=video 5000 RTP/AVP 96\nc=IN IP4 127.0.0.1\n",
    }
    for name, text in lists.items():
        path = film.parent / name  # beside the film, as relative names would need
        path.write_text(text)
        with pytest.raises(DataFormatError, match="cannot be read as a video"):
            open_video(path)
    for address in ("http://127.0.0.1:9/film.mp4", "rtsp://127.0.0.1:9/film", f"file:{film}"):
        with pytest.raises(DataFormatError, match="not from the network"):
            open_video(address)
    with pytest.raises(DataFormatError, match="no such file"):
        open_video(f"concat:{film}|{film}")


@pytest.mark.parametrize(
    ("name", "form", "text"),
    [
        ("list.ffconcat", "concat", "ffconcat version 1.0\nfile {}\n"),
        ("list.m3u8", "hls", "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{}\n#EXT-X-ENDLIST\n"),
    ],
)
def test_a_file_opens_no_other_even_of_a_format_that_could(
    films: Any, monkeypatch: pytest.MonkeyPatch, name: str, form: str, text: str
) -> None:
    formats = (*containers_module.CONTAINERS, form)
    monkeypatch.setattr(containers_module, "CONTAINERS", formats)
    path = films["mp4"].parent / name
    path.write_text(text.format(films["mp4"].name))
    options = {"extension_picky": "0"} if form == "hls" else {}
    with av.open(str(path), options=options) as container:  # without our precautions it is read
        assert len(container.streams.video) == 1
    with pytest.raises(DataFormatError):
        open_video(path)


def test_tables_that_claim_too_much_are_refused(films: Any, tmp_path: Path) -> None:
    check_boxes(films["mp4"])
    data = bytearray(films["mp4"].read_bytes())
    at = data.index(b"stsz") + 8
    data[at : at + 8] = struct.pack(">II", 1, 50_000_000)
    path = tmp_path / "bomb.mp4"
    path.write_bytes(data)
    with pytest.raises(DataFormatError, match="claim 50000000 samples"):
        open_video(path)
    run = struct.pack(">I4sIII", 20, b"trun", 0x1, 60_000_000, 0)
    path.write_bytes(struct.pack(">I4s", len(run) + 8, b"moof") + run)
    with pytest.raises(DataFormatError, match="claim 60000000 samples"):
        check_boxes(path)
    path.write_bytes(struct.pack(">I4sI4s", 16, b"moov", 8, b"cmov"))
    with pytest.raises(DataFormatError, match="compressed index"):
        check_boxes(path)
    path.write_bytes(struct.pack(">I4sQ", 1, b"mdat", 1 << 63))
    check_boxes(path)


def test_a_film_longer_than_it_can_be_is_said(films: Any, tmp_path: Path) -> None:
    data = bytearray(films["mkv"].read_bytes())
    at = data.index(b"DURATION") + data[data.index(b"DURATION") :].index(b"00:00:01")
    data[at : at + 8] = b"99:59:59"
    path = tmp_path / "endless.mkv"
    path.write_bytes(data)
    frames, faults = read(path)
    assert len(frames) == 30
    assert len(faults) == 1 and "promises 359999" in faults[0]


def test_missing_pyav_is_said(films: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "classicface\[video\]"'):
        open_video(films["mp4"])


def test_opencv_is_loaded_before_pyav() -> None:
    """The other order makes the windows of OpenCV hang."""
    import subprocess

    code = (
        "import sys\nfrom classicface.video.containers import import_av\n"
        "assert 'cv2' not in sys.modules and 'av' not in sys.modules\n"
        "import_av()\nnames = list(sys.modules)\nprint(names.index('cv2') < names.index('av'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"


def test_the_file_is_let_go_of(films: Any, opened: Callable[[], int]) -> None:
    before = opened()
    container, file = open_container(films["mp4"])
    container.close()
    file.close()
    for _ in range(5):
        with open_video(films["mp4"]) as video:
            next(iter(video))
    with pytest.raises(DataFormatError):
        open_video(Path(__file__))
    assert opened() == before


@pytest.fixture
def opened() -> Callable[[], int]:
    folder = Path("/proc/self/fd")
    if not folder.is_dir():
        pytest.skip("open files cannot be counted here")
    return lambda: len(list(folder.iterdir()))
