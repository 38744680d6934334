"use strict";
const $ = (name) => document.getElementById(name);
const form = $("asked");
const suffixes = form.dataset.suffixes.split(" ");
const grid = form.dataset.grid ? JSON.parse(form.dataset.grid) : null;
let primer = null;
let notes = [];

// What is made.
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const fields = new FormData(form);
  const asked = {
    count: Number(fields.get("count")),
    temperature: Number(fields.get("temperature")),
    model: fields.get("model"),
    seed: fields.get("seed") ? Number(fields.get("seed")) : null,
    prompt: fields.get("prompt"),
    primer,
    notes: primer ? null : notes,
  };
  const answer = await sent("/make", JSON.stringify(asked));
  if (!answer) return;
  $("made").replaceChildren(...answer.items.map(card));
  $("made-section").hidden = false;
  $("told").textContent = `${answer.items.length} made in ${Math.round(answer.milliseconds)} ms, seed ${answer.seed}`;
});

async function sent(address, body) {
  $("told").textContent = "";
  try {
    const answer = await fetch(address, { method: "POST", headers: { "x-play": "1" }, body });
    const kind = answer.headers.get("content-type") || "";
    const content = kind.includes("json") ? await answer.json() : { error: `status ${answer.status}` };
    if (answer.ok) return content;
    $("told").textContent = content.error;
  } catch (error) {
    $("told").textContent = `The server does not answer: ${error.message}`;
  }
  return null;
}

function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

let number = 0;
function card(item) {
  number += 1;
  const label = `Number ${number}`;
  const made = element("article", { class: "item", "aria-label": label });
  made.append(element("h3", {}, label));
  if (item.roll) made.insertAdjacentHTML("beforeend", item.roll);
  if (item.drawing) made.append(element("img", { class: "drawing", src: `/i/${item.id}.drawing`, alt: `Drawing of ${item.text}` }));
  if (item.seconds) made.append(sound(item, made, label));
  if (item.seconds && suffixes.includes("svg")) made.append(sheet(item));
  made.append(element("p", { class: "text" }, item.valid ? item.text : `${item.text} (not valid)`));
  const earned = item.earned.map(([name, value]) => `${name} ${value.toFixed(2)}`);
  const facts = Object.entries(item.facts).map(([name, value]) => `${name} ${value}`);
  if (item.reward !== null) facts.unshift(`reward ${item.reward.toFixed(2)}`);
  made.append(element("p", { class: "facts" }, [...facts, ...earned].join(" · ")));
  const keep = element("button", { type: "button", class: "plain" }, "Keep");
  keep.addEventListener("click", () => move(made, keep));
  const links = suffixes.map((suffix) =>
    element("a", { href: `/i/${item.id}.${suffix}?keep=1`, download: "", "aria-label": `Download ${label} as ${suffix}` }, suffix));
  made.append(element("p", { class: "links" }, keep, ...links));
  return made;
}

function sheet(item) {
  const made = element("details", {}, element("summary", {}, "Sheet music"));
  // Engraved when it is first looked at.
  made.addEventListener("toggle", () => {
    if (made.open && !made.querySelector("img"))
      made.append(element("img", { src: `/i/${item.id}.svg`, alt: `Sheet music of ${item.text}` }));
  });
  return made;
}

function sound(item, made, label) {
  const audio = element("audio", { controls: "", preload: "metadata", src: `/i/${item.id}.wav`, "aria-label": label });
  const cursor = made.querySelector(".cursor");
  const follow = () => {
    const x = Number(cursor.dataset.left) + Math.min(1, audio.currentTime / item.seconds) * Number(cursor.dataset.width);
    cursor.setAttribute("x1", x);
    cursor.setAttribute("x2", x);
    if (!audio.paused) requestAnimationFrame(follow);
  };
  audio.addEventListener("play", () => {
    for (const other of document.querySelectorAll("audio")) if (other !== audio) other.pause();
    made.classList.add("playing");
    if (cursor) follow();
  });
  for (const event of ["ended", "pause"]) audio.addEventListener(event, () => made.classList.remove("playing"));
  return audio;
}

function move(made, button) {
  const keeps = button.textContent === "Keep";
  button.textContent = keeps ? "Drop" : "Keep";
  if (keeps) $("kept").append(made);
  else made.remove();
  $("kept-section").hidden = !$("kept").children.length;
}

// A primer from a file or from the computer's keys.
if (grid) {
  const names = ["C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B"];
  const keys = "awsedftgyhujk";
  let octave = 60;
  let context = null;
  for (const [name, quarters] of [["sixteenth", 0.25], ["eighth", 0.5], ["quarter", 1], ["half", 2]]) {
    const steps = quarters * grid.stepsPerQuarter;
    if (Number.isInteger(steps)) $("length").append(element("option", { value: steps }, name));
  }
  $("length").value = [...$("length").options].some((o) => Number(o.value) === grid.stepsPerQuarter / 2)
    ? grid.stepsPerQuarter / 2 : grid.stepsPerQuarter;

  const show = () => {
    $("keys").value = notes.map(([pitch, steps]) => (pitch ? names[pitch % 12] + (Math.floor(pitch / 12) - 1) : "rest") + `·${steps}`).join(" ");
    $("begin").textContent = notes.length ? `${notes.length} notes, played here.` : "Nothing: start anew.";
  };
  const ring = (pitch) => {
    context ??= new AudioContext();
    const [tone, loudness] = [context.createOscillator(), context.createGain()];
    tone.frequency.value = 440 * 2 ** ((pitch - 69) / 12);
    tone.type = "triangle";
    loudness.gain.setValueAtTime(0.2, context.currentTime);
    loudness.gain.exponentialRampToValueAtTime(0.001, context.currentTime + 0.5);
    tone.connect(loudness).connect(context.destination);
    tone.start();
    tone.stop(context.currentTime + 0.5);
  };
  $("keys").addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.key === "Tab") return;
    const key = event.key.toLowerCase();
    const pitch = octave + keys.indexOf(key);
    const steps = Number($("length").value);
    if (key === "enter") return;
    event.preventDefault();
    if (key === "z" || key === "x") octave = Math.min(Math.max(octave + (key === "x" ? 12 : -12), 24), 96);
    else if (key === "backspace") notes.pop();
    else if (key === " ") notes.push([0, steps]);
    else if (key.length === 1 && keys.includes(key) && pitch >= grid.low && pitch <= grid.high) {
      notes.push([pitch, steps]);
      ring(pitch);
    } else return;
    primer = null;
    show();
  });
  $("clear").addEventListener("click", () => {
    primer = null;
    notes = [];
    $("file").value = "";
    show();
  });
  const read = async (file) => {
    const suffix = file.name.slice(file.name.lastIndexOf(".")).toLowerCase();
    const answer = await sent(`/primer?suffix=${encodeURIComponent(suffix)}`, file);
    if (!answer) return;
    primer = answer.id;
    notes = [];
    show();
    $("begin").textContent = `${file.name}: ${answer.told}.`;
  };
  $("file").addEventListener("change", () => { if ($("file").files.length) read($("file").files[0]); });
  for (const name of ["dragover", "drop"])
    $("drop").addEventListener(name, (event) => {
      event.preventDefault();
      $("drop").classList.toggle("over", name === "dragover");
      if (name === "drop" && event.dataTransfer.files.length) read(event.dataTransfer.files[0]);
    });
  $("drop").addEventListener("dragleave", () => $("drop").classList.remove("over"));
}
