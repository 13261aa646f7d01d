// The stream and the video element: hls.js where there are Media Source Extensions, the browser's own HLS elsewhere.
//
// Chromium plays HLS by itself since 142, but lets nobody choose the quality, and says little of what goes wrong. iPhones have
// no Media Source Extensions, and the best HLS player of all.

import { at, statusOf } from "./facts-ff16a153.js";

// Where the page was opened with a user and a password, the URL of this module has them too.
const HLS_JS = location.origin + new URL("./hls-1.7.4-7ff05ddd.js", import.meta.url).pathname;

/** Milliseconds until what the network did not bring is asked for again. */
const PAUSES = [1000, 2000, 4000, 8000, 15000];

/**
 * Plays the master playlist. What happens is told by `on`: levels(list, chosen, playing), away(), back(), and failed(why), where
 * why is gone, denied, missing, decode, unsupported or broken.
 */
export async function open(video, from, on) {
  const url = at("master.m3u8");
  if (!("MediaSource" in window)) return native(video, url, from, on);
  try {
    await load(HLS_JS);
  } catch {
    return canPlayNatively(video) ? native(video, url, from, on) : failing(on, "broken");
  }
  return window.Hls.isSupported() ? withHlsJs(video, url, from, on) : native(video, url, from, on);
}

const canPlayNatively = (video) => video.canPlayType("application/vnd.apple.mpegurl") !== "";

function failing(on, why) {
  on.failed(why);
  return { choose() {}, retry: () => location.reload() };
}

function load(url) {
  return new Promise((loaded, failed) => {
    const script = document.createElement("script");
    Object.assign(script, { src: url, onload: loaded, onerror: failed });
    document.head.append(script);
  });
}

function withHlsJs(video, url, from, on) {
  const { Events, ErrorTypes } = window.Hls;
  const quick = (policy) => ({ default: { ...policy.default, errorRetry: { ...policy.default.errorRetry, maxNumRetry: 1 } } });
  const { fragLoadPolicy, playlistLoadPolicy } = window.Hls.DefaultConfig;
  const hls = new window.Hls({
    // The same file: it knows by where it runs what it is to do.
    workerPath: HLS_JS,
    startPosition: from ?? -1,
    capLevelToPlayerSize: true,
    backBufferLength: 120,
    // Whoever waits is told soon; we ask again for as long as it takes.
    fragLoadPolicy: quick(fragLoadPolicy),
    playlistLoadPolicy: quick(playlistLoadPolicy),
  });
  let [tries, recoveries, timer, parsed, over] = [0, 0, undefined, false, false];
  const tell = () => on.levels(
    hls.levels.map(({ width, height }, index) => ({ index, width, height })),
    hls.manualLevel,
    hls.currentLevel,
  );
  const ask = () => {
    clearTimeout(timer);
    timer = undefined;
    if (over) return;
    if (parsed) hls.startLoad(video.currentTime || from || -1);
    else hls.loadSource(url);
  };
  const fail = (why) => {
    over = true;
    clearTimeout(timer);
    timer = undefined;
    hls.stopLoad();
    on.failed(why);
  };
  const later = () => {
    if (timer) return;
    on.away();
    timer = setTimeout(ask, PAUSES[Math.min(tries++, PAUSES.length - 1)]);
  };
  const onNetwork = (status) => {
    if (status === 401 || status === 403) fail("denied");
    else if (status >= 400 && status < 500 && status !== 408 && status !== 429) fail(parsed ? "missing" : "gone");
    else later();
  };
  hls.on(Events.MANIFEST_PARSED, () => {
    parsed = true;
    tell();
  });
  hls.on(Events.LEVEL_SWITCHED, tell);
  for (const event of [Events.FRAG_LOADED, Events.LEVEL_LOADED]) {
    hls.on(event, () => {
      tries = 0;
      if (!timer) on.back();
    });
  }
  hls.on(Events.ERROR, (_, error) => {
    if (!error.fatal || over) return;
    console.warn(`hls.js: ${error.details}`, error.error?.message ?? error.reason ?? "");
    if (error.type === ErrorTypes.NETWORK_ERROR && error.details !== "manifestParsingError") {
      onNetwork(error.response?.code ?? 0);
    } else if (error.type === ErrorTypes.MEDIA_ERROR && !/incompatible/i.test(error.details)) {
      if (recoveries++ < 2) hls.recoverMediaError();
      else fail("decode");
    } else {
      fail(/incompatible|codec/i.test(error.details) ? "unsupported" : "broken");
    }
  });
  addEventListener("online", ask);
  hls.attachMedia(video);
  hls.loadSource(url);
  return {
    /** -1 chooses by itself. */
    choose(level) {
      // What is wanted is wanted now; what is best for the network may come with the next segment.
      if (level < 0) hls.loadLevel = -1;
      else hls.currentLevel = level;
      tell();
    },
    /** Goes on after a failure, from where it was. */
    retry() {
      [over, recoveries, tries] = [false, 0, 0];
      if (video.error) hls.recoverMediaError();
      ask();
    },
  };
}

function native(video, url, from, on) {
  if (!canPlayNatively(video)) return failing(on, "unsupported");
  let tries = 0;
  const start = () => {
    const time = video.currentTime || from || 0;
    video.src = url;
    video.addEventListener("loadedmetadata", () => { if (time > 0) video.currentTime = time; }, { once: true });
  };
  video.addEventListener("error", async () => {
    const { code } = video.error ?? {};
    if (code === MediaError.MEDIA_ERR_DECODE) return on.failed("decode");
    const status = await statusOf(url);
    if (status === 200 && code === MediaError.MEDIA_ERR_SRC_NOT_SUPPORTED) return on.failed("broken");
    if (status === 401 || status === 403) return on.failed("denied");
    if (status >= 400 && status < 500) return on.failed("gone");
    on.away();
    return setTimeout(start, PAUSES[Math.min(tries++, PAUSES.length - 1)]);
  });
  video.addEventListener("playing", () => {
    tries = 0;
    on.back();
  });
  start();
  return { choose() {}, retry: start };
}
