// The buttons, the keys and the touches that play.

import { like } from "./memory-fe41dfb8.js";
import { clock } from "./moments-39a4e358.js";
import { RATES, rateLabel, settings, showRates } from "./panels-dab01f79.js";

const $ = (id) => document.getElementById(id);
const [player, video, toast] = ["player", "video", "toast"].map($);

/** Milliseconds until the controls of what plays go away. */
const IDLE = 2600;

let fading;
/** A word on what happened, to be seen and heard. */
export function say(text, stays = false) {
  clearTimeout(fading);
  toast.textContent = text;
  toast.classList.add("seen");
  if (!stays) fading = setTimeout(() => toast.classList.remove("seen"), 1800);
}

export function unsay(text) {
  if (toast.textContent === text) toast.classList.remove("seen");
}

const icon = (button, name) => button.querySelector("use").setAttribute("href", `#i-${name}`);
function name(button, label, key) {
  button.setAttribute("aria-label", label);
  button.title = key ? `${label} (${key})` : label;
}

/** Wires them up. `line` is the time line; `go` goes to a moment; `copy` copies the link to this one. */
export function controls({ likes, line, go, copy, chapters }) {
  const panel = settings(player);

  const toggle = () => {
    if (player.dataset.state === "trouble") return;
    if (video.paused || video.ended) video.play().catch(() => {});
    else video.pause();
  };
  const by = (seconds) => {
    const to = Math.max(0, Math.min(line.duration(), video.currentTime + seconds));
    go(to);
    say(`${seconds > 0 ? "+" : "−"}${Math.abs(seconds)} s · ${clock(to, line.duration())}`);
  };
  const setRate = (rate) => {
    video.defaultPlaybackRate = rate;
    video.playbackRate = rate;
  };
  const rateBy = (steps) => {
    const now = RATES.findLastIndex((rate) => rate <= video.playbackRate);
    setRate(RATES[Math.max(0, Math.min(RATES.length - 1, now + steps))]);
    say(`Speed ${rateLabel(video.playbackRate)}`);
  };
  const mute = () => {
    if (video.volume === 0) video.volume = 0.5;
    video.muted = !video.muted;
    say(video.muted ? "Sound off" : "Sound on");
  };
  const toChapter = (step) => {
    const now = chapters.indexOf(line.chapterAt(video.currentTime));
    // Back goes to the beginning of this one first.
    const back = step < 0 && video.currentTime - (chapters[now]?.from ?? 0) > 3;
    const next = chapters[back ? now : now + step];
    if (!next) return;
    go(next.from);
    say(next.title);
  };

  // ---- full screen, picture in picture ----
  const canFull = document.fullscreenEnabled ? "whole" : video.webkitEnterFullscreen ? "video" : "";
  const full = () => {
    if ($("full").hidden) return;
    if (document.fullscreenElement) document.exitFullscreen();
    else if (canFull === "whole") player.requestFullscreen().catch(() => {});
    else video.webkitEnterFullscreen();
  };
  $("full").hidden = !canFull;
  document.addEventListener("fullscreenchange", () => {
    const is = document.fullscreenElement === player;
    icon($("full"), is ? "small" : "full");
    name($("full"), is ? "Leave full screen" : "Full screen", "f");
  });
  const pip = () => {
    if ($("pip").hidden) return;
    if (document.pictureInPictureElement) document.exitPictureInPicture();
    else video.requestPictureInPicture().catch(() => say("No picture in picture here"));
  };

  // ---- buttons ----
  for (const id of ["toggle", "big"]) $(id).addEventListener("click", toggle);
  $("back10").addEventListener("click", () => by(-10));
  $("ahead10").addEventListener("click", () => by(10));
  $("mute").addEventListener("click", mute);
  $("full").addEventListener("click", full);
  $("pip").addEventListener("click", pip);
  $("copy").addEventListener("click", copy);
  $("help").addEventListener("click", () => $("keysheet").showModal());
  $("keysheet").addEventListener("click", ({ target }) => { if (target === $("keysheet")) $("keysheet").close(); });
  $("volume").addEventListener("input", () => {
    video.volume = Number($("volume").value);
    video.muted = video.volume === 0;
  });

  // ---- what the video says ----
  const drawPlay = () => {
    const [sign, label] = video.ended ? ["again", "Play again"] : video.paused ? ["play", "Play"] : ["pause", "Pause"];
    icon($("toggle"), sign);
    icon($("big"), sign);
    name($("toggle"), label, "space");
    $("big").setAttribute("aria-label", label);
    const waiting = player.dataset.state === "waiting" && video.paused;
    if (player.dataset.state !== "trouble" && !waiting) player.dataset.state = video.ended ? "ended" : video.paused ? "paused" : "playing";
    // What goes away must not take the focus with it.
    const goes = player.dataset.state === "playing" && !player.classList.contains("audio");
    if (goes && document.activeElement === $("big")) $("toggle").focus({ preventScroll: true });
    stir();
  };
  for (const event of ["play", "pause", "ended"]) video.addEventListener(event, drawPlay);
  const wait = (is) => player.classList.toggle("waits", is);
  for (const event of ["waiting", "seeking"]) video.addEventListener(event, () => wait(true));
  for (const event of ["playing", "seeked", "canplay", "pause"]) video.addEventListener(event, () => wait(false));
  const drawVolume = () => {
    const silent = video.muted || video.volume === 0;
    icon($("mute"), silent ? "mute" : "loud");
    name($("mute"), silent ? "Sound on" : "Sound off", "m");
    $("volume").value = video.muted ? 0 : video.volume;
    $("volume").setAttribute("aria-valuetext", silent ? "off" : `${Math.round(video.volume * 100)} %`);
    $("volume").style.setProperty("--level", `${(video.muted ? 0 : video.volume) * 100}%`);
  };
  const keep = () => like({ rate: video.defaultPlaybackRate, volume: video.volume, muted: video.muted });
  Object.assign(video, { volume: likes.volume, muted: likes.muted });
  // A new source begins at the default rate.
  setRate(likes.rate);
  const drawRate = () => showRates(video.playbackRate, setRate);
  video.addEventListener("volumechange", () => { drawVolume(); keep(); });
  video.addEventListener("ratechange", () => { drawRate(); keep(); });
  drawVolume();
  drawRate();

  // ---- the controls go away while it plays and nobody stirs ----
  let idle;
  const held = () => video.paused || panel.isOpen() || player.querySelector(".bar :focus-visible, .bar:hover");
  function stir() {
    player.classList.remove("idle");
    clearTimeout(idle);
    idle = setTimeout(() => player.classList.toggle("idle", !held()), IDLE);
  }
  for (const event of ["pointermove", "pointerdown", "focusin"]) player.addEventListener(event, stir);
  document.addEventListener("keydown", stir);
  // A finger leaves whenever it is lifted.
  player.addEventListener("pointerleave", ({ pointerType }) => { if (pointerType === "mouse" && !held()) player.classList.add("idle"); });

  // ---- touches and clicks on the picture ----
  let tapped = 0;
  video.addEventListener("pointerup", (event) => {
    if (event.button !== 0 || player.dataset.state === "trouble") return;
    const twice = event.timeStamp - tapped < 300;
    tapped = twice ? 0 : event.timeStamp;
    if (event.pointerType === "mouse") {
      // The second click of two undoes what the first one did.
      toggle();
      if (twice) full();
    } else if (twice) {
      const box = video.getBoundingClientRect();
      by(event.clientX < box.left + box.width / 2 ? -10 : 10);
    } else if (player.classList.contains("idle") || video.paused) {
      stir();
    } else {
      player.classList.add("idle");
    }
  });
  // A finger does not stir: its tap is what makes the controls come and go.
  for (const event of ["pointerdown", "pointermove"]) {
    video.addEventListener(event, (touch) => { if (touch.pointerType !== "mouse") touch.stopPropagation(); });
  }

  // ---- keys ----
  const keys = {
    " ": toggle, k: toggle,
    ArrowLeft: () => by(-5), ArrowRight: () => by(5), j: () => by(-10), l: () => by(10),
    "<": () => rateBy(-1), ">": () => rateBy(1),
    "[": () => toChapter(-1), "]": () => toChapter(1),
    f: full, m: mute, p: pip, c: copy, "?": () => $("help").click(),
  };
  document.addEventListener("keydown", (event) => {
    const { target, key } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || $("keysheet").open) return;
    if (target.closest?.("#panel, #volume") && (key.startsWith("Arrow") || key === " ")) return;
    if (key === " " && target.closest?.("button, a")) return;
    const tenth = () => {
      const to = (line.duration() * Number(key)) / 10;
      go(to);
      say(clock(to, line.duration()));
    };
    const act = /^\d$/.test(key) ? tenth : keys[key.length === 1 ? key.toLowerCase() : key];
    if (!act) return;
    event.preventDefault();
    act();
  });

  drawPlay();
  return {
    /** Once it is known whether there is a picture. */
    hasPicture(is) {
      player.classList.toggle("audio", !is);
      $("pip").hidden = !is || !document.pictureInPictureEnabled;
      $("full").hidden = !is || !canFull;
    },
  };
}
