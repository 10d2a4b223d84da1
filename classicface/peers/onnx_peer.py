"""Any landmark network in an ONNX file, run by ONNX Runtime."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classicface.exceptions import InvalidInputError, ModelFormatError
from classicface.image.crop import crop_face, crop_pose
from classicface.peers.base import PeerPredictor, import_library
from classicface.peers.onnx_format import OnnxFormat, read_format
from classicface.persistence import check_model_file, read_bytes
from classicface.shape.boxes import box_centers_sides
from classicface.shape.schemes import get_scheme
from classicface.shape.similarity import apply_similarity, invert_similarity
from classicface.validation import check_choice, check_integer

__all__ = ["onnx_predictor"]

#: A network with larger pictures is refused before one is made: no landmark network has such.
MAX_SIDE = 4096

_DTYPES = {
    "tensor(uint8)": np.uint8,
    "tensor(float16)": np.float16,
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
}


def onnx_predictor(path: str | Path, *, n_threads: int = 1, **parameters: Any) -> PeerPredictor:
    """Run a landmark network that is stored as ONNX.

    Each face is cropped as an upright square; all faces of a picture go through the network
    together where its batch size is free.

    Parameters
    ----------
    path : path-like
        A single ``.onnx`` file; weights beside it are not read. A network is a program: load only
        files from people you trust.
    n_threads : int, default 1
        Threads that ONNX Runtime uses for one call.
    **parameters
        What the network takes and gives, see `OnnxFormat`. Those that are not given are read from
        a JSON file with the same names beside the network (``net.json`` for ``net.onnx``), then
        from the network itself. What ``to_onnx`` of our own networks wrote needs no parameter.

    Returns
    -------
    PeerPredictor
        It makes one pass. Our own network predictors make several, so an exported one agrees with
        its predictor at ``n_passes=1``.

    Raises
    ------
    MissingDependencyError
        ONNX Runtime is not installed.
    ModelFormatError
        The file is missing, too large, no ONNX model, or does not run.
    DataFormatError
        The JSON file is none, or holds an unknown name.
    InvalidInputError
        A parameter is out of range, missing, or does not fit the network.
    """
    runtime = import_library("onnxruntime", "an ONNX network", 'pip install "classicface[onnx]"')
    path = check_model_file(path)
    data = read_bytes(path)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = check_integer(n_threads, "n_threads", 1, 1024)
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what goes wrong is raised, not printed
    try:
        # From bytes, so that no other file is read.
        session = runtime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        notes = session.get_modelmeta().custom_metadata_map
    except Exception as error:  # the runtime's errors share no root of their own
        raise ModelFormatError(f"{path}: no network of ONNX: {error!s:.300}") from None
    form = read_format(path, notes, parameters)
    network = _Network.read(session, form, path)
    n_landmarks = network.points(np.zeros((1, network.size, network.size), np.uint8)).shape[1]
    scheme = get_scheme(n_landmarks) if form.scheme is None else form.scheme
    if scheme.n_landmarks != n_landmarks:
        raise InvalidInputError(
            f"{path}: the network gives {n_landmarks} points, scheme {scheme.name} has"
            f" {scheme.n_landmarks}"
        )
    return PeerPredictor(
        network.predict,
        scheme,
        box_map=form.box_map,
        library=f"ONNX Runtime {runtime.__version__}",
        files=(path,),
        spec=f"onnx:{path.absolute()}",
    )


@dataclass(frozen=True, eq=False)
class _Network:
    """A network with what it takes and gives; ONNX Runtime's sessions may be shared by threads."""

    session: Any
    form: OnnxFormat
    path: Path
    input_name: str
    dtype: Any
    size: int
    channels: int | None  # None: the network takes (n, size, size)
    channels_first: bool
    any_batch: bool
    output: str

    @classmethod
    def read(cls, session: Any, form: OnnxFormat, path: Path) -> _Network:
        """Put together what the file and the parameters say."""
        inputs = session.get_inputs()
        if len(inputs) != 1:
            raise InvalidInputError(f"{path}: the network has {len(inputs)} inputs; expected one")
        shape, kind = inputs[0].shape, inputs[0].type
        if kind not in _DTYPES or len(shape) not in (3, 4):
            raise InvalidInputError(
                f"{path}: the network takes {kind} of shape {shape}; expected pictures of bytes or"
                " floats, (n, size, size) or with an axis for channels"
            )
        first = _channels_first(shape, form)
        sides = shape[1:] if len(shape) == 3 else shape[2:] if first else shape[1:3]
        channels = None
        if len(shape) == 4:
            channels = _agreed(path, "channels", form.channels, [shape[1 if first else 3]])
        _check_pixels(path, _DTYPES[kind], channels, form)
        if isinstance(shape[0], int) and shape[0] != 1:
            raise InvalidInputError(f"{path}: the network takes {shape[0]} faces at once, not one")
        return cls(
            session,
            form,
            path,
            inputs[0].name,
            _DTYPES[kind],
            check_integer(
                _agreed(path, "input_size", form.input_size, sides), "input_size", 1, MAX_SIDE
            ),
            channels,
            first,
            not isinstance(shape[0], int),
            _output_name(session, form.output),
        )

    def predict(self, image: NDArray[np.uint8], boxes: NDArray[np.float32]) -> NDArray[np.floating]:
        """Return the points of the faces of a picture."""
        assert self.form.margin is not None
        centers, sides = box_centers_sides(boxes)
        poses = np.stack(
            [
                crop_pose(center, side, self.size, self.form.margin)
                for center, side in zip(centers, sides.tolist(), strict=True)
            ]
        )
        crops = np.stack([crop_face(image, pose, self.size) for pose in poses])
        step = len(crops) if self.any_batch else 1
        found = [self.points(crops[i : i + step]) for i in range(0, len(crops), step)]
        return apply_similarity(invert_similarity(poses), np.concatenate(found))

    def points(self, crops: NDArray[np.uint8]) -> NDArray[np.floating]:
        """Return the points of crops, (n, size, size), in pixels of the crops."""
        try:
            [output] = self.session.run([self.output], {self.input_name: self._input(crops)})
        except Exception as error:  # the runtime's errors share no root of their own
            raise ModelFormatError(f"{self.path}: the network fails: {error!s:.300}") from None
        try:
            return self.form.decode(np.asarray(output), self.size, self.channels_first, len(crops))
        except InvalidInputError as error:
            raise InvalidInputError(f"{self.path}: output {self.output}: {error}") from None

    def _input(self, crops: NDArray[np.uint8]) -> NDArray[Any]:
        """Return the crops as the network takes them; every channel is the grey picture."""
        pixels = crops if self.channels is None else crops[..., None]
        if self.channels is not None:
            pixels = np.repeat(pixels, self.channels, axis=3)
        if self.dtype is not np.uint8:
            mean, std = (np.asarray(v, np.float32) for v in (self.form.mean, self.form.std))
            pixels = ((pixels - mean) / std).astype(self.dtype)
        if self.channels is not None and self.channels_first:
            pixels = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
        return pixels


def _channels_first(shape: list[Any], form: OnnxFormat) -> bool:
    if form.layout is not None or len(shape) == 3:
        return form.layout != "nhwc"
    return shape[1] in (1, 3) or shape[3] not in (1, 3)


def _agreed(path: Path, name: str, given: int | None, told: list[Any]) -> int:
    """Return a size that the network tells, or the user where it does not."""
    sizes = {size for size in (*told, given) if isinstance(size, int)}
    if len(sizes) != 1:
        raise InvalidInputError(
            f"{path}: the network tells {name} {told}, the parameter {given}; expected one number"
        )
    return sizes.pop()


def _check_pixels(path: Path, dtype: Any, channels: int | None, form: OnnxFormat) -> None:
    """Refuse channels and a normalisation that do not fit the network."""
    if channels not in (None, 1, 3):
        raise InvalidInputError(f"{path}: the network takes {channels} channels; expected 1 or 3")
    if max(len(form.mean), len(form.std)) > (channels or 1):
        raise InvalidInputError(f"{path}: mean and std hold more numbers than there are channels")
    if dtype is np.uint8 and (form.mean.any() or (form.std != 1).any()):
        raise InvalidInputError(f"{path}: the network takes bytes, so mean is 0 and std is 1")


def _output_name(session: Any, output: str | int | None) -> str:
    names = [found.name for found in session.get_outputs()]
    if isinstance(output, str):
        check_choice(output, "output", names)
        return output
    return names[0 if output is None else check_integer(output, "output", 0, len(names) - 1)]
