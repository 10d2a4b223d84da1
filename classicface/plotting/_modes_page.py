"""The page of a shape model: one file of HTML with an SVG drawing, sliders and a short script."""

from __future__ import annotations

import html
import json
import re
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from classicface.shape.pdm import PointDistributionModel
    from classicface.shape.schemes import LandmarkScheme

__all__ = ["page"]

_SIZE = 1000  # of the drawing, for a mean shape of size 1


def page(model: PointDistributionModel, scheme: LandmarkScheme, n_modes: int, n_std: float) -> str:
    """Return the page with a slider for each of the first modes, from -n_std to n_std."""
    shares = 100 * model.explained
    steps = model.components[:n_modes] * np.sqrt(model.variances[:n_modes])[:, None, None]
    reach = np.abs(model.mean).max(axis=0) + n_std * np.abs(steps[:3]).max(axis=(0, 1))
    width, height = np.ceil(2 * _SIZE * reach).astype(int).tolist()
    data = {
        "mean": np.round(_SIZE * model.mean, 2).tolist(),
        "modes": np.round(_SIZE * steps, 3).tolist(),
        "lines": [[*line, line[0]] if closed else list(line) for line, closed in scheme.lines],
    }
    sliders = "\n".join(
        f'<label for="m{j}">mode {j + 1}, {shares[j]:.1f} %</label>'
        f'<input type="range" id="m{j}" min="{-n_std:g}" max="{n_std:g}" step="0.05" value="0">'
        f'<output for="m{j}">0.0 sd</output>'
        for j in range(n_modes)
    )
    values = {
        "TITLE": html.escape(
            f"Shape model: {scheme.name}, {model.n_landmarks} points, {model.n_samples} shapes"
        ),
        "SHARE": f"{shares[:n_modes].sum():.1f}",
        "VIEW": f"{-width // 2} {-height // 2} {width} {height}",
        "SLIDERS": sliders,
        "STD": f"{n_std:g}",
        "DATA": json.dumps(data, separators=(",", ":")).replace("<", "\\u003c"),
    }
    return re.sub("@([A-Z]+)@", lambda match: values[match[1]], _PAGE)


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>@TITLE@</title>
<style>
:root { color-scheme: light dark; --ink: #1f4e79; --faint: #bbb; }
@media (prefers-color-scheme: dark) { :root { --ink: #8ec5ff; --faint: #555; } }
body { font: 15px/1.4 system-ui, sans-serif; margin: 1rem auto; max-width: 64rem; padding: 0 1rem; }
h1 { font-size: 1.2rem; }
main { display: flex; flex-wrap: wrap; gap: 1.5rem; align-items: flex-start; }
svg { flex: 1 1 22rem; max-height: 80vh; min-width: 0; }
form { flex: 1 1 20rem; }
#sliders { display: grid; grid-template-columns: auto 1fr 4.5em; gap: .3rem .8rem; }
#sliders { align-items: center; margin: .8rem 0; }
output { text-align: right; font-variant-numeric: tabular-nums; }
polyline { fill: none; stroke-linejoin: round; stroke-linecap: round; }
#face polyline { stroke: var(--ink); stroke-width: 4; }
#face circle { fill: var(--ink); }
#mean polyline { stroke: var(--faint); stroke-width: 3; }
#mean circle { fill: var(--faint); }
</style>
</head>
<body>
<h1>@TITLE@</h1>
<main>
<svg viewBox="@VIEW@" role="img" aria-label="The shape that the sliders set, over the mean in grey">
<g id="mean"></g><g id="face"></g>
</svg>
<form>
<p>Each slider moves the shape along one mode of variation, in standard deviations of the training
shapes. The modes shown hold @SHARE@ % of the variance.</p>
<div id="sliders">
@SLIDERS@
</div>
<button type="button" id="reset">mean</button>
<button type="button" id="draw">random shape</button>
<button type="button" id="play" aria-pressed="false">play</button>
<p>Mahalanobis distance from the mean: <output id="distance">0.00</output></p>
</form>
</main>
<script>
"use strict";
const data = @DATA@, limit = @STD@;
const sliders = [...document.querySelectorAll("input")];
const make = (group, name) => group.appendChild(
  document.createElementNS("http://www.w3.org/2000/svg", name));
function parts(id, radius) {
  const group = document.getElementById(id);
  return {
    lines: data.lines.map(() => make(group, "polyline")),
    dots: data.mean.map(() => {
      const dot = make(group, "circle");
      dot.setAttribute("r", radius);
      return dot;
    }),
  };
}
function place(drawing, points) {
  data.lines.forEach((line, i) => drawing.lines[i].setAttribute(
    "points", line.map(j => points[j].map(v => v.toFixed(1)).join(",")).join(" ")));
  points.forEach(([x, y], i) => {
    drawing.dots[i].setAttribute("cx", x.toFixed(1));
    drawing.dots[i].setAttribute("cy", y.toFixed(1));
  });
}
const mean = parts("mean", 4), face = parts("face", 6);
function update() {
  const b = sliders.map(slider => Number(slider.value));
  place(face, data.mean.map(([x, y], i) => data.modes.reduce(
    ([u, v], mode, j) => [u + b[j] * mode[i][0], v + b[j] * mode[i][1]], [x, y])));
  sliders.forEach((slider, j) => { slider.nextElementSibling.value = b[j].toFixed(1) + " sd"; });
  document.getElementById("distance").value = Math.hypot(...b).toFixed(2);
}
function set(values) {
  sliders.forEach((slider, j) => { slider.value = values(j); });
  update();
}
function normal() {
  return Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
}
let playing = null;
function stop() {
  cancelAnimationFrame(playing);
  playing = null;
  document.getElementById("play").setAttribute("aria-pressed", "false");
  document.getElementById("play").textContent = "play";
}
function step(start, now) {
  const t = (now - start) / 2500, mode = Math.floor(t) % sliders.length;
  set(j => j === mode ? limit * Math.sin(2 * Math.PI * t) : 0);
  playing = requestAnimationFrame(next => step(start, next));
}
document.getElementById("reset").onclick = () => { stop(); set(() => 0); };
document.getElementById("draw").onclick = () => { stop(); set(normal); };
document.getElementById("play").onclick = event => {
  if (playing !== null) { stop(); return; }
  event.target.setAttribute("aria-pressed", "true");
  event.target.textContent = "stop";
  playing = requestAnimationFrame(now => step(now, now));
};
sliders.forEach(slider => { slider.oninput = () => { stop(); update(); }; });
place(mean, data.mean);
update();
</script>
</body>
</html>
"""
