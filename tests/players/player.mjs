// hls.js in a headless Chromium plays the HLS of each directory, as people watch it.
//
//   node player.mjs CHROMIUM DIR...
//
// A few at a time: play, seek, change the rendition, see the end. What fails so is played once more, alone: a busy machine is no
// fault of the HLS. Prints a line of JSON a directory: what was seen. Exits 1 where one fails alone, with why on stderr.

import { strict as assert } from "node:assert";
import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { chromium } from "playwright-core";

const [executablePath, ...dirs] = process.argv.slice(2);
const AT_ONCE = 3;

const TYPES = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".m3u8": "application/vnd.apple.mpegurl",
  ".m4s": "video/iso.segment",
  ".mp4": "video/mp4",
  ".ts": "video/mp2t",
};
// Small, for what is shown is painted by the processor.
const PAGE = '<!doctype html><meta charset="utf-8"><video muted playsinline width="160"></video><script src="/hls.js"></script>';
const HLS = new URL("./node_modules/hls.js/dist/hls.min.js", import.meta.url);

/** A web server with ranges: `/` is the page, `/N/…` a file of the Nth directory. */
function serve(request, response) {
  const [, number, name] = decodeURIComponent(request.url).split("/");
  if (number === "" || number === "favicon.ico") {
    response.writeHead(200, { "Content-Type": TYPES[".html"] });
    return response.end(PAGE);
  }
  const path = number === "hls.js" ? HLS : join(dirs[Number(number)], name);
  const length = statSync(path, { throwIfNoEntry: false })?.size;
  if (length === undefined) return response.writeHead(404).end();
  const headers = { "Content-Type": TYPES[extname(name ?? number)], "Accept-Ranges": "bytes" };
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
  const start = Number(range?.[1] ?? 0);
  const end = Math.min(Number(range?.[2] || length - 1), length - 1);
  headers["Content-Length"] = end - start + 1;
  if (range) headers["Content-Range"] = `bytes ${start}-${end}/${length}`;
  response.writeHead(range ? 206 : 200, headers);
  createReadStream(path, { start, end }).pipe(response);
}

/** In the page: opens a master playlist, and notes whatever goes wrong. */
function open(url) {
  const video = document.querySelector("video");
  // A machine too busy to show what is there is not nudged on: if it never goes on, that is found by waiting.
  const hls = new Hls({ maxBufferLength: 60, maxMaxBufferLength: 60, maxBufferHole: 0.1, highBufferWatchdogPeriod: 600 });
  const seen = { problems: [], levels: [], switched: [] };
  Object.assign(window, { video, hls, seen });
  hls.on(Hls.Events.ERROR, (_, { details, fatal, reason, error }) => {
    // That a busy machine is late is no fault of the HLS; that it never comes is found by waiting.
    if (fatal || details !== Hls.ErrorDetails.BUFFER_STALLED_ERROR) {
      seen.problems.push([details, fatal ? "fatal" : "", reason, error?.message].filter(Boolean).join(": "));
    }
  });
  hls.on(Hls.Events.MANIFEST_PARSED, (_, { levels }) => {
    seen.levels = levels.map(({ height }) => height);
  });
  hls.on(Hls.Events.LEVEL_SWITCHED, (_, { level }) => seen.switched.push(level));
  video.addEventListener("error", () => seen.problems.push(video.error.message));
  window.facts = () => ({
    time: video.currentTime,
    duration: video.duration,
    ended: video.ended,
    height: video.videoHeight,
    frames: video.getVideoPlaybackQuality().totalVideoFrames,
    dropped: video.getVideoPlaybackQuality().droppedVideoFrames,
    soundBytes: video.webkitAudioDecodedByteCount,
    buffered: Array.from(video.buffered, (_, at) => [video.buffered.start(at), video.buffered.end(at)]),
    ...seen,
  });
  // From near its beginning; what has ended is paused.
  window.again = () => { video.currentTime = 0.5; video.play(); };
  hls.loadSource(url);
  hls.attachMedia(video);
}

/** Waits until something holds in the page. */
async function until(page, what, holds, argument) {
  try {
    await page.waitForFunction(holds, argument, { timeout: 120_000, polling: 50 });
  } catch (error) {
    const facts = await page.evaluate(() => window.facts());
    throw new Error(`waited in vain until ${what}: ${JSON.stringify(facts)}`, { cause: error });
  }
}

async function watch(browser, base, number) {
  const page = await browser.newPage({ viewport: { width: 200, height: 200 } });
  try {
    return await played(page, base, number);
  } finally {
    await page.close();
  }
}

async function played(page, base, number) {
  await page.goto(base);
  await page.evaluate(open, `${base}${number}/master.m3u8`);
  await until(page, "it begins", () => video.readyState >= 2);
  await page.evaluate(() => video.play());
  await until(page, "2 s are played", () => video.currentTime > 2);
  const { duration, levels } = await page.evaluate(() => window.facts());
  if (duration < 60) {
    await until(page, "all of it is there", () => video.buffered.length && video.buffered.end(video.buffered.length - 1) > video.duration - 0.5);
  }
  const first = await page.evaluate(() => window.facts());
  // Down the ladder and up again: at once, and from the next segment on.
  const heights = [];
  if (levels.length > 1) {
    const order = levels.map((_, level) => level);
    for (const [how, level] of [
      ...order.toReversed().map((level) => ["currentLevel", level]),
      ...order.map((level) => ["nextLevel", level]),
    ]) {
      await page.evaluate(([how, level]) => { window.again(); hls[how] = level; }, [how, level]);
      // A busy machine may have played what it had before the other rendition came.
      await until(page, `${how} ${level} is seen`, (height) => {
        if (video.ended) window.again();
        return video.videoHeight === height && !video.seeking;
      }, levels[level]);
      const time = await page.evaluate(() => video.currentTime);
      await until(page, `${how} ${level} goes on`, (time) => video.currentTime > time + 0.2 || video.ended, time);
      heights.push(levels[level]);
    }
  }
  await page.evaluate(() => { video.currentTime = video.duration - 5; return video.play(); });
  await until(page, "it has gone to the last 5 s", () => !video.seeking && video.currentTime >= video.duration - 5);
  await until(page, "it ends", () => video.ended);
  const last = await page.evaluate(() => window.facts());
  assert.deepEqual(last.problems, []);
  assert.equal(first.buffered.length, 1, `holes: ${JSON.stringify(first.buffered)}`);
  assert.ok(first.buffered[0][0] < 0.3, `begins at ${first.buffered[0][0]}`);
  assert.ok(Math.abs(last.time - last.duration) < 0.5, `ended at ${last.time} of ${last.duration}`);
  return { duration, levels, heights, frames: last.frames, soundBytes: last.soundBytes };
}

const server = createServer(serve);
await new Promise((listens) => server.listen(0, "127.0.0.1", listens));
// Playwright gives it a new profile, and takes that away again.
const browser = await chromium.launch({
  executablePath,
  args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--autoplay-policy=no-user-gesture-required"],
});
const left = dirs.map((dir, number) => ({ dir, number }));
const failed = [];
async function work(fails) {
  for (let next = left.shift(); next; next = left.shift()) {
    try {
      const seen = await watch(browser, `http://127.0.0.1:${server.address().port}/`, next.number);
      console.log(JSON.stringify({ dir: next.dir, ...seen }));
    } catch (error) {
      console.error(`${next.dir}: ${error.stack}`);
      fails(next);
    }
  }
}
await Promise.all(Array.from({ length: AT_ONCE }, () => work((next) => failed.push(next))));
left.push(...failed);
await work(() => { process.exitCode = 1; });
await browser.close();
server.close();
server.closeAllConnections();
