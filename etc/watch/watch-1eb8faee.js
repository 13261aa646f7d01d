// The page that plays a recording. It finds all that it shows from its own address.

import { controls, say, unsay } from "./controls-7919c8e1.js";
import { PLACE, at, facts, sizeOf } from "./facts-ff16a153.js";
import { likes, position, remember } from "./memory-fe41dfb8.js";
import { clock, fromHash, length, toHash } from "./moments-39a4e358.js";
import { chapterList, noTrouble, showLevels, trouble } from "./panels-dab01f79.js";
import { open } from "./stream-95e85385.js";
import { timeline } from "./timeline-74ad7583.js";

const $ = (id) => document.getElementById(id);
$("late").remove();
const [player, video] = [$("player"), $("video")];
const AWAY = "The connection is lost. Trying again …";

const shown = await facts();
let mp4;
let [pending, begun] = [fromHash(location.hash), false];
const left = position(location.pathname);

about();
player.hidden = false;
$("actions").hidden = false;

/** Goes to a moment; before the video knows its length, as soon as it does. */
function go(seconds) {
  if (video.readyState >= HTMLMediaElement.HAVE_METADATA) video.currentTime = seconds;
  else pending = seconds;
}

const line = timeline(video, shown, go);
const mark = chapterList(shown, (seconds) => {
  go(seconds);
  if (player.dataset.state !== "trouble") video.play().catch(() => {});
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  player.scrollIntoView({ block: "nearest", behavior: still ? "auto" : "smooth" });
});
const buttons = controls({ likes: likes(), line, go, copy, chapters: shown.chapters });
$("copyat").textContent = clock(0, line.duration());
if (shown.picture !== undefined) buttons.hasPicture(shown.picture !== null);
if (shown.picture) ratio(shown.picture.width, shown.picture.height);

video.addEventListener("loadedmetadata", () => {
  buttons.hasPicture(video.videoWidth > 0);
  if (video.videoWidth > 0) ratio(video.videoWidth, video.videoHeight);
  if (pending !== undefined) video.currentTime = Math.min(pending, Math.max(0, video.duration - 0.5));
  else if (left && !begun) say(`Goes on at ${clock(left, line.duration())}, where you left it`);
  [pending, begun] = [undefined, true];
});
video.addEventListener("durationchange", meta);
video.addEventListener("timeupdate", () => {
  mark(video.currentTime);
  $("copyat").textContent = clock(video.currentTime, line.duration());
});
const ready = () => {
  if (player.dataset.state === "waiting") player.dataset.state = video.paused ? "paused" : "playing";
};
for (const event of ["canplay", "playing"]) video.addEventListener(event, ready);
addEventListener("hashchange", () => {
  const moment = fromHash(location.hash);
  if (moment !== undefined) go(Math.min(moment, line.duration()));
});

// ---- the place is remembered ----

let noted = 0;
const keep = () => {
  if (video.readyState > 0 && video.currentTime > 0) remember(location.pathname, video.currentTime, line.duration());
};
video.addEventListener("timeupdate", () => {
  if (Math.abs(video.currentTime - noted) < 4) return;
  noted = video.currentTime;
  keep();
});
for (const event of ["pause", "seeked", "ended"]) video.addEventListener(event, keep);
addEventListener("pagehide", keep);

// ---- the stream ----

const stream = await open(video, pending ?? left, {
  levels(levels, chosen, playing) {
    showLevels(levels, chosen, playing, (level) => {
      stream.choose(level);
      say(level < 0 ? "Quality: auto" : `Quality: ${levels.find(({ index }) => index === level).height}p`);
    });
  },
  ready,
  away: () => say(AWAY, true),
  back: () => unsay(AWAY),
  failed(why) {
    unsay(AWAY);
    trouble(player, why, mp4);
  },
});
$("retry").addEventListener("click", () => {
  noTrouble();
  player.dataset.state = "waiting";
  stream.retry();
  if (video.readyState >= HTMLMediaElement.HAVE_FUTURE_DATA) ready();
  $("toggle").focus();
});

// ---- what is said of the recording ----

function ratio(width, height) {
  player.style.setProperty("--ratio", width / height);
}

function about() {
  const { room, title, poster, damaged } = shown;
  $("title").textContent = room;
  const prefix = title?.endsWith(room) ? title.slice(0, -room.length).replace(/^[\s[(]+|[\s\])·:–-]+$/g, "") : "";
  $("eyebrow").textContent = prefix || "Recording";
  document.title = `${room} · ${prefix || "Recording"}`;
  $("damaged").hidden = !damaged;
  if (poster) {
    video.poster = at("poster.jpg");
    $("glow").style.backgroundImage = `url("${at("poster.jpg")}")`;
  }
  meta();
  download();
  if ("mediaSession" in navigator) {
    const artwork = poster ? [{ src: at("poster.jpg"), type: "image/jpeg" }] : [];
    navigator.mediaSession.metadata = new MediaMetadata({ title: room, artist: prefix, artwork });
    for (const [action, seconds] of [["seekbackward", -10], ["seekforward", 10]]) {
      navigator.mediaSession.setActionHandler(action, () => go(video.currentTime + seconds));
    }
  }
}

/** When it was recorded, in the viewer's language and zone, and how long it is. */
function meta() {
  const parts = [];
  if (shown.recordedAt) {
    const time = document.createElement("time");
    time.dateTime = shown.recordedAt.toISOString();
    time.textContent = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "short" }).format(shown.recordedAt);
    time.title = Intl.DateTimeFormat().resolvedOptions().timeZone;
    parts.push(time);
  }
  const seconds = Number.isFinite(video.duration) && video.duration > 0 ? video.duration : shown.duration;
  if (seconds) parts.push(Object.assign(document.createElement("span"), { textContent: length(seconds) }));
  $("meta").replaceChildren(...parts);
}

async function download() {
  const size = shown.mp4 && (await sizeOf(shown.mp4));
  if (size === undefined) return;
  mp4 = shown.mp4;
  const [unit, value] = size >= 1e9 ? ["gigabyte", size / 1e9] : ["megabyte", Math.max(0.1, size / 1e6)];
  const digits = { maximumFractionDigits: value < 10 ? 1 : 0 };
  $("size").textContent = new Intl.NumberFormat(undefined, { style: "unit", unit, ...digits }).format(value);
  $("download").href = mp4;
  $("download").hidden = false;
  $("rescue").href = mp4;
  $("rescue").hidden = false;
}

/** Copies the link to this moment. */
async function copy() {
  const hash = toHash(video.currentTime);
  try {
    await navigator.clipboard.writeText(PLACE + hash);
    say(`Link to ${clock(video.currentTime, line.duration())} copied`);
  } catch {
    // Without https there is no clipboard.
    history.replaceState(null, "", hash);
    say("The link to this moment is in the address bar");
  }
}
