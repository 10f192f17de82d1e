/* The curve, dragged by its points: valence and arousal in two lanes under the film's keyframes, on one time axis.

   In comes `props.value` (views.desk): {film, seconds, rate, values: [[valence, arousal], ...] a row each 1/rate s,
   points: [seconds, ...], keyframes: [{seconds, source}, ...], recomposed: [[start, stop], ...],
   silent: [[start, stop], ...], edited: false}.
   Out goes the same with other `values` and `edited: true`, after every drag or key, for the button that scores.

   A point moves its neighbourhood: by all of the way at the point, by nothing at the points next to it (or at the third
   ones, when the reach is wide), by a raised cosine between. The detail of the curve stays.

   With the player it speaks through the document: it hears "narrascore:time", and says "narrascore:seek". */

const LANES = [
  {name: "Valence", high: "pleasant", low: "unpleasant", column: 0, shade: "valence"},
  {name: "Arousal", high: "excited", low: "calm", column: 1, shade: "arousal"},
];
const INSET = 16;            // px on both sides, so that the first and the last point can be taken hold of
const STEP = 0.05, LEAP = 0.25;
const SVG = "http://www.w3.org/2000/svg";

let given = null;            // what the server sent
let values = [];             // what is drawn
let past = [];               // earlier values, for undo
let wide = false;            // the reach of a point
let width = 0;
let focused = [0, 0];        // the point of each lane that the tab key comes to

const clamp = (x) => Math.max(-1, Math.min(1, x));
const clock = (s) => `${Math.floor(s / 60)}:${String(Math.floor(s % 60)).padStart(2, "0")}`;
const say = (name, detail) => document.dispatchEvent(new CustomEvent(`narrascore:${name}`, {detail}));

function make(tag, attributes = {}, parent = null, text = "") {
  const node = tag.startsWith("svg:") ? document.createElementNS(SVG, tag.slice(4)) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text) node.textContent = text;
  if (parent) parent.append(node);
  return node;
}

const bar = make("div", {class: "ns-desk-bar"}, element);
make("h3", {class: "ns-heading"}, bar, "Where the emotion goes");
const told = make("span", {class: "ns-quiet ns-desk-told", "aria-live": "polite"}, bar);
const tools = make("div", {class: "ns-tools", role: "group", "aria-label": "Curve"}, bar);
const reach = make("button", {type: "button", "aria-pressed": "false", class: "ns-tool"}, tools, "Wide reach");
const undo = make("button", {type: "button", class: "ns-tool"}, tools, "Undo");
const reset = make("button", {type: "button", class: "ns-tool"}, tools, "Reset");
const board = make("div", {class: "ns-board"}, element);
const strip = make("div", {class: "ns-strip"}, board);
for (const lane of LANES) {
  lane.svg = make("svg:svg", {class: `ns-lane ns-${lane.shade}`, role: "group", "aria-label": lane.name}, board);
  lane.back = make("svg:g", {}, lane.svg);
  lane.area = make("svg:path", {class: "ns-area"}, lane.svg);
  lane.was = make("svg:path", {class: "ns-was"}, lane.svg);
  lane.line = make("svg:path", {class: "ns-curve"}, lane.svg);
  lane.knobs = make("svg:g", {}, lane.svg);
}
const axis = make("svg:svg", {class: "ns-axis", "aria-hidden": "true"}, board);
const head = make("div", {class: "ns-head", "aria-hidden": "true"}, board);
const hint = make("p", {class: "ns-quiet ns-hint"}, element,
  "Drag a point, or focus it and use the arrow keys: up and down move it, left and right go to the next one. " +
  "Click beside a point to hear the film from there.");

const x = (seconds) => INSET + (seconds / given.seconds) * (width - 2 * INSET);
const secondsAt = (px) => Math.max(0, Math.min(given.seconds, ((px - INSET) / (width - 2 * INSET)) * given.seconds));
const row = (seconds) => Math.round(seconds * given.rate);
const height = (lane) => lane.svg.clientHeight || 120;
const y = (lane, value) => 14 + ((1 - value) / 2) * (height(lane) - 28);

/* Rows between two neighbours of a point, and how far each follows it. */
function followers(index) {
  const points = given.points.map(row), far = wide ? 3 : 1, at = points[index];
  const left = points[Math.max(0, index - far)], right = points[Math.min(points.length - 1, index + far)];
  const rows = [];
  for (let r = left; r <= right; r++) {
    const span = r < at ? at - left : right - at;
    rows.push([r, r === at ? 1 : 0.5 * (1 + Math.cos((Math.PI * Math.abs(r - at)) / span))]);
  }
  return rows;
}

function moved(from, lane, index, to) {
  const next = from.map((pair) => [...pair]);
  const by = clamp(to) - from[row(given.points[index])][lane.column];
  for (const [r, share] of followers(index)) next[r][lane.column] = clamp(from[r][lane.column] + by * share);
  return next;
}

const differs = (one, other) => JSON.stringify(one) !== JSON.stringify(other);

function commit(before) {
  if (!differs(before, values)) return;
  past.push(before);
  publish();
}

function publish() {
  const rounded = values.map((pair) => pair.map((value) => Math.round(value * 1e4) / 1e4));
  props.value = {...given, values: rounded, edited: differs(rounded, given.values)};
  describe();
}

function describe() {
  const edited = given && differs(values, given.values);
  told.textContent = edited ? "Changed, not scored yet" : "";
  element.classList.toggle("ns-edited", Boolean(edited));
  undo.disabled = !past.length;
  reset.disabled = !edited;
}

function path(lane, of) {
  return of.map((pair, r) =>
    `${r ? "L" : "M"}${x(Math.min(given.seconds, r / given.rate)).toFixed(1)},${y(lane, pair[lane.column]).toFixed(1)}`
  ).join("") + `L${x(given.seconds).toFixed(1)},${y(lane, of.at(-1)[lane.column]).toFixed(1)}`;
}

function drawLane(lane) {
  const tall = height(lane), middle = y(lane, 0);
  lane.back.replaceChildren();
  for (const [start, stop] of given.recomposed)
    make("svg:rect", {class: "ns-new", x: x(start), y: 0, width: Math.max(2, x(stop) - x(start)), height: tall}, lane.back);
  for (const [start, stop] of given.silent) {
    make("svg:rect", {class: "ns-silent", x: x(start), y: 0, width: x(stop) - x(start), height: tall}, lane.back);
    if (lane.column && x(stop) - x(start) > 70)
      make("svg:text", {class: "ns-lane-silent", x: (x(start) + x(stop)) / 2, y: tall - 5}, lane.back, "no music");
  }
  make("svg:line", {class: "ns-zero", x1: INSET, x2: width - INSET, y1: middle, y2: middle}, lane.back);
  make("svg:text", {class: "ns-lane-name", x: INSET, y: 14}, lane.back, lane.name);
  make("svg:text", {class: "ns-lane-end", x: width - INSET, y: 14}, lane.back, lane.high);
  make("svg:text", {class: "ns-lane-end", x: width - INSET, y: tall - 5}, lane.back, lane.low);
  const drawn = path(lane, values);
  lane.line.setAttribute("d", drawn);
  lane.was.setAttribute("d", differs(values, given.values) ? path(lane, given.values) : "");
  lane.area.setAttribute("d", `${drawn}V${middle}H${INSET}Z`);
  given.points.forEach((seconds, index) => place(lane, index, seconds));
}

function place(lane, index, seconds) {
  const knob = lane.knobs.children[index], value = values[row(seconds)][lane.column];
  knob.setAttribute("transform", `translate(${x(seconds).toFixed(1)},${y(lane, value).toFixed(1)})`);
  knob.setAttribute("aria-valuenow", value.toFixed(2));
  knob.setAttribute("aria-valuetext", `${value.toFixed(2)} at ${clock(seconds)}`);
  knob.setAttribute("tabindex", focused[lane.column] === index ? "0" : "-1");
}

function makeKnobs(lane) {
  lane.knobs.replaceChildren();
  given.points.forEach((seconds, index) => {
    const knob = make("svg:g", {
      class: "ns-knob", role: "slider", "aria-label": `${lane.name} at ${clock(seconds)}`, "aria-valuemin": "-1",
      "aria-valuemax": "1", "aria-orientation": "vertical", "data-lane": lane.name.toLowerCase(), "data-index": index,
    }, lane.knobs);
    make("svg:circle", {class: "ns-hold", r: 20}, knob);
    make("svg:circle", {class: "ns-dot", r: 6}, knob);
    knob.addEventListener("pointerdown", (event) => drag(event, lane, nearest(lane, event)));
    knob.addEventListener("keydown", (event) => press(event, lane, index));
    knob.addEventListener("focus", () => { focused[lane.column] = index; knob.setAttribute("tabindex", "0"); });
  });
}

/* On a phone the points lie closer together than a finger is wide: the nearest one is meant. */
function nearest(lane, event) {
  const box = lane.svg.getBoundingClientRect();
  const far = given.points.map((seconds) =>
    Math.hypot(event.clientX - box.left - x(seconds), event.clientY - box.top - y(lane, values[row(seconds)][lane.column])));
  return far.indexOf(Math.min(...far));
}

function drag(event, lane, index) {
  if (event.button > 0) return;
  const knob = lane.knobs.children[index];
  event.preventDefault();
  event.stopPropagation();
  knob.focus({preventScroll: true});
  knob.setPointerCapture(event.pointerId);
  const before = values, start = event.clientY, from = before[row(given.points[index])][lane.column];
  const move = (at) => {
    values = moved(before, lane, index, from - ((at.clientY - start) * 2) / (height(lane) - 28));
    drawLane(lane);
  };
  const end = () => {
    knob.removeEventListener("pointermove", move);
    knob.classList.remove("ns-held");
    commit(before);
  };
  knob.classList.add("ns-held");
  knob.addEventListener("pointermove", move);
  knob.addEventListener("lostpointercapture", end, {once: true});
}

function press(event, lane, index) {
  const value = values[row(given.points[index])][lane.column];
  const to = {
    ArrowUp: value + (event.shiftKey ? 0.01 : STEP), ArrowDown: value - (event.shiftKey ? 0.01 : STEP),
    PageUp: value + LEAP, PageDown: value - LEAP, Home: -1, End: 1,
  }[event.key];
  const next = {ArrowLeft: index - 1, ArrowRight: index + 1}[event.key];
  if (to === undefined && next === undefined) return;
  event.preventDefault();
  if (next !== undefined) {
    lane.knobs.children[index].setAttribute("tabindex", next in given.points ? "-1" : "0");
    lane.knobs.children[next]?.focus();
    return;
  }
  const before = values;
  values = moved(before, lane, index, to);
  drawLane(lane);
  commit(before);
}

function drawStrip() {
  strip.replaceChildren();
  if (!given.keyframes.length) return;
  const space = width - 2 * INSET, aspect = 16 / 9, tall = strip.clientHeight || 64;
  const cells = Math.max(1, Math.round(space / (tall * aspect)));
  for (let cell = 0; cell < cells; cell++) {
    const middle = ((cell + 0.5) / cells) * given.seconds;
    const frame = given.keyframes.reduce((best, each) =>
      Math.abs(each.seconds - middle) < Math.abs(best.seconds - middle) ? each : best);
    const picture = make("img", {src: frame.source, alt: `The film at ${clock(frame.seconds)}`, draggable: "false"}, strip);
    picture.style.left = `${INSET + (cell * space) / cells}px`;
    picture.style.width = `${space / cells}px`;
  }
}

function drawAxis() {
  axis.replaceChildren();
  const most = Math.max(2, Math.floor((width - 2 * INSET) / 70));
  const step = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600].find((s) => given.seconds / s <= most) ?? 7200;
  for (let seconds = 0; seconds <= given.seconds; seconds += step)
    make("svg:text", {class: "ns-tick", x: x(seconds), y: 15}, axis, clock(seconds));
}

function draw() {
  if (!given?.values?.length || !width) return;
  drawStrip();
  for (const lane of LANES) {
    if (lane.knobs.children.length !== given.points.length) makeKnobs(lane);
    drawLane(lane);
  }
  drawAxis();
  describe();
}

/* What was dragged and not scored stays, if it is still this curve that the server tells of. */
function take() {
  const now = props.value;
  if (!now?.film || now.edited) return;
  const same = given && given.film === now.film && !differs(given.values, now.values);
  given = now;
  if (!same) { values = now.values; past = []; focused = [0, 0]; }
  board.hidden = bar.hidden = hint.hidden = !now.values.length;
  if (!same) for (const lane of LANES) makeKnobs(lane);
  if (same && differs(values, now.values)) publish();
  draw();
}

function seek(event) {
  if (given?.seconds && !event.target.closest(".ns-knob"))
    say("seek", {seconds: secondsAt(event.clientX - board.getBoundingClientRect().left)});
}

board.addEventListener("click", seek);
reach.addEventListener("click", () => { wide = !wide; reach.setAttribute("aria-pressed", String(wide)); });
undo.addEventListener("click", () => { if (past.length) { values = past.pop(); draw(); publish(); } });
reset.addEventListener("click", () => { past.push(values); values = given.values; draw(); publish(); });
element.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key === "z" && past.length) { event.preventDefault(); undo.click(); }
});
document.addEventListener("narrascore:time", (event) => {
  if (!given?.seconds || event.detail.film !== given.film) return;
  head.style.transform = `translateX(${x(event.detail.seconds)}px)`;
});
new ResizeObserver(() => {
  if (board.clientWidth && board.clientWidth !== width) { width = board.clientWidth; draw(); }
}).observe(board);
watch("value", take);
take();
