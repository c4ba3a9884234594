// Paths that are marked to be left out, and the squash that leaves them out.
"use strict";
// A mark is { path, pattern, layers }: the path as it is shown, without a slash at either end, and
// its live bytes by layer: [[number, size], …].
function makeLeaving(data, { at, element, human }) {
  const given = data.leave, UNSEEN = "[^ -~]";
  const marked = new Map(); // by pattern, none of them in another
  let fromLowest = false;

  const makeMark = (path, layers, pattern) => ({ path, layers, pattern: pattern || path });
  const sum = (sizes) => sizes.reduce((all, [, size]) => all + size, 0);
  const isIn = (pattern, above) => pattern.startsWith(above + "/");
  const isInMarked = (mark) => [...marked.keys()].some((above) => isIn(mark.pattern, above));
  const isOut = (mark) => marked.has(mark.pattern) || isInMarked(mark);
  const paths = (count) => count + (count === 1 ? " path" : " paths");
  // What sh takes as one word.
  const quoted = (word) =>
    /^[\w@%+=:,./-]+$/.test(word) ? word : "'" + word.replaceAll("'", "'\"'\"'") + "'";

  function toggle(mark) {
    if (isInMarked(mark)) return;
    if (!marked.delete(mark.pattern)) {
      for (const below of [...marked.keys()]) if (isIn(below, mark.pattern)) marked.delete(below);
      marked.set(mark.pattern, mark);
    }
    show();
  }

  // Returns a box to tick; null: nothing, in as much room.
  function makeBox(mark) {
    if (!mark) return element("span", "tick");
    const box = element("input", "tick");
    box.type = "checkbox";
    box.autocomplete = "off";
    box.mark = mark;
    box.title = "Leave out";
    box.setAttribute("aria-label", "Leave out /" + mark.path);
    box.addEventListener("change", () => toggle(mark));
    tick(box);
    return box;
  }

  function tick(box) {
    box.checked = isOut(box.mark);
    box.disabled = isInMarked(box.mark);
  }

  // Also used by the map for its parts.
  function paint(part) {
    const out = Boolean(part.mark) && isOut(part.mark);
    part.classList.toggle("out", out);
    if (out) part.setAttribute("aria-description", "left out");
    else part.removeAttribute("aria-description");
  }

  // -- the command

  const sizes = () => [...marked.values()].flatMap((mark) => mark.layers);

  // The best squash, or the layers of what is marked; a layer above it would bring paths back.
  function range() {
    const numbers = sizes().map(([number]) => number);
    const above = numbers.filter((number) => number > given.kept);
    const some = above.length ? above : numbers.length ? numbers : [1, data.layers.length];
    let [first, last] = given.range || [Math.min(...some), Math.max(...some)];
    if (fromLowest) first = Math.min(first, ...numbers);
    return [first, Math.max(last, ...numbers)];
  }

  function showCommand([first, last]) {
    const layers = first === last ? String(first) : first + "-" + last;
    const patterns = [...marked.keys()].sort();
    const words = [
      ...data.command,
      layers,
      ...patterns.flatMap((pattern) => ["--exclude", quoted(pattern)]),
      ...given.naming.split(" ").filter(Boolean),
    ];
    at("leave-command").replaceChildren(...words.flatMap((word) => [element("span", "", word), " "]));
    at("leave-unseen").hidden = !patterns.some((pattern) => pattern.includes(UNSEEN));
  }

  // Says which of the bytes ship all the same.
  function showKept([first]) {
    const kept = sizes().filter(([number]) => number < first);
    const numbers = [...new Set(kept.map(([number]) => number))].sort((a, b) => a - b);
    const [text, button] = at("leave-kept").children;
    at("leave-kept").hidden = !numbers.length;
    if (!numbers.length) return;
    const which = numbers.length === 1 ? "Layer " : "Layers ";
    const verb = numbers.length === 1 ? " is" : " are";
    const bytes = sum(kept) ? human(sum(kept)) + " of these bytes" : "these bytes";
    text.textContent = which + numbers.join(", ") + verb + " kept, with " + bytes + ".";
    button.textContent = "Squash from layer " + numbers[0] + " to remove them, too";
  }

  function show() {
    for (const box of document.querySelectorAll("input.tick")) tick(box);
    for (const part of document.querySelectorAll("#map > *")) paint(part);
    if (!marked.size) fromLowest = false;
    const size = sum(sizes());
    const told = paths(marked.size) + " to leave out" + (size ? ", " + human(size) : "");
    at("leave").hidden = !marked.size;
    at("leave-status").textContent = marked.size ? told : "nothing to leave out";
    at("leave-told").textContent = told;
    at("leave-list").replaceChildren(...[...marked.values()].map(makeItem));
    const chosen = range();
    showCommand(chosen);
    showKept(chosen);
    document.documentElement.style.scrollPaddingBottom = at("leave").offsetHeight + "px";
  }

  function makeItem(mark) {
    const item = element("li"), button = element("button", "", "Unmark");
    const name = element("bdi", "path", "/" + mark.path), size = sum(mark.layers);
    button.type = "button";
    button.setAttribute("aria-label", "Unmark /" + mark.path);
    button.addEventListener("click", () => {
      toggle(mark);
      at("leave-told").focus();
    });
    item.append(name, " ", element("span", "note", size ? human(size) : ""), " ", button);
    return item;
  }

  at("leave-none").addEventListener("click", () => {
    marked.clear();
    show();
  });
  at("leave-kept").lastElementChild.addEventListener("click", () => {
    fromLowest = true;
    show();
    at("leave-told").focus();
  });

  // -- where there is something to mark beside the map

  given.secrets.forEach((one, i) => {
    const cell = at("secret-table").tBodies[0].rows[i].cells[0];
    cell.prepend(makeBox(one && makeMark(...one)));
  });
  given.advice.forEach((some, i) => {
    if (!some.length) return;
    const list = element("ul", "caches");
    for (const mark of some.map((one) => makeMark(...one))) {
      const item = element("li"), label = element("label");
      const name = element("bdi", "path", "/" + mark.path + "/");
      label.append(makeBox(mark), "leave ", name, " out of a squash: " + human(sum(mark.layers)));
      item.append(label);
      list.append(item);
    }
    document.querySelectorAll(".advice > li")[i].append(list);
  });

  return { makeMark, makeBox, paint, toggle };
}
