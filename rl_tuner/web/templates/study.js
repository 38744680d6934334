"use strict";
const sounds = [...document.querySelectorAll("audio")];
const form = document.getElementById("rating");
const told = document.getElementById("told");
const shortcuts = document.getElementById("shortcuts");
const heard = new Set();
const button = (sound) => sound.parentElement.querySelector("button");

for (const sound of sounds) {
  const name = button(sound).dataset.name;
  sound.addEventListener("play", () => {
    for (const other of sounds) if (other !== sound) other.pause();
    button(sound).textContent = `Pause ${name}`;
    heard.add(sound);
    told.textContent = "";
  });
  for (const event of ["pause", "ended"])
    sound.addEventListener(event, () => { button(sound).textContent = `Play ${name}`; });
  sound.addEventListener("error", () => { told.textContent = `${name} could not be loaded: reload the page.`; });
  button(sound).addEventListener("click", () => toggle(sound));
}

function toggle(sound) {
  if (sound.paused) sound.play().catch((error) => { told.textContent = `It cannot be played: ${error.message}`; });
  else sound.pause();
}

let sent = false;
form.addEventListener("submit", (event) => {
  // Both must have been started; a form that was sent is not sent again.
  if (heard.size < sounds.length) {
    event.preventDefault();
    told.textContent = "Please listen to both first.";
  } else if (sent) {
    event.preventDefault();
  } else {
    sent = true;
  }
});
window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

shortcuts.checked = sessionStorage.getItem("shortcuts") !== "off";
shortcuts.addEventListener("change", () => sessionStorage.setItem("shortcuts", shortcuts.checked ? "on" : "off"));
document.addEventListener("keydown", (event) => {
  if (!shortcuts.checked || event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
  const key = event.key.toLowerCase();
  if (key >= "1" && key <= "5") {
    const choice = form.querySelector(`input[value="${key}"]`);
    choice.checked = true;
    choice.focus();
  } else if ((key === "a" || key === "b") && sounds.length) {
    toggle(sounds[key === "a" ? 0 : 1]);
  } else if (key === "enter" && !event.target.closest("button, a")) {
    event.preventDefault();
    form.requestSubmit();
  }
});
