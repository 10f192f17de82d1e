"use strict";
// One position for everything on the page: the players, the playhead, and the line that says what is there.

const facts = JSON.parse(document.getElementById("facts").textContent);
const [seek, playhead, now] = ["seek", "playhead", "now"].map((id) => document.getElementById(id));
const players = [...document.querySelectorAll("video, audio")];
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const TOGETHER_SECONDS = 0.3;
let position = 0;

function clock(seconds) {
  const tenths = Math.round(10 * seconds);
  const [hours, minutes] = [Math.floor(tenths / 36000), Math.floor(tenths / 600) % 60];
  const rest = (tenths % 600 / 10).toFixed(1).padStart(4, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

function signed(value) {
  return (value < 0 ? "\u2212" : "+") + Math.abs(value).toFixed(2);
}

function between(values, share) {
  const place = share * (values.length - 1);
  const left = Math.min(Math.floor(place), values.length - 2);
  return values[left] + (place - left) * (values[left + 1] - values[left]);
}

function describe() {
  const share = position / facts.duration;
  const said = [`${clock(position)} of ${clock(facts.duration)}`];
  for (const [name, values] of Object.entries(facts.curve)) said.push(`${name} ${signed(between(values, share))}`);
  for (const lane of facts.lanes) {
    const here = lane.spans.filter(([start, stop]) => start <= position && position < stop).map((span) => span[2]);
    if (here.length) said.push(`${lane.title}: ${here.join("; ")}`);
  }
  return said.join(" \u00b7 ");
}

function show(seconds) {
  position = Math.min(Math.max(seconds, 0), facts.duration);
  const place = `${100 * position / facts.duration}%`;
  playhead.setAttribute("x1", place);
  playhead.setAttribute("x2", place);
  seek.value = position;
  now.textContent = describe();
}

// Told to screen readers where the user moves, not while the film runs: they would read over it.
function tell() {
  seek.setAttribute("aria-valuetext", now.textContent);
}

function go(seconds) {
  show(seconds);
  tell();
  for (const player of players) player.currentTime = position;
}

function follow() {
  const playing = players.find((player) => !player.paused);
  if (!playing) return;
  show(playing.currentTime);
  if (!calm.matches) requestAnimationFrame(follow); // else `timeupdate` moves the playhead, four times a second
}

function toggle() {
  const playing = players.find((player) => !player.paused);
  const usable = players.find((player) => !player.error);
  if (playing) playing.pause();
  else if (usable) usable.play();
}

for (const player of players) {
  const cannot = () => { player.parentElement.querySelector(".cannot").hidden = false; };
  if (player.error) cannot();
  player.addEventListener("error", cannot);
  player.addEventListener("loadedmetadata", () => { // sound without its picture: the picture's codec is not known here
    if (player instanceof HTMLVideoElement && !player.videoWidth) cannot();
  });
  player.addEventListener("play", () => {
    for (const other of players) if (other !== player) other.pause();
    const ended = position > facts.duration - TOGETHER_SECONDS;
    if (!ended && Math.abs(player.currentTime - position) > TOGETHER_SECONDS) player.currentTime = position;
    follow();
  });
  for (const name of ["timeupdate", "seeking"]) {
    player.addEventListener(name, () => {
      if (!player.paused || players.every((each) => each.paused)) show(player.currentTime);
    });
  }
  player.addEventListener("pause", tell);
}

seek.addEventListener("input", () => go(Number(seek.value)));
seek.addEventListener("keydown", (event) => {
  const steps = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10,
                  Home: -Infinity, End: Infinity };
  if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in steps || event.key === " ")) return;
  event.preventDefault();
  if (event.key === " ") toggle();
  else go(position + steps[event.key]);
});

// On paper nothing can be opened.
let opened = [];
addEventListener("beforeprint", () => {
  opened = [...document.querySelectorAll("details:not([open])")];
  for (const each of opened) each.open = true;
});
addEventListener("afterprint", () => { for (const each of opened) each.open = false; });

for (const id of ["seek", "now", "keys"]) document.getElementById(id).hidden = false;
show(0);
tell();
