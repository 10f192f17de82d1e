/* The place where a film is dropped, or chosen; the whole window takes one too. `props.value` is {most_bytes, told}:
   what is too large is refused before it is sent (the server refuses it as well). Triggers "upload" with {path}. */

const input = element.querySelector("input"), zone = element.querySelector(".ns-drop");
const told = element.querySelector(".ns-drop-told"), line = element.querySelector(".ns-drop-line");
let busy = false;

function say(text, refused = false) {
  line.textContent = text;
  line.classList.toggle("ns-notice", refused && Boolean(text));
}

async function send(file) {
  if (!file || busy) return;
  const {most_bytes, most_told} = props.value;
  if (file.size > most_bytes) {
    const size = (file.size / 2 ** 20).toFixed(0);
    say(`Not taken: ${file.name} has ${size} MiB, and films of up to ${most_told} are taken here. Make it smaller, or ` +
        "start the studio with a larger --max-upload.", true);
    return;
  }
  busy = true;
  zone.classList.add("ns-busy");
  say(`Taking in ${file.name} \u2026`);
  try {
    const {path} = await upload(file);
    trigger("upload", {path});
  } catch (error) {
    say(`Not taken: ${file.name} could not be sent to the studio (${error.message}). Is it still running? Try again.`, true);
    done();
  }
}

function done() {
  busy = false;
  zone.classList.remove("ns-busy", "ns-over");
  input.value = "";
}

input.addEventListener("change", () => send(input.files[0]));
for (const name of ["dragover", "dragleave", "drop"])
  document.addEventListener(name, (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    zone.classList.toggle("ns-over", name === "dragover");
    if (name === "drop") send(event.dataTransfer.files[0]);
  });
watch("value", () => { done(); say(""); });   // the server has looked at it, and tells of it elsewhere
