"use strict";
(() => {
  const facts = JSON.parse(document.getElementById("facts").textContent);
  const tip = document.getElementById("tip");
  document.documentElement.classList.add("js");

  // The figures of a method beside its point.
  let shown = null;
  function element(name, text) {
    const made = document.createElement(name);
    made.textContent = text;
    return made;
  }
  function show(point) {
    shown = point;
    const { name, rows } = facts[Number(point.dataset.method)];
    const list = document.createElement("dl");
    for (const [term, value] of rows) list.append(element("dt", term), element("dd", value));
    tip.replaceChildren(element("b", name), list);
    tip.hidden = false;
    place();
  }
  function hide() {
    shown = null;
    tip.hidden = true;
  }
  function place() {
    if (!shown) return;
    const at = shown.querySelector(".reach").getBoundingClientRect(), box = tip.getBoundingClientRect();
    const wide = document.documentElement.clientWidth, high = document.documentElement.clientHeight;
    const beside = at.right + 6 + box.width <= wide - 8;
    let x = beside ? at.right + 6 : at.left - 6 - box.width;
    let y = at.top + at.height / 2 - box.height / 2;
    if (x < 8) {
      x = Math.min(Math.max(8, at.left + at.width / 2 - box.width / 2), wide - 8 - box.width);
      y = at.bottom + 8 + box.height <= high ? at.bottom + 8 : at.top - 8 - box.height;
    }
    y = Math.min(Math.max(8, y), high - 8 - box.height);
    tip.style.transform = `translate(${Math.round(x)}px, ${Math.round(y)}px)`;
  }
  for (const point of document.querySelectorAll(".point")) {
    point.addEventListener("pointerenter", () => show(point));
    point.addEventListener("pointerleave", event => {
      if (event.pointerType === "mouse" && document.activeElement !== point) hide();
    });
    point.addEventListener("focus", () => { show(point); light(point.dataset.method); });
    point.addEventListener("blur", () => { hide(); light(null); });
    point.addEventListener("click", () => { point.focus({ preventScroll: true }); show(point); });
  }
  document.addEventListener("keydown", event => { if (event.key === "Escape") hide(); });
  document.addEventListener("pointerdown", event => {
    if (shown && !event.target.closest(".point")) hide();
  });
  addEventListener("scroll", place, { passive: true });
  addEventListener("resize", place);

  // A method is lit in the charts and in the tables at once.
  let lit = null;
  function light(method) {
    if (method === lit) return;
    for (const part of document.querySelectorAll(".on")) part.classList.remove("on");
    lit = method;
    document.body.classList.toggle("lit", method !== null);
    if (method === null) return;
    for (const part of document.querySelectorAll(`[data-method="${method}"]`)) part.classList.add("on");
  }
  document.addEventListener("pointerover", event => {
    const part = event.target.closest("[data-method]");
    light(part ? part.dataset.method : shown ? shown.dataset.method : null);
  });

  // Columns sort by their numbers; what is not known comes last.
  function compare(a, b) {
    return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
  }
  function key(row, column) {
    const value = row.cells[column].dataset.sort;
    if (value === undefined) return null;
    return row.cells[column].classList.contains("words") || isNaN(value) ? value : Number(value);
  }
  function sort(table, column) {
    const heads = [...table.tHead.rows[0].cells], head = heads[column];
    const down = head.getAttribute("aria-sort") === "ascending";
    heads.forEach(other => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const rows = [...table.tBodies[0].rows].map(row => ({ row, value: key(row, column) }));
    rows.sort((a, b) => {
      if (a.value === null || b.value === null) return (a.value === null) - (b.value === null);
      return (down ? -1 : 1) * compare(a.value, b.value);
    });
    table.tBodies[0].append(...rows.map(({ row }) => row));
  }
  for (const table of document.querySelectorAll("table.sortable")) {
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      button.addEventListener("click", () => sort(table, column));
      head.append(button);
    });
  }
})();
