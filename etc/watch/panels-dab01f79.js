// What opens over the player or beside it: speed and quality, trouble, the list of chapters.

import { clock, length } from "./moments-39a4e358.js";

const $ = (id) => document.getElementById(id);

/** The speeds, the slowest first. */
export const RATES = [0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 2.5, 3];

/** As a label has it: 1.25×. */
export const rateLabel = (rate) => `${rate}×`;

/** A choice of one: radio buttons, which every keyboard and every screen reader knows. */
function choices(place, name, options, chosen, choose) {
  // A click ends on what it began on: what is there stays there.
  const there = [...place.querySelectorAll("input")];
  if (there.length > 0 && there.map((input) => input.value).join() === options.map(({ value }) => value).join()) {
    there.forEach((input, index) => {
      const { value, label } = options[index];
      input.checked = value === chosen;
      if (input.nextSibling.textContent !== label) input.nextSibling.textContent = label;
    });
    return;
  }
  const made = options.map(({ value, label }) => {
    const [option, input, text] = ["label", "input", "span"].map((tag) => document.createElement(tag));
    Object.assign(input, { type: "radio", name, value, checked: value === chosen });
    input.addEventListener("change", () => choose(value));
    text.textContent = label;
    option.append(input, text);
    return option;
  });
  place.replaceChildren(...made);
}

export function showRates(chosen, choose) {
  choices($("rates"), "rate", RATES.map((value) => ({ value, label: rateLabel(value) })), chosen, choose);
  $("rate").textContent = rateLabel(chosen);
  $("rate").hidden = chosen === 1;
}

/** The renditions, the largest first; none where there is no choice. */
export function showLevels(levels, chosen, playing, choose) {
  const seen = levels.filter(({ height }) => height > 0).toSorted((a, b) => b.height - a.height);
  $("qualities").hidden = seen.length < 2;
  if (seen.length < 2) return;
  const name = (level) => `${level.height}p`;
  const now = levels.find(({ index }) => index === playing);
  const auto = chosen === -1 && now?.height > 0 ? `Auto · ${name(now)}` : "Auto";
  const options = seen.map((level) => ({ value: level.index, label: name(level) }));
  choices($("levels"), "level", [{ value: -1, label: auto }, ...options], chosen, choose);
}

/** Opens and closes speed and quality. */
export function settings(player) {
  const [button, panel] = [$("settings"), $("panel")];
  const open = (is) => {
    panel.hidden = !is;
    button.setAttribute("aria-expanded", String(is));
    if (is) panel.querySelector("input:checked")?.focus({ preventScroll: true });
  };
  button.addEventListener("click", () => open(panel.hidden));
  panel.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    open(false);
    button.focus();
  });
  document.addEventListener("pointerdown", ({ target }) => {
    if (!panel.hidden && !panel.contains(target) && !button.contains(target)) open(false);
  });
  player.addEventListener("focusout", ({ relatedTarget }) => {
    if (!panel.hidden && relatedTarget && !panel.contains(relatedTarget) && !button.contains(relatedTarget)) open(false);
  });
  return { isOpen: () => !panel.hidden };
}

const TROUBLE = {
  gone: ["This recording is not here", "It may have been moved or deleted. If the link is new, try again in a while."],
  denied: ["You may not watch this", "The site asks for a name and a password. Load the page again to be asked."],
  missing: ["A part of this recording is missing", "Please tell whoever looks after the recordings."],
  decode: ["This browser cannot decode the stream", "It tried three times. Another browser may do better."],
  unsupported: ["This browser cannot play the stream", "It lacks H.264 or HLS. Try a current Chrome, Firefox, Safari or Edge."],
  broken: ["This recording cannot be played", "The stream is not as it should be. Please tell whoever looks after the recordings."],
};

/** Says what is wrong, with the MP4 as a way out while there is one. */
export function trouble(player, why, mp4) {
  player.dataset.state = "trouble";
  const [what, more] = TROUBLE[why] ?? TROUBLE.broken;
  $("what").textContent = what;
  $("why").textContent = more;
  $("rescue").hidden = !mp4;
  if (mp4) $("rescue").href = mp4;
  $("trouble").hidden = false;
}

export const noTrouble = () => { $("trouble").hidden = true; };

/** The list of chapters, each with a picture where there are any. Returns what marks the one that plays. */
export function chapterList({ chapters, previews, duration }, go) {
  if (chapters.length < 2) return () => {};
  const width = Math.max(...previews.map((preview) => preview.x + preview.width), 0);
  const items = chapters.map(({ from, to, title }) => {
    const [item, button, frame, image, at, name, long] =
      ["li", "button", "span", "span", "span", "span", "span"].map((tag) => document.createElement(tag));
    button.type = "button";
    frame.className = "frame";
    [image.className, at.className, name.className, long.className] = ["image", "at", "name", "long"];
    // A few seconds on: what was before fades, or the slide is not there yet.
    const preview = previews.find((preview) => preview.from > from + 3 && preview.from < to) ??
      previews.findLast((preview) => preview.from <= from);
    if (preview) {
      frame.style.aspectRatio = `${preview.width} / ${preview.height}`;
      // In parts of the frame, so that it may have any size.
      const rows = Math.max(...previews.filter(({ sheet }) => sheet === preview.sheet).map(({ y, height }) => y + height));
      const step = (offset, size, all) => (all > size ? `${(offset / (all - size)) * 100}%` : "0%");
      Object.assign(image.style, {
        backgroundImage: `url("${preview.sheet}")`,
        backgroundSize: `${(width / preview.width) * 100}% ${(rows / preview.height) * 100}%`,
        backgroundPosition: `${step(preview.x, preview.width, width)} ${step(preview.y, preview.height, rows)}`,
      });
    } else {
      frame.classList.add("bare");
    }
    at.textContent = clock(from, duration);
    name.textContent = title;
    long.textContent = length(to - from);
    frame.append(image, at);
    button.append(frame, name, long);
    button.addEventListener("click", () => go(from));
    item.append(button);
    return item;
  });
  $("list").replaceChildren(...items);
  $("chapters").hidden = false;
  return (seconds) => {
    const now = chapters.findLastIndex(({ from }) => from <= seconds + 0.01);
    items.forEach((item, index) => {
      item.classList.toggle("now", index === now);
      if (index === now) item.firstChild.setAttribute("aria-current", "true");
      else item.firstChild.removeAttribute("aria-current");
    });
    const { from, to } = chapters[now] ?? { from: 0, to: 1 };
    items[now]?.style.setProperty("--done", `${Math.min(100, ((seconds - from) / (to - from)) * 100)}%`);
  };
}
