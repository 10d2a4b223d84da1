"""Compiled kernels of make-up: distances to curves, Lab, and the changes of colour.

Lab is CIE L*a*b* of sRGB under D65. All pictures here are (H, W, 3) uint8 RGB; Lab is (H, W, 3)
float32, so that one pixel's three numbers lie together.
"""

import numpy as np
from numba import njit

_LEVELS = np.arange(256) / 255.0
#: sRGB byte -> linear light.
_LINEAR = np.where(_LEVELS <= 0.04045, _LEVELS / 12.92, ((_LEVELS + 0.055) / 1.055) ** 2.4).astype(
    np.float32
)

#: Linear light, in steps of 1 / 8191 -> sRGB byte. The steps are finer than the darkest bytes.
_STEPS = 8191
_LIGHTS = np.arange(_STEPS + 1) / _STEPS
_BYTES = np.round(
    255.0 * np.where(_LIGHTS <= 0.0031308, 12.92 * _LIGHTS, 1.055 * _LIGHTS ** (1 / 2.4) - 0.055)
).astype(np.uint8)

#: The cube root of Lab's definition over [0, 1], in steps of 1 / 4096; read with interpolation.
_CELLS = 4096
_SHARES = np.arange(_CELLS + 2) / _CELLS
_ROOTS = np.where(
    _SHARES > (6 / 29) ** 3, np.cbrt(_SHARES), _SHARES * (29 / 6) ** 2 / 3 + 4 / 29
).astype(np.float32)

_ZERO, _HALF, _ONE = np.float32(0.0), np.float32(0.5), np.float32(1.0)


@njit(cache=True, nogil=True, inline="always")
def _root(share):
    """Return Lab's f(share) for a share in [0, 1]."""
    place = share * np.float32(_CELLS)
    cell = min(max(int(place), 0), _CELLS)
    low = _ROOTS[cell]
    return low + (place - np.float32(cell)) * (_ROOTS[cell + 1] - low)


@njit(cache=True, nogil=True, inline="always")
def _lab(red, green, blue):
    """Return L, a, b of three bytes."""
    r, g, b = _LINEAR[red], _LINEAR[green], _LINEAR[blue]
    # The sRGB primaries, divided by the white point of D65.
    x = np.float32(0.4339531) * r + np.float32(0.3762190) * g + np.float32(0.1898279) * b
    y = np.float32(0.2126729) * r + np.float32(0.7151522) * g + np.float32(0.0721750) * b
    z = np.float32(0.0177566) * r + np.float32(0.1094689) * g + np.float32(0.8727745) * b
    fx, fy, fz = _root(x), _root(y), _root(z)
    return (
        np.float32(116.0) * fy - np.float32(16.0),
        np.float32(500.0) * (fx - fy),
        np.float32(200.0) * (fy - fz),
    )


@njit(cache=True, nogil=True, inline="always")
def _cube(root):
    if root > np.float32(6 / 29):
        return root * root * root
    return np.float32(3 * (6 / 29) ** 2) * (root - np.float32(4 / 29))


@njit(cache=True, nogil=True, inline="always")
def _byte(light):
    return _BYTES[int(min(max(light, _ZERO), _ONE) * np.float32(_STEPS) + np.float32(0.5))]


@njit(cache=True, nogil=True, inline="always")
def _store(lightness, a, b, pixel):
    """Write a colour of Lab as three bytes; what no screen shows is cut."""
    fy = (lightness + np.float32(16.0)) / np.float32(116.0)
    x = np.float32(0.95047) * _cube(fy + a / np.float32(500.0))
    y = _cube(fy)
    z = np.float32(1.08883) * _cube(fy - b / np.float32(200.0))
    pixel[0] = _byte(
        np.float32(3.2404542) * x - np.float32(1.5371385) * y - np.float32(0.4985314) * z
    )
    pixel[1] = _byte(
        np.float32(-0.9692660) * x + np.float32(1.8760108) * y + np.float32(0.0415560) * z
    )
    pixel[2] = _byte(
        np.float32(0.0556434) * x - np.float32(0.2040259) * y + np.float32(1.0572252) * z
    )


@njit(cache=True, nogil=True)
def rgb_to_lab(picture, out):
    """Turn a picture to Lab.

    picture: (H, W, 3) uint8; out: (H, W, 3) float32.
    """
    height, width = picture.shape[:2]
    for y in range(height):
        for x in range(width):
            lightness, a, b = _lab(picture[y, x, 0], picture[y, x, 1], picture[y, x, 2])
            out[y, x, 0], out[y, x, 1], out[y, x, 2] = lightness, a, b


@njit(cache=True, nogil=True)
def spline(points, steps, out):
    """Draw a centripetal Catmull-Rom spline through points, as a cubic of Hermite's per gap.

    points: (n, 2) float64; steps: pieces a gap; out: ((n - 1) * steps + 1, 2) float32.
    """
    n = len(points)
    knots = np.empty(n - 1)
    slopes, tangents = np.empty((n - 1, 2)), np.empty((n, 2))
    for i in range(n - 1):
        dx, dy = points[i + 1, 0] - points[i, 0], points[i + 1, 1] - points[i, 1]
        knots[i] = np.sqrt(np.sqrt(dx * dx + dy * dy)) + 1e-6
        slopes[i, 0], slopes[i, 1] = dx / knots[i], dy / knots[i]
    for c in range(2):
        for i in range(1, n - 1):
            before, after = knots[i - 1], knots[i]
            total = slopes[i - 1, c] * after + slopes[i, c] * before
            tangents[i, c] = total / (before + after)
        first, last = slopes[0, c], slopes[n - 2, c]
        tangents[0, c] = first if n == 2 else 1.5 * first - 0.5 * tangents[1, c]
        tangents[n - 1, c] = last if n == 2 else 1.5 * last - 0.5 * tangents[n - 2, c]
        for i in range(n - 1):
            leaves, enters = knots[i] * tangents[i, c], knots[i] * tangents[i + 1, c]
            for k in range(steps):
                t = k / steps
                t2, t3 = t * t, t * t * t
                value = (2 * t3 - 3 * t2 + 1) * points[i, c] + (3 * t2 - 2 * t3) * points[i + 1, c]
                out[i * steps + k, c] = value + (t3 - 2 * t2 + t) * leaves + (t3 - t2) * enters
        out[(n - 1) * steps, c] = points[n - 1, c]


@njit(cache=True, nogil=True)
def distance_to_curve(curve, widths, left, top, reach, out):
    """Measure how far each pixel is from a polyline, less half its width at the nearest place.

    curve: (n, 2) float32, x y; widths: (n,) float32, half widths; left, top: the place of the
    first pixel; reach: what is farther counts as this; out: (H, W) float32.
    """
    height, width = out.shape
    places = np.arange(width).astype(np.float32) + left
    out[:] = reach
    for i in range(len(curve) - 1):
        ax, ay = curve[i, 0], curve[i, 1]
        dx, dy = curve[i + 1, 0] - ax, curve[i + 1, 1] - ay
        square = dx * dx + dy * dy
        inverse = _ONE / square if square > np.float32(1e-12) else _ZERO
        start, more = widths[i], widths[i + 1] - widths[i]
        pad = reach + max(start, start + more)
        first = max(0, int(np.floor(min(max(min(ax, ax + dx) - pad - left, _ZERO), width))))
        last = min(width, int(np.ceil(min(max(max(ax, ax + dx) + pad - left, _ZERO), width))) + 1)
        low = max(0, int(np.floor(min(max(min(ay, ay + dy) - pad - top, _ZERO), height))))
        high = min(height, int(np.ceil(min(max(max(ay, ay + dy) + pad - top, _ZERO), height))) + 1)
        for y in range(low, high):
            py = np.float32(y) + top - ay
            along = py * dy
            row, columns = out[y, first:last], places[first:last]
            for x in range(len(row)):  # vectorised: no branch
                px = columns[x] - ax
                t = (px * dx + along) * inverse
                t = t if t > _ZERO else _ZERO
                t = t if t < _ONE else _ONE
                ex, ey = px - t * dx, py - t * dy
                far = np.sqrt(ex * ex + ey * ey) - (start + t * more)
                row[x] = far if far < row[x] else row[x]


@njit(cache=True, nogil=True)
def flip_outside(loop, left, top, out):
    """Make distances to a closed polyline negative outside of it, by the even-odd rule.

    loop: (n, 2) float32, the last point joined to the first; out: (H, W) float32, changed in place.
    """
    height, width = out.shape
    for y in range(height):
        row = out[y]
        for x in range(width):
            row[x] = -row[x]
        level = np.float32(y + top)
        for i in range(len(loop)):
            k = i + 1 if i + 1 < len(loop) else 0
            if (loop[i, 1] > level) != (loop[k, 1] > level):
                share = (level - loop[i, 1]) / (loop[k, 1] - loop[i, 1])
                cross = loop[i, 0] + share * (loop[k, 0] - loop[i, 0]) - left
                first = max(0, int(np.ceil(min(max(cross, -_ONE), np.float32(width)))))
                for x in range(first, width):
                    row[x] = -row[x]


@njit(cache=True, nogil=True)
def likeness(lab, mean, reach, out):
    """Say how much each pixel has the colour of skin, 1 to 0.

    Hue and chroma count, and lightness only where it falls far below the skin's (hair) or rises far
    above it (a white wall): light on a face varies more than its colour.

    lab: (H, W, 3) float32; mean, reach: (3,) float32, of the skin, and how far from it a pixel of
    skin may be; out: (H, W) float32.
    """
    height, width = out.shape
    for y in range(height):
        for x in range(width):
            da = (lab[y, x, 1] - mean[1]) / reach[1]
            db = (lab[y, x, 2] - mean[2]) / reach[2]
            dl = (lab[y, x, 0] - mean[0]) / reach[0]
            far = np.sqrt(da * da + db * db + dl * dl)
            t = min(max(np.float32(2.0) - far, _ZERO), _ONE)
            out[y, x] = t * t * (np.float32(3.0) - np.float32(2.0) * t)


@njit(cache=True, nogil=True, inline="always")
def _cell(place, size):
    """Return the cell of a coordinate among `size` samples, and how far into it; kept within."""
    place = min(max(place, 0.0), size - 1.0)
    cell = min(int(place), size - 2)
    return cell, np.float32(place - cell)


@njit(cache=True, nogil=True)
def paint(weights, scale, left, top, ink, area, picture):
    """Colour a picture, with its lightness kept.

    The new lightness is ``ink[3] + slope (L - ink[2])``. The colour becomes that of the ink under
    the light that falls here: a and b grow with L + 16, as those of a surface under less light do.

    weights: (h, w) float32, 0 to 1; a pixel (x, y) of the area lies at
    ``scale (x + 0.5) - 0.5 - left`` and so on in them. ink: (9,) float32: a, b, the mean lightness
    before, the mean after, the slope of lightness, the slope above the mean, the share of the
    differences in a and b that stays, and the mean a and b before. area: (4,) int64, x, y, width
    and height of what is painted. picture: (H, W, 3) uint8, changed in place.
    """
    height, width = area[3], area[2]
    same = scale == 1.0
    for y in range(height):
        j, fy = _cell(scale * (y + 0.5) - 0.5 - top, weights.shape[0])
        for x in range(width):
            if same:
                w = weights[y, x]
            else:
                i, fx = _cell(scale * (x + 0.5) - 0.5 - left, weights.shape[1])
                upper = weights[j, i] + fx * (weights[j, i + 1] - weights[j, i])
                lower = weights[j + 1, i] + fx * (weights[j + 1, i + 1] - weights[j + 1, i])
                w = upper + fy * (lower - upper)
            if w < np.float32(0.004):
                continue
            pixel = picture[area[1] + y, area[0] + x]
            lightness, a, b = _lab(pixel[0], pixel[1], pixel[2])
            more = lightness - ink[2]
            target = ink[3] + (ink[5] if more > _ZERO else ink[4]) * more
            target = min(max(target, _ZERO), np.float32(100.0))
            light = (target + np.float32(16.0)) / (ink[3] + np.float32(16.0))
            light = min(max(light, np.float32(0.2)), np.float32(1.25))
            # Shine has the colour of the lamp: it is bright, and paler than the rest.
            shine = min(max((more - np.float32(12.0)) / np.float32(24.0), _ZERO), _ONE)
            pale = _ONE - min(max(np.float32(1.6) * a / max(ink[7], _ONE) - _HALF, _ZERO), _ONE)
            light *= _ONE - np.float32(0.8) * shine * pale
            new_a = ink[0] * light + ink[6] * (a - ink[7])
            new_b = ink[1] * light + ink[6] * (b - ink[8])
            _store(
                lightness + w * (target - lightness),
                a + w * (new_a - a),
                b + w * (new_b - b),
                pixel,
            )


@njit(cache=True, nogil=True, inline="always")
def _between(line, i, fx, k):
    """Read channel k of a row between two of its places."""
    return line[i, k] + fx * (line[i + 1, k] - line[i, k])


@njit(cache=True, nogil=True)
def smooth(field, scale, left, top, area, picture):
    """Smooth a picture by the linear map of a guided filter, with part of its finest grain kept.

    A channel v becomes ``slope v + offset``. Of what that takes away, little is given back where it
    is a blemish and more where it is faint: skin without its grain looks like wax.

    field: (h, w, 7) float32: three slopes, three offsets and the weight, laid over the area as the
    weights of `paint` are. area: as there. picture: (H, W, 3) uint8, changed in place.
    """
    height, width = area[3], area[2]
    line = np.empty((field.shape[1], 7), np.float32)
    for y in range(height):
        j, fy = _cell(scale * (y + 0.5) - 0.5 - top, field.shape[0])
        for i in range(len(line)):  # the field under this row of pixels
            for k in range(7):
                line[i, k] = field[j, i, k] + fy * (field[j + 1, i, k] - field[j, i, k])
        for x in range(width):
            i, fx = _cell(scale * (x + 0.5) - 0.5 - left, len(line))
            w = _between(line, i, fx, 6)
            if w < np.float32(0.004):
                continue
            pixel = picture[area[1] + y, area[0] + x]
            lightness, a, b = _lab(pixel[0], pixel[1], pixel[2])
            change = _between(line, i, fx, 0) * lightness + _between(line, i, fx, 3) - lightness
            size = change * np.float32(0.4)
            change *= _ONE - np.float32(0.55) / (_ONE + size * size)
            da = (_between(line, i, fx, 1) - _ONE) * a + _between(line, i, fx, 4)
            db = (_between(line, i, fx, 2) - _ONE) * b + _between(line, i, fx, 5)
            _store(lightness + w * change, a + w * da, b + w * db, pixel)
