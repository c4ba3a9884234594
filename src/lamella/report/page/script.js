// What needs a script: the what-if, sorting, the map. All names become text (textContent), never
// markup. Sizes are written as lamella writes them elsewhere.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const at = (id) => document.getElementById(id);
  const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];

  function human(size) {
    let amount = size, unit = 0;
    while (Math.abs(amount) >= 999.5 && unit < UNITS.length - 1) {
      amount /= 1000;
      unit += 1;
    }
    const whole = unit === 0 || Math.abs(amount) >= 99.95;
    return amount.toFixed(whole ? 0 : Math.abs(amount) >= 9.995 ? 1 : 2) + " " + UNITS[unit];
  }
  const exact = (size) => size.toLocaleString("en-US");
  const layers = (count) => count + (count === 1 ? " layer" : " layers");

  function element(name, className, text) {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  }

  for (const hidden of document.querySelectorAll(".script-only")) hidden.hidden = false;

  const leaving = makeLeaving(data, { at, element, human });

  // -- tables

  const valueOf = (cell) => (cell.dataset.v === undefined ? cell.textContent : Number(cell.dataset.v));

  function sortBy(table, head, button) {
    const numeric = head.classList.contains("n");
    const now = head.getAttribute("aria-sort");
    const up = now ? now === "descending" : !numeric;
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const rows = [...table.tBodies[0].rows];
    rows.sort((...both) => {
      const [x, y] = both.map((row) => valueOf(row.cells[head.cellIndex]));
      const order = numeric ? x - y : x < y ? -1 : x > y ? 1 : 0;
      return up ? order : -order;
    });
    table.tBodies[0].append(...rows);
    button.focus();
  }

  for (const table of document.querySelectorAll("table.sortable")) {
    for (const head of table.tHead.rows[0].cells) {
      const button = element("button", "", "");
      button.type = "button";
      button.title = "Sort";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => sortBy(table, head, button));
    }
  }

  // -- long tables and lists: the first rows, and a button for all

  // Shows all of `folded` when asked; the button comes after `box`, which has the focus then.
  function fold(folded, box, words) {
    const button = element("button", "more", words);
    button.type = "button";
    folded.classList.add("folded");
    box.after(button);
    button.addEventListener("click", () => {
      folded.classList.remove("folded");
      button.remove();
      box.focus();
    });
  }

  const MOST = 25, MOST_ADVICE = 12;
  for (const table of document.querySelectorAll("table.paths")) {
    const count = table.tBodies[0].rows.length;
    if (count > MOST) fold(table, table.parentNode, "Show all " + count + " rows");
  }
  for (const list of document.querySelectorAll("ol.advice")) {
    const count = list.children.length;
    if (count > MOST_ADVICE) fold(list, list, "Show all " + count + " pieces of advice");
  }

  at("filter")?.addEventListener("input", () => {
    const wanted = at("filter").value.toLowerCase();
    const table = at("dead-table"), rows = [...table.tBodies[0].rows];
    for (const row of rows) row.hidden = !row.cells[0].textContent.toLowerCase().includes(wanted);
    const shown = rows.filter((row) => !row.hidden);
    const dead = shown.reduce((sum, row) => sum + Number(row.cells[1].dataset.v), 0);
    table.classList.toggle("filtered", wanted !== "");
    at("filtered").textContent =
      wanted === "" ? "" : shown.length + " of " + rows.length + ", " + human(dead);
  });

  // -- copying, also where the page is a file and has no clipboard of its own

  function select(code) {
    const range = document.createRange();
    range.selectNodeContents(code);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
  }

  async function copy(code) {
    try {
      await navigator.clipboard.writeText(code.textContent.trim());
      return true;
    } catch {
      select(code);
      return document.execCommand("copy");
    }
  }

  for (const box of document.querySelectorAll(".code")) {
    const button = element("button", "copy", "Copy");
    button.type = "button";
    box.append(button);
    button.addEventListener("click", async () => {
      const done = await copy(box.querySelector("code"));
      button.textContent = done ? "Copied" : "Press Ctrl+C";
      setTimeout(() => (button.textContent = "Copy"), 2000);
    });
  }

  // -- what if

  const count = data.layers.length, first = at("first"), last = at("last");

  function choose() {
    const a = Number(first.value), b = Number(last.value);
    const [before, after] = data.savings[a - 1][b - a];
    const saved = before - after;
    for (const [slider, number] of [[first, a], [last, b]]) {
      at(slider.id + "-name").textContent = number;
      slider.setAttribute("aria-valuetext", "layer " + number + ": " + data.layers[number - 1]);
    }
    const told = human(Math.abs(saved)) + " (" + exact(Math.abs(saved)) + " bytes)";
    at("result").textContent =
      a === b ? "One layer: nothing to squash" : (saved < 0 ? "Costs " : "Saves ") + told;
    for (const [id, size] of [["before", before], ["after", after]]) {
      at(id).textContent = human(size);
      at(id).title = exact(size) + " bytes";
      at("bar-" + id).setAttribute("width", (100 * size) / Math.max(before, after, 1) + "%");
    }
    const shared = a === b ? [] : data.savings.slice(a - 1, Math.min(b, data.shared));
    const unshared = shared.reduce((sum, row) => sum + row[0][0], 0);
    at("lost").hidden = !unshared;
    at("unshared").textContent = human(unshared);
    at("image").textContent = layers(count - b + a) + ", " + human(data.total - saved);
    const words = [...data.command, a + "-" + b, "--dry-run"];
    at("command").replaceChildren(...words.flatMap((word) => [element("span", "", word), " "]));
    at("command").parentNode.hidden = a === b;
    at("layers").querySelectorAll("li:not(.letters)").forEach((row, i) => {
      row.classList.toggle("picked", a !== b && a - 1 <= i && i < b);
    });
  }

  function show(a, b) {
    first.value = a;
    last.value = b;
    choose();
  }

  if (first) {
    at("if").hidden = false;
    first.addEventListener("input", () => show(first.value, Math.max(first.value, last.value)));
    last.addEventListener("input", () => show(Math.min(first.value, last.value), last.value));
    for (const cell of document.querySelectorAll(".pick")) {
      const button = element("button", "", cell.textContent);
      button.type = "button";
      button.title = "Select this range";
      button.addEventListener("click", () => show(cell.dataset.first, cell.dataset.last));
      cell.replaceChildren(button);
    }
    show(...data.chosen);
  }

  // -- the map: a squarified treemap (Bruls, Huizing, van Wijk), one level and a look at the next

  const [NAME, LIVE, DEAD, ENTRIES, KIDS, LAYERS, PATTERN] = [0, 1, 2, 3, 4, 5, 6];
  const sizeOf = (place) => place[LIVE] + place[DEAD];
  const nameOf = (place) => place[NAME] || "(smaller)";
  const partOf = (place) => (100 * place[DEAD]) / (sizeOf(place) || 1);
  const told = (place) => human(sizeOf(place)) + ", " + partOf(place).toFixed(1) + " % dead";
  // Of a place in the one that is shown: what marks it; null: there is nothing to leave out.
  const markOf = (place) =>
    place[NAME] && place[LIVE]
      ? leaving.makeMark([...way.slice(1), place].map(nameOf).join("/"), place[LAYERS], place[PATTERN])
      : null;
  const HEAD = 22; // pixels above what is in a directory, for its name
  const map = at("map");
  let way = [data.places];

  // Calls put(place, x, y, width, height) for each; the biggest places come first.
  function squarify(places, x, y, width, height, put) {
    let rest = places.filter((place) => sizeOf(place) > 0).sort((a, b) => sizeOf(b) - sizeOf(a));
    let scale = (width * height) / rest.reduce((sum, place) => sum + sizeOf(place), 0);
    while (rest.length) {
      const side = Math.min(width, height);
      let taken = 0, area = 0, worst = Infinity;
      for (const place of rest) {
        const wider = area + sizeOf(place) * scale;
        const biggest = sizeOf(rest[0]) * scale, smallest = sizeOf(place) * scale;
        const ratio = Math.max((side * side * biggest) / wider ** 2, wider ** 2 / (side * side * smallest));
        if (ratio > worst) break;
        [taken, area, worst] = [taken + 1, wider, ratio];
      }
      const thick = side ? area / side : 0;
      let along = 0;
      for (const place of rest.slice(0, taken)) {
        const long = thick ? (sizeOf(place) * scale) / thick : 0;
        if (width >= height) put(place, x, y + along, thick, long);
        else put(place, x + along, y, long, thick);
        along += long;
      }
      if (width >= height) [x, width] = [x + thick, Math.max(0, width - thick)];
      else [y, height] = [y + thick, Math.max(0, height - thick)];
      rest = rest.slice(taken);
    }
  }

  function set(made, x, y, width, height, whole) {
    made.style.left = (100 * x) / whole[0] + "%";
    made.style.top = (100 * y) / whole[1] + "%";
    made.style.width = (100 * width) / whole[0] + "%";
    made.style.height = (100 * height) / whole[1] + "%";
  }

  function fill(made, place) {
    const live = element("span", "live"), dead = element("span", "dead");
    [live.style.top, live.style.bottom] = ["0", partOf(place) + "%"];
    [dead.style.bottom, dead.style.height] = ["0", partOf(place) + "%"];
    made.append(live, dead);
  }

  function makeCell(place, x, y, width, height, whole) {
    const cell = element("button", "cell");
    cell.type = "button";
    cell.tabIndex = -1;
    cell.place = place;
    cell.mark = markOf(place);
    leaving.paint(cell);
    set(cell, x, y, width, height, whole);
    const opens = place[KIDS].length > 0;
    if (opens && width > 60 && height > 60) {
      const inside = element("span", "inside");
      const box = [width, height - HEAD];
      squarify(place[KIDS], 0, 0, ...box, (kid, x, y, wide, high) => {
        const inner = element("span", "in");
        set(inner, x, y, wide, high, box);
        fill(inner, kid);
        if (wide > 50 && high > 24) inner.append(element("span", "label", nameOf(kid)));
        inside.append(inner);
      });
      cell.append(inside);
    } else {
      fill(cell, place);
    }
    const words = nameOf(place) + (opens ? "/" : "");
    cell.setAttribute("aria-label", words + ", " + told(place) + (opens ? ", open it" : ""));
    cell.title = words + "\n" + told(place);
    if (opens) {
      cell.classList.add("opens");
      cell.addEventListener("click", () => go([...way, place]));
    }
    if (width > 44 && height > 22) {
      const label = element("span", "label");
      label.append(element("b", "", words), " " + human(sizeOf(place)));
      cell.append(label);
    }
    return cell;
  }

  function draw(focused) {
    const whole = [map.clientWidth, map.clientHeight];
    const cells = [], shown = way[way.length - 1][KIDS];
    squarify(shown, 0, 0, ...whole, (place, ...box) => cells.push(makeCell(place, ...box, whole)));
    map.replaceChildren(...cells);
    const one = cells.find((cell) => cell.place === focused) || cells[0];
    if (one) one.tabIndex = 0;
    return one;
  }

  function go(to) {
    const from = way[to.length];
    way = to;
    crumbs();
    list();
    map.classList.remove("fresh");
    void map.offsetWidth; // so that the animation starts again
    map.classList.add("fresh");
    draw(from)?.focus({ preventScroll: true });
    at("where").textContent = "/" + way.slice(1).map(nameOf).join("/") + ": " + told(way[way.length - 1]);
  }

  function crumbs() {
    at("crumbs").replaceChildren(
      ...way.map((place, i) => {
        const item = element("li");
        const name = i ? nameOf(place) : "/";
        if (i === way.length - 1) {
          const here = element("span", "", name);
          here.setAttribute("aria-current", "location");
          item.append(here);
        } else {
          const button = element("button", "", name);
          button.type = "button";
          if (!i) button.setAttribute("aria-label", "Back to the root");
          button.addEventListener("click", () => go(way.slice(0, i + 1)));
          item.append(button);
        }
        return item;
      }),
    );
  }

  function list() {
    const table = at("place-table");
    for (const head of table.tHead.rows[0].cells) head.removeAttribute("aria-sort");
    const rows = way[way.length - 1][KIDS].map((place) => {
      const row = element("tr"), name = element("td", "path");
      name.append(leaving.makeBox(markOf(place)));
      name.append(element("bdi", "", nameOf(place) + (place[KIDS].length ? "/" : "")));
      row.append(name);
      for (const value of [sizeOf(place), place[LIVE], place[DEAD], place[ENTRIES]]) {
        const cell = element("td", "n", value ? human(value) : "–");
        cell.title = exact(value) + " bytes";
        cell.dataset.v = value;
        row.append(cell);
      }
      row.lastChild.textContent = exact(place[ENTRIES]);
      row.lastChild.removeAttribute("title");
      return row;
    });
    table.tBodies[0].replaceChildren(...rows);
  }

  const STEP = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, Home: -Infinity, End: Infinity };
  map.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if ((event.key === "Escape" || event.key === "Backspace") && way.length > 1) {
      go(way.slice(0, -1));
    } else if (event.key === "x" && document.activeElement.mark) {
      leaving.toggle(document.activeElement.mark);
    } else if (event.key in STEP) {
      const cells = [...map.children];
      const next = cells.indexOf(document.activeElement) + STEP[event.key];
      cells[Math.min(cells.length - 1, Math.max(0, next))].focus();
    } else {
      return;
    }
    event.preventDefault();
  });
  map.addEventListener("focusin", (event) => {
    for (const cell of map.children) cell.tabIndex = cell === event.target ? 0 : -1;
  });

  if (data.places[KIDS].length) {
    crumbs();
    list();
    let wide = map.clientWidth;
    draw();
    new ResizeObserver(() => {
      if (map.clientWidth === wide) return;
      wide = map.clientWidth;
      const active = document.activeElement;
      if (map.contains(active)) draw(active.place)?.focus({ preventScroll: true });
      else draw();
    }).observe(map);
  } else {
    map.hidden = true;
  }
})();
