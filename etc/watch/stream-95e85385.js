// The stream and the video element: hls.js where there are Media Source Extensions, the browser's own HLS elsewhere.
//
// Chromium plays HLS by itself since 142, but lets nobody choose the quality, and says little of what goes wrong. iPhones have
// no Media Source Extensions, and the best HLS player of all.

import { at, statusOf } from "./facts-ff16a153.js";

// Where the page was opened with a user and a password, the URL of this module has them too.
const HLS_JS = location.origin + new URL("./hls-1.7.4-7ff05ddd.js", import.meta.url).pathname;

/** Seconds of playing after which a stream counts as mended. */
const MENDED = 10;

/** Milliseconds until what the network did not bring is asked for again. */
const PAUSES = [1000, 2000, 4000, 8000, 15000];

/**
 * Plays the master playlist. What happens is told by `on`: levels(list, chosen, playing), ready() where it can be played although
 * nothing is loaded, away(), back(), and failed(why), where why is gone, denied, missing, decode, unsupported or broken.
 */
export async function open(video, from, on) {
  const url = at("master.m3u8");
  const place = follow(video, from);
  if (!("MediaSource" in window)) return native(video, url, place, on);
  try {
    await load(HLS_JS);
  } catch {
    return canPlayNatively(video) ? native(video, url, place, on) : failing(on, "broken");
  }
  return window.Hls.isSupported() ? withHlsJs(video, url, place, on) : native(video, url, place, on);
}

/**
 * Where it is, and whether it is meant to play. A source that begins anew begins at 0 and paused, and no event tells of it.
 */
function follow(video, from) {
  const place = {
    at: from ?? 0,
    plays: false,
    held: false,
    /** Stops what must not go on behind a message. */
    hold() {
      place.held = true;
      video.pause();
    },
    /** Plays if it did. */
    resume() {
      place.held = false;
      if (place.plays) video.play().catch(() => {});
    },
  };
  for (const event of ["timeupdate", "seeking"]) {
    video.addEventListener(event, () => {
      if (video.seeking || video.readyState > HTMLMediaElement.HAVE_METADATA) place.at = video.currentTime;
    });
  }
  video.addEventListener("play", () => { place.plays = true; });
  video.addEventListener("pause", () => { if (!place.held) place.plays = false; });
  return place;
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

function withHlsJs(video, url, place, on) {
  const { Events, ErrorTypes } = window.Hls;
  const quick = (policy) => ({ default: { ...policy.default, errorRetry: { ...policy.default.errorRetry, maxNumRetry: 1 } } });
  const { fragLoadPolicy, playlistLoadPolicy } = window.Hls.DefaultConfig;
  const hls = new window.Hls({
    // The same file: it knows by where it runs what it is to do.
    workerPath: HLS_JS,
    startPosition: place.at || -1,
    capLevelToPlayerSize: true,
    backBufferLength: 120,
    // Whoever waits is told soon; we ask again for as long as it takes.
    fragLoadPolicy: quick(fragLoadPolicy),
    playlistLoadPolicy: quick(playlistLoadPolicy),
  });
  let [tries, recoveries, recovered, timer, parsed] = [0, 0, 0, undefined, false];
  // Why nothing more is loaded, and whether that was said.
  let [over, said] = [undefined, false];
  const tell = () => on.levels(
    hls.levels.map(({ width, height }, index) => ({ index, width, height })),
    hls.manualLevel,
    hls.currentLevel,
  );
  const ask = () => {
    clearTimeout(timer);
    timer = undefined;
    if (over) return;
    if (parsed) hls.startLoad(place.at || -1);
    else hls.loadSource(url);
  };
  // What is loaded may begin a little after where it plays from, and it stalls a little before the end.
  const isLoaded = (margin) => !video.error && Array.from({ length: video.buffered.length }, (_, range) => range)
    .some((range) => video.buffered.start(range) <= video.currentTime + 0.5 && video.buffered.end(range) > video.currentTime + margin);
  const say = (margin) => {
    if (!over || said || isLoaded(margin)) return;
    said = true;
    place.hold();
    on.failed(over);
  };
  /** Loads no more. What is loaded may be watched to its end. */
  const fail = (why) => {
    over = why;
    clearTimeout(timer);
    timer = undefined;
    hls.stopLoad();
    on.back();
    say(0.3);
  };
  const again = () => {
    [over, said, recoveries, tries] = [undefined, false, 0, 0];
    if (video.error) recover();
    ask();
  };
  const recover = () => {
    recovered = place.at;
    hls.config.startPosition = place.at;
    const { plays } = place;
    hls.recoverMediaError();
    if (plays && !place.held) video.play().catch(() => {});
  };
  video.addEventListener("timeupdate", () => {
    if (Math.abs(place.at - recovered) > MENDED) recoveries = 0;
    say(0.3);
  });
  video.addEventListener("waiting", () => say(1));
  // Elsewhere all may be well.
  video.addEventListener("seeking", () => { if (over && !said && !isLoaded(0.3)) again(); });
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
    if (error.type === ErrorTypes.NETWORK_ERROR && !/Parsing|Empty/.test(error.details)) {
      onNetwork(error.response?.code ?? 0);
    } else if (error.type === ErrorTypes.MEDIA_ERROR && !/incompatible/i.test(error.details)) {
      if (recoveries++ < 2) recover();
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
      again();
      place.resume();
    },
  };
}

function native(video, url, place, on) {
  if (!canPlayNatively(video)) return failing(on, "unsupported");
  let [tries, timer] = [0, undefined];
  const start = () => {
    clearTimeout(timer);
    timer = undefined;
    video.src = url;
  };
  const fail = (why) => {
    place.hold();
    on.failed(why);
  };
  video.addEventListener("loadedmetadata", () => {
    // Someone may have gone elsewhere meanwhile.
    if (place.at > 0 && !video.seeking) video.currentTime = Math.min(place.at, Math.max(0, video.duration - 0.5));
    on.back();
    on.ready();
    if (place.plays) place.resume();
  });
  // An iPhone loads no more than this, or nothing, until somebody plays it.
  video.addEventListener("suspend", () => on.ready());
  video.addEventListener("error", async () => {
    const { code } = video.error ?? {};
    if (code === MediaError.MEDIA_ERR_DECODE) return fail("decode");
    const status = await statusOf(url);
    if (status === 200 && code === MediaError.MEDIA_ERR_SRC_NOT_SUPPORTED) return fail("broken");
    if (status === 401 || status === 403) return fail("denied");
    if (status >= 400 && status < 500) return fail("gone");
    if (timer) return undefined;
    on.away();
    timer = setTimeout(start, PAUSES[Math.min(tries++, PAUSES.length - 1)]);
    return undefined;
  });
  video.addEventListener("playing", () => {
    tries = 0;
    on.back();
  });
  start();
  return {
    choose() {},
    retry() {
      place.held = false;
      start();
    },
  };
}
