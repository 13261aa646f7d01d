// Firefox watches recordings on their page: what may differ from Chromium.
//
//   node firefox.mjs FIREFOX SITE
//
// SITE is that of watch.mjs. Exits 1 where something is not as it should be, with why on stderr.

import { strict as assert } from "node:assert";
import puppeteer from "puppeteer-core";

const [executablePath, json] = process.argv.slice(2);
const { base, user, password, rooms } = JSON.parse(json);
const browser = await puppeteer.launch({
  browser: "firefox", executablePath, headless: true,
  extraPrefsFirefox: {
    // A click of a script is no person's.
    "media.autoplay.default": 0,
    "datareporting.policy.dataSubmissionEnabled": false,
    // Each frame is drawn by the processor, and nobody sees it.
    "layout.frame_rate": 10,
    // One site needs one process.
    "fission.autostart": false,
    "dom.ipc.processCount": 1,
    "dom.ipc.processPrelaunch.enabled": false,
  },
});
const wrong = [];

async function open(url) {
  const page = await browser.newPage();
  page.setDefaultTimeout(120_000);
  page.on("pageerror", (error) => wrong.push(error.message));
  page.on("request", (request) => { if (!/^(blob|data):/.test(request.url()) && new URL(request.url()).host !== new URL(base).host) wrong.push(request.url()); });
  page.on("console", (message) => { if (/content.security.policy/i.test(message.text())) wrong.push(message.text()); });
  await page.setViewport({ width: 1280, height: 900 });
  await page.authenticate({ username: user, password });
  await page.goto(url);
  await page.waitForFunction(() => player.dataset.state === "paused");
  return page;
}

async function play(page) {
  await page.click("#big");
  const from = await page.evaluate(() => video.currentTime);
  await page.waitForFunction((from) => !video.paused && video.currentTime > from + 0.5, {}, from);
}

try {
  for (const room of ["480p", "hybrid", "fmp4", "scripts", "sound"]) {
    const page = await open(rooms[room]);
    await play(page);
    const lines = await page.evaluate(() => video.videoHeight);
    assert.equal(lines > 0, room !== "sound", room);
    if (room === "hybrid") {
      await page.keyboard.press("k");
      await page.waitForFunction(() => video.paused);
      await page.click("#settings");
      for (const height of [360, 720]) {
        await page.evaluate((height) => {
          video.currentTime = 0.5;
          // What is shown changes with the next keyframe, which comes sooner so.
          video.playbackRate = 3;
          [...document.querySelectorAll("#levels label")].find((label) => label.textContent === `${height}p`).click();
        }, height);
        await page.waitForFunction((height) => {
          if (video.ended || video.currentTime > video.duration - 3) video.currentTime = 0.5;
          if (video.paused) video.play();
          return video.videoHeight === height;
        }, {}, height);
      }
    }
    await page.close();
  }
  const page = await open(`${rooms.slides}#t=1m30s`);
  await page.waitForFunction(() => Math.abs(video.currentTime - 90) < 1);
  await play(page);
  await page.keyboard.press("5");
  await page.waitForFunction(() => Math.abs(video.currentTime - 100) < 5 && !video.seeking);
  await page.keyboard.press(">");
  assert.equal(await page.evaluate(() => video.playbackRate), 1.25);
  assert.deepEqual(wrong, []);
} finally {
  await browser.close();
}
