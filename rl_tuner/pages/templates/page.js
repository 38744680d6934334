"use strict";
// The cursor of a piano roll follows its sound; one sound at a time.
for (const sound of document.querySelectorAll("audio")) {
  const item = sound.closest(".item");
  const cursor = item.querySelector(".cursor");
  const follow = () => {
    if (cursor) {
      const share = Math.min(1, sound.currentTime / Number(sound.dataset.seconds));
      const x = Number(cursor.dataset.left) + share * Number(cursor.dataset.width);
      cursor.setAttribute("x1", x);
      cursor.setAttribute("x2", x);
    }
    if (!sound.paused) requestAnimationFrame(follow);
  };
  sound.addEventListener("play", () => {
    for (const other of document.querySelectorAll("audio")) if (other !== sound) other.pause();
    item.classList.add("playing");
    follow();
  });
  sound.addEventListener("ended", () => item.classList.remove("playing"));
}
// Sorting and filtering of a gallery.
for (const tools of document.querySelectorAll(".tools")) {
  const gallery = tools.nextElementSibling;
  const items = [...gallery.children];
  tools.querySelector(".sort").addEventListener("change", (event) => {
    const name = event.target.value.toLowerCase().replaceAll(" ", "-");
    const value = (item) => item.getAttribute(`data-${name}`) ?? "";
    const sorted = [...items].sort((a, b) => {
      const difference = Number(value(b)) - Number(value(a));
      return Number.isNaN(difference) ? value(a).localeCompare(value(b)) : difference;
    });
    gallery.append(...(name ? sorted : items));
  });
  tools.querySelector(".filter").addEventListener("input", (event) => {
    const wanted = event.target.value;
    for (const item of items) item.hidden = !item.textContent.includes(wanted);
  });
}
