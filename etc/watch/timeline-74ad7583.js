// The time line: where it plays, what is loaded, where chapters begin, and a picture of what is below the pointer.

import { clock, spoken } from "./moments-39a4e358.js";

const $ = (id) => document.getElementById(id);
const [line, seek, peek] = ["timeline", "seek", "peek"].map($);
const [picture, title, moment] = ["picture", "chapter", "moment"].map((name) => peek.querySelector(`.${name}`));

/** How much larger than on its sheet a picture is shown. */
const SCALE = 1.25;

/** Wires it to a video. `shown` says what is known of the recording; `go` goes to a moment. */
export function timeline(video, shown, go) {
  let dragging = false;
  // All pictures have one size, and the first sheet is as wide as any.
  const sheetWidth = Math.max(...shown.previews.map(({ x, width }) => x + width), 0);

  const duration = () => (Number.isFinite(video.duration) && video.duration > 0 ? video.duration : shown.duration ?? 0);
  const part = (seconds) => `${duration() ? Math.min(100, (seconds / duration()) * 100) : 0}%`;
  const chapterAt = (seconds) => shown.chapters.findLast(({ from }) => from <= seconds + 0.01);

  function say(seconds) {
    const chapter = chapterAt(seconds);
    seek.setAttribute("aria-valuetext", `${spoken(seconds)} of ${spoken(duration())}${chapter ? `, ${chapter.title}` : ""}`);
  }

  function draw() {
    const now = dragging ? Number(seek.value) : video.currentTime;
    const end = duration();
    seek.disabled = end === 0;
    if (Number(seek.max) !== end) {
      seek.max = end;
      ticks();
    }
    if (!dragging) seek.value = now;
    say(now);
    line.style.setProperty("--played", part(now));
    const { buffered } = video;
    let loaded = 0;
    for (let at = 0; at < buffered.length; at++) {
      if (buffered.start(at) <= video.currentTime + 0.5) loaded = Math.max(loaded, buffered.end(at));
    }
    line.style.setProperty("--loaded", part(loaded));
    $("now").textContent = clock(now, end);
    $("end").textContent = end ? clock(end) : "";
    $("here").textContent = chapterAt(now)?.title ?? "";
  }

  function ticks() {
    const marks = shown.chapters.slice(1).map(({ from }) => {
      const mark = document.createElement("i");
      mark.style.left = part(from);
      return mark;
    });
    line.querySelector(".ticks").replaceChildren(...marks);
  }

  /** Shows what is there at a moment. */
  function look(seconds) {
    const preview = shown.previews.findLast(({ from }) => from <= seconds) ?? shown.previews[0];
    picture.hidden = !preview;
    if (preview) {
      Object.assign(picture.style, {
        width: `${preview.width * SCALE}px`,
        height: `${preview.height * SCALE}px`,
        backgroundImage: `url("${preview.sheet}")`,
        backgroundPosition: `${-preview.x * SCALE}px ${-preview.y * SCALE}px`,
        backgroundSize: `${sheetWidth * SCALE}px auto`,
      });
    }
    title.textContent = chapterAt(seconds)?.title ?? "";
    moment.textContent = clock(seconds, duration());
    line.style.setProperty("--ghost", part(seconds));
    line.classList.add("looked");
    // Not over the edges.
    const box = line.getBoundingClientRect();
    const half = peek.offsetWidth / 2;
    const x = (seconds / duration()) * box.width;
    peek.style.left = `${Math.max(half - 4, Math.min(box.width - half + 4, x))}px`;
  }

  const lookAway = () => line.classList.remove("looked");

  line.addEventListener("pointermove", (event) => {
    if (event.pointerType === "touch" && !dragging) return;
    const box = line.getBoundingClientRect();
    const share = Math.max(0, Math.min(1, (event.clientX - box.left) / box.width));
    if (duration()) look(dragging ? Number(seek.value) : share * duration());
  });
  line.addEventListener("pointerleave", () => { if (!dragging) lookAway(); });
  seek.addEventListener("input", () => {
    dragging = true;
    look(Number(seek.value));
    draw();
  });
  const arrive = () => {
    dragging = false;
    lookAway();
    go(Number(seek.value));
  };
  seek.addEventListener("change", arrive);
  // Not every browser says that the knob was let go where it had been, or when a touch is taken away.
  for (const event of ["pointerup", "pointercancel", "blur"]) {
    seek.addEventListener(event, () => setTimeout(() => { if (dragging) arrive(); }));
  }
  for (const event of ["timeupdate", "durationchange", "progress", "seeking", "seeked", "loadedmetadata"]) {
    video.addEventListener(event, draw);
  }
  draw();
  return { duration, chapterAt };
}
