/* The film with its music, and two takes of it side by side: both play at once, one of them is heard.

   In comes `props.value` (views.player): {film, picture, width, height, takes: [{label, music, film}, ...]}, the newest
   take first. The sound is the clock; the picture, always mute, follows it. */

const PICTURE_DRIFT = 0.2;   // s that the picture may be off while it plays: a seek shows, a fifth of a second hardly
const SOUND_DRIFT = 0.06;    // s that the take which is not heard may be off

let given = null;
let heard = 0;               // 0 is A, 1 is B
let inFilm = true;           // with the film's own sound, or the music alone
let chosen = [0, 0];         // the takes of A and B

function make(tag, attributes = {}, parent = null, text = "") {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text) node.textContent = text;
  if (parent) parent.append(node);
  return node;
}
const clock = (s) => `${Math.floor(s / 60)}:${String(Math.floor(s % 60)).padStart(2, "0")}`;
const say = (name, detail) => document.dispatchEvent(new CustomEvent(`narrascore:${name}`, {detail}));

const stage = make("div", {class: "ns-stage"}, element);
const picture = make("video", {playsinline: "", preload: "metadata", tabindex: "-1"}, stage);
picture.muted = true;
const sounds = [0, 1].map(() => make("audio", {preload: "auto"}, stage));
const bar = make("div", {class: "ns-player-bar"}, element);
const play = make("button", {type: "button", class: "ns-play", "aria-label": "Play"}, bar);
const line = make("input", {type: "range", min: "0", step: "0.05", value: "0", "aria-label": "Position"}, bar);
const time = make("span", {class: "ns-quiet ns-time"}, bar);
const choices = make("div", {class: "ns-choices"}, element);
const hear = make("div", {class: "ns-segments", role: "group", "aria-label": "What is heard"}, choices);
const kinds = ["In the film", "Music alone"].map((text) => make("button", {type: "button"}, hear, text));
const compare = make("div", {class: "ns-compare", role: "group", "aria-label": "Compare two takes"}, choices);
const letters = [], menus = [];
for (const text of ["A", "B"]) {
  const side = make("div", {class: "ns-side"}, compare);
  letters.push(make("button", {type: "button", "aria-label": `Hear ${text}`}, side, text));
  menus.push(make("select", {"aria-label": `Take that ${text} is`}, side));
}

const source = (side) => {
  const take = given.takes[chosen[side]];
  return (inFilm && take.film) || take.music;
};

/* Give each player its file without losing the place or the beat. */
function load() {
  const at = sounds[heard].currentTime || 0, playing = !sounds[heard].paused;
  sounds.forEach((sound, side) => {
    const wanted = given.takes.length ? source(side) : "";
    if (sound.getAttribute("src") === wanted) return;
    wanted ? sound.setAttribute("src", wanted) : sound.removeAttribute("src");
    sound.load();
    if (wanted) sound.currentTime = at;
    if (playing && wanted) sound.play().catch(() => {});
  });
  show();
}

function show() {
  kinds.forEach((button, index) => button.setAttribute("aria-pressed", String((index === 0) === inFilm)));
  letters.forEach((button, side) => button.setAttribute("aria-pressed", String(side === heard)));
  sounds.forEach((sound, side) => { sound.muted = side !== heard; });
  hear.hidden = !given.takes.some((take) => take.film);
  compare.hidden = given.takes.length < 2;
  element.classList.toggle("ns-unheard", !given.takes.length);
  tick();
}

function tick() {
  const sound = sounds[heard], at = sound.currentTime || 0;
  const whole = Number.isFinite(sound.duration) ? sound.duration : 0;
  line.max = whole;
  line.value = at;
  line.setAttribute("aria-valuetext", `${clock(at)} of ${clock(whole)}`);
  time.textContent = `${clock(at)} / ${clock(whole)}`;
  play.setAttribute("aria-label", sound.paused ? "Play" : "Pause");
  play.classList.toggle("ns-playing", !sound.paused);
  for (const other of [picture, sounds[1 - heard]]) {
    const allowed = sound.paused ? 0.01 : other === picture ? PICTURE_DRIFT : SOUND_DRIFT;
    const off = Math.abs(other.currentTime - at) > allowed;
    if (off && other.readyState > 0 && !other.seeking && at < other.duration) other.currentTime = at;
  }
  if (given) say("time", {film: given.film, seconds: at});
}

function run() {
  tick();
  if (!sounds[heard].paused) requestAnimationFrame(run);
}

function go(playing) {
  for (const each of [...sounds, picture])
    if (each.getAttribute("src")) playing ? each.play().catch(() => {}) : each.pause();
}

function seek(seconds) {
  for (const each of [...sounds, picture]) if (each.readyState > 0) each.currentTime = seconds;
  tick();
}

function take() {
  const now = props.value;
  if (!now?.film) return;
  if (now.film !== given?.film) { go(false); heard = 0; chosen = [0, 0]; }
  if (now.takes.length !== given?.takes.length || now.film !== given?.film) {
    chosen = [0, Math.min(1, Math.max(0, now.takes.length - 1))];   // the newest against the one before it
    menus.forEach((menu, side) => {
      menu.replaceChildren();
      now.takes.forEach((each, index) => make("option", {value: index}, menu, each.label));
      menu.value = String(chosen[side]);
    });
  }
  given = now;
  stage.classList.toggle("ns-dark", !now.picture);
  if (now.width) stage.style.setProperty("--ns-aspect", `${now.width} / ${now.height}`);
  if (now.picture && picture.getAttribute("src") !== now.picture) picture.setAttribute("src", now.picture);
  load();
}

play.addEventListener("click", () => go(sounds[heard].paused));
stage.addEventListener("click", () => go(sounds[heard].paused));
line.addEventListener("input", () => seek(Number(line.value)));
kinds.forEach((button, index) => button.addEventListener("click", () => { inFilm = index === 0; load(); }));
letters.forEach((button, side) => button.addEventListener("click", () => { heard = side; show(); run(); }));
menus.forEach((menu, side) => menu.addEventListener("change", () => { chosen[side] = Number(menu.value); load(); }));
picture.addEventListener("error", () => stage.classList.add("ns-dark"));
picture.addEventListener("loadedmetadata", () => stage.classList.remove("ns-dark"));
for (const sound of sounds) {
  sound.addEventListener("play", run);
  for (const name of ["loadedmetadata", "seeked", "pause", "ended"]) sound.addEventListener(name, tick);
  sound.addEventListener("ended", () => go(false));
}
document.addEventListener("narrascore:seek", (event) => seek(event.detail.seconds));
watch("value", take);
take();
