// What people do with the page. Each function is a test of tests/it/watch.rs, which has the same name.

import { strict as assert } from "node:assert";

const time = (page) => page.evaluate(() => video.currentTime);
const near = (is, wanted, by = 1.5) => assert.ok(Math.abs(is - wanted) <= by, `${is}, and not about ${wanted}`);
const radios = (page, name) => page.$$eval(`input[name=${name}] + span`, (spans) => spans.map((span) => span.textContent));

async function plays_and_shows(viewer, room, heights) {
  const page = await viewer.page(room);
  await viewer.play(page);
  near(await page.evaluate(() => video.duration), viewer.site.seconds, 0.5);
  await viewer.pause(page);
  await page.click("#settings");
  assert.equal(await page.isVisible("#qualities"), heights.length > 1, room);
  if (heights.length > 1) {
    const [auto, ...named] = await radios(page, "level");
    assert.match(auto, /^Auto( · \d+p)?$/);
    assert.deepEqual(named, heights.map((height) => `${height}p`));
    for (const height of [...heights, heights[0]]) {
      // What is at its end has nothing to load. What is shown changes with the next keyframe, which comes sooner so.
      await page.evaluate(() => {
        video.currentTime = 0.5;
        video.playbackRate = 3;
      });
      await page.click(`#levels label:has-text("${height}p"):not(:has-text("Auto"))`);
      await viewer.until(page, `${height} lines are shown`, (height) => {
        if (video.ended || video.currentTime > video.duration - 3) video.currentTime = 0.5;
        if (video.paused) video.play();
        return video.videoHeight === height;
      }, height);
    }
  } else {
    assert.equal(await page.evaluate(() => video.videoHeight), heights[0]);
  }
  // That of renditions that share a sound, too.
  await viewer.until(page, "sound is decoded", () => video.webkitAudioDecodedByteCount > 0);
}

export const a_recording_of_the_default_profile_plays = (viewer) => plays_and_shows(viewer, "480p", [480]);
export const a_ladder_plays_in_each_quality_with_its_sound = (viewer) => plays_and_shows(viewer, "abr", [720, 480, 360]);
export const a_copy_of_the_source_plays = (viewer) => plays_and_shows(viewer, "source", [720]);
export const a_hybrid_plays_in_each_quality_with_its_sound = (viewer) => plays_and_shows(viewer, "hybrid", [720, 480, 360]);
export const segments_of_mp4_play_in_each_quality_with_their_sound = (viewer) => plays_and_shows(viewer, "fmp4", [720, 480, 360]);

export async function sound_alone_plays_and_looks_meant(viewer) {
  const page = await viewer.page("sound");
  await viewer.until(page, "it is known that there is no picture", () => player.classList.contains("audio"));
  await viewer.play(page);
  assert.ok(!(await page.isVisible("#pip")) && !(await page.isVisible("#full")));
  await viewer.until(page, "sound is decoded", () => video.webkitAudioDecodedByteCount > 0);
  await viewer.accessible(page, "sound alone");
}

export async function hls_of_the_scripts_plays_and_is_named_by_its_directory(viewer) {
  const page = await viewer.page("scripts");
  await viewer.play(page);
  assert.equal(await page.textContent("h1"), "made by the scripts");
  assert.equal(await page.textContent("#meta"), "8 s");
  assert.ok(!(await page.isVisible("#download")));
}

export async function it_says_what_it_is_and_when_it_was_in_the_viewers_language_and_zone(viewer) {
  for (const [locale, timezoneId, wanted] of [
    ["en-GB", "Europe/Berlin", /^Thursday,? 19 November 2026 (at )?17:01$/],
    ["de-DE", "Europe/London", /^Donnerstag, 19\. November 2026 (um )?16:01$/],
    ["ja-JP", "Asia/Tokyo", /^2026年11月20日金曜日 1:01$/],
  ]) {
    const page = await viewer.page("slides", { locale, timezoneId });
    await viewer.until(page, "it is told", () => document.querySelector("#meta span"));
    assert.equal(await page.textContent("h1"), "slides");
    assert.equal(await page.textContent("#eyebrow"), "Jitsi");
    assert.equal(await page.title(), "slides · Jitsi");
    assert.match(await page.textContent("#meta time"), wanted);
    assert.equal(await page.textContent("#meta span"), "3 min");
    assert.ok((await page.getAttribute("video", "poster")).endsWith("/poster.jpg"));
    await viewer.close();
  }
}

export async function one_goes_anywhere_by_the_time_line_and_sees_what_is_there(viewer) {
  const page = await viewer.page("slides");
  await viewer.play(page);
  const box = await page.locator("#timeline").boundingBox();
  // The first step brings back controls that were out of sight.
  await page.mouse.move(box.x + box.width * 0.75, box.y + box.height / 2, { steps: 3 });
  await viewer.until(page, "the preview is seen", () => getComputedStyle(peek).visibility === "visible");
  assert.equal(await page.textContent("#peek .moment"), "2:30");
  assert.equal(await page.textContent("#peek .chapter"), "Chapter 2");
  assert.match(await page.evaluate(() => peek.querySelector(".picture").style.backgroundPosition), /^-\d/);
  await viewer.until(page, "the sheet has come", () => performance.getEntriesByType("resource")
    .some(({ name, responseStatus }) => name.endsWith("/previews_000.jpg") && responseStatus === 200));
  await page.mouse.down();
  await page.mouse.up();
  await viewer.until(page, "it is there", () => Math.abs(video.currentTime - 150) < 5 && !video.seeking);
  assert.match(await page.getAttribute("#seek", "aria-valuetext"), /^2 minutes 3\d seconds? of 3 minutes 20 seconds, Chapter 2$/);
  await viewer.plays(page);
  await page.mouse.move(box.x + box.width * 0.75, box.y + box.height / 2, { steps: 3 });
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.2, box.y + box.height / 2, { steps: 5 });
  await page.mouse.up();
  await viewer.until(page, "it was dragged there", () => Math.abs(video.currentTime - 40) < 5 && !video.seeking);
  await viewer.plays(page);
}

export async function chapters_are_listed_and_lead_to_their_places(viewer) {
  const page = await viewer.page("slides");
  await viewer.until(page, "it can be played", () => player.dataset.state === "paused");
  assert.deepEqual(await page.$$eval("#list .name", (names) => names.map((name) => name.textContent)), ["Chapter 1", "Chapter 2"]);
  assert.ok(await page.$$eval("#list .image", (images) => images.every((image) => image.style.backgroundImage.includes("previews_000.jpg"))));
  await page.click("#list li:nth-child(2) button");
  await viewer.until(page, "it is there", () => video.currentTime >= 84 && !video.paused);
  await viewer.until(page, "it is marked", () => list.children[1].firstChild.getAttribute("aria-current") === "true");
  assert.equal(await page.textContent("#here"), "Chapter 2");
  await page.keyboard.press("[");
  await page.keyboard.press("[");
  await viewer.until(page, "the chapter before plays", () => video.currentTime < 60);
}

export async function keys_do_what_their_list_says(viewer) {
  const page = await viewer.page("slides");
  await viewer.until(page, "it can be played", () => player.dataset.state === "paused");
  await page.keyboard.press("Space");
  await viewer.plays(page);
  await page.keyboard.press("k");
  await viewer.until(page, "it is paused", () => video.paused);
  const goes = async (key, to) => {
    await page.keyboard.press(key);
    await viewer.until(page, `${key} goes to ${to}`, (to) => !video.seeking && Math.abs(video.currentTime - to) < 0.3, to);
  };
  await goes("5", 100);
  await goes("ArrowLeft", 95);
  await goes("ArrowRight", 100);
  await goes("j", 90);
  await goes("l", 100);
  await goes("0", 0);
  await goes("ArrowLeft", 0);
  const rates = [];
  for (const key of [">", ">", ">", ">", ">", ">", ">", "<", "<"]) {
    await page.keyboard.press(key);
    rates.push(await page.evaluate(() => video.playbackRate));
  }
  assert.deepEqual(rates, [1.25, 1.5, 1.75, 2, 2.5, 3, 3, 2.5, 2]);
  assert.equal(await page.textContent("#toast"), "Speed 2×");
  await page.keyboard.press("m");
  assert.ok(await page.evaluate(() => video.muted));
  await viewer.until(page, "the button says so", () => mute.getAttribute("aria-label") === "Sound on");
  await page.keyboard.press("m");
  assert.ok(await page.evaluate(() => !video.muted));
  await page.keyboard.press("f");
  await viewer.until(page, "it fills the screen", () => document.fullscreenElement === player);
  await page.keyboard.press("f");
  await viewer.until(page, "it leaves the screen", () => !document.fullscreenElement);
  await page.keyboard.press("?");
  assert.ok(await page.isVisible("#keysheet"));
  // Keys of the list itself are no keys of the player.
  await page.keyboard.press("m");
  assert.ok(await page.evaluate(() => !video.muted));
  await page.keyboard.press("Escape");
  assert.ok(!(await page.isVisible("#keysheet")));
  await page.keyboard.press("Control+l");
  near(await time(page), 0, 0.3);
  // A button that has the focus is what space presses.
  await page.focus("#mute");
  await page.keyboard.press("Space");
  assert.ok(await page.evaluate(() => video.muted && video.paused));
}

export async function speed_is_chosen_and_kept(viewer) {
  const page = await viewer.page("slides");
  await viewer.until(page, "it can be played", () => player.dataset.state === "paused");
  await page.click("#settings");
  assert.deepEqual(await radios(page, "rate"), ["0.5×", "0.75×", "1×", "1.25×", "1.5×", "1.75×", "2×", "2.5×", "3×"]);
  assert.equal(await page.evaluate(() => document.activeElement.value), "1");
  await page.keyboard.press("ArrowRight");
  assert.equal(await page.evaluate(() => video.playbackRate), 1.25);
  await page.click('#rates label:has-text("3×")');
  assert.equal(await page.evaluate(() => video.playbackRate), 3);
  await page.keyboard.press("Escape");
  assert.ok(!(await page.isVisible("#panel")));
  assert.equal(await page.evaluate(() => document.activeElement.id), "settings");
  await page.evaluate((next) => { location.href = next; }, viewer.site.rooms["480p"]);
  await page.waitForURL(viewer.site.rooms["480p"]);
  await viewer.play(page);
  assert.equal(await page.evaluate(() => video.playbackRate), 3);
  assert.equal(await page.textContent("#rate"), "3×");
}

export async function a_link_leads_to_a_moment(viewer) {
  const leads = (page, hash, wanted) =>
    viewer.until(page, `${hash} leads to ${wanted}`, (wanted) => !video.seeking && Math.abs(video.currentTime - wanted) < 1, wanted);
  for (const [hash, wanted] of [["#t=1m30s", 90], ["#t=9h", 199.5], ["#other", 0]]) {
    const page = await viewer.page("slides", { hash });
    await viewer.until(page, "it can be played", () => player.dataset.state === "paused");
    await leads(page, hash, wanted);
    if (wanted !== 90) continue;
    // What names no moment leads nowhere.
    for (const [hash, wanted] of [["#t=100", 100], ["#t=0h2m", 120], ["#t=1:05", 65], ["#t=x", 65], ["#other", 65], ["#t=0", 0]]) {
      await page.evaluate((hash) => { location.hash = hash; }, hash);
      await leads(page, hash, wanted);
    }
  }
}

export async function the_link_to_a_moment_is_copied_without_a_password(viewer) {
  const { base, user, password, rooms } = viewer.site;
  for (const url of [undefined, rooms.slides.replace("http://", `http://${user}:${encodeURIComponent(password)}@`)]) {
    const page = await viewer.page("slides", { url, permissions: ["clipboard-read", "clipboard-write"] });
    await viewer.until(page, "it can be played", () => player.dataset.state === "paused");
    await page.keyboard.press("5");
    await viewer.until(page, "it is there", () => Math.abs(video.currentTime - 100) < 0.3 && !video.seeking);
    await viewer.until(page, "the button says where", () => copy.textContent.trim() === "Copy link at 1:40");
    await page.click("#copy");
    await viewer.until(page, "it is copied", () => toast.textContent === "Link to 1:40 copied");
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), `${base}/slides/v0/#t=1m40s`);
  }
}

export async function a_page_that_was_opened_with_a_password_in_its_address_plays(viewer) {
  const { user, password, rooms } = viewer.site;
  const page = await viewer.page(undefined, { url: rooms.hybrid.replace("http://", `http://${user}:${encodeURIComponent(password)}@`) });
  await viewer.play(page);
  assert.equal(await page.textContent("#eyebrow"), "Jitsi");
  assert.ok(await page.isVisible("#qualities") === false && (await page.locator("#levels input").count()) === 4);
}

export async function it_goes_on_where_it_was_left(viewer) {
  const page = await viewer.page("slides");
  await viewer.until(page, "it can be played", () => player.dataset.state === "paused");
  await page.keyboard.press("5");
  await viewer.until(page, "it is there", () => Math.abs(video.currentTime - 100) < 0.3 && !video.seeking);
  await page.reload();
  await viewer.until(page, "it is there again", () => Math.abs(video.currentTime - 100) < 1 && player.dataset.state === "paused");
  assert.match(await page.textContent("#toast"), /^Goes on at 1:\d\d, where you left it$/);
  await viewer.play(page);
  // A link to a moment counts for more.
  await page.goto("about:blank");
  await page.goto(`${viewer.site.rooms.slides}#t=20`);
  await viewer.until(page, "it is where the link says", () => Math.abs(video.currentTime - 20) < 1);
  // Nor does anybody want to go on at the end.
  await page.evaluate(() => { video.currentTime = video.duration - 1; video.play(); });
  await viewer.until(page, "it ends", () => video.ended);
  await viewer.until(page, "it can be played again", () => toggle.getAttribute("aria-label") === "Play again");
  await page.goto("about:blank");
  await page.goto(viewer.site.rooms.slides);
  await viewer.until(page, "it can be played", () => player.dataset.state === "paused");
  near(await time(page), 0, 0.5);
}

export async function without_storage_it_plays_all_the_same(viewer) {
  const page = await viewer.page("480p", {
    prepare: () => Object.defineProperty(window, "localStorage", { get() { throw new DOMException("no", "SecurityError"); } }),
  });
  await viewer.play(page);
  await page.keyboard.press(">");
  assert.equal(await page.evaluate(() => video.playbackRate), 1.25);
}

export async function on_a_phone_all_of_it_fits_and_fingers_do(viewer) {
  const page = await viewer.page("slides", { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 });
  await viewer.until(page, "it can be played", () => player.dataset.state === "paused");
  const wide = () => page.evaluate(() => [document.documentElement.scrollWidth, visualViewport.width]);
  assert.deepEqual(await wide(), [360, 360]);
  await page.tap("#big");
  await viewer.plays(page);
  // What a finger has to hit is as large as a finger.
  const small = await page.$$eval("button, a, #seek", (all) => all
    .filter((each) => each.checkVisibility({ visibilityProperty: true }))
    .map((each) => ({ id: each.id, ...each.getBoundingClientRect().toJSON() }))
    .filter(({ width, height, id }) => id !== "seek" && Math.min(width, height) < 40));
  assert.deepEqual(small, []);
  const buttons = await page.$$eval(".row button", (all) => all.filter((each) => each.offsetWidth).map((each) => each.getBoundingClientRect().right));
  assert.ok(buttons.every((right) => right <= 360), `${buttons}`);
  await viewer.pause(page);
  await page.tap("#settings");
  const panel = await page.locator("#panel").boundingBox();
  assert.ok(panel.x >= 0 && panel.x + panel.width <= 360 && panel.y + panel.height <= 740, JSON.stringify(panel));
  await page.tap('#rates label:has-text("2×")');
  assert.equal(await page.evaluate(() => video.playbackRate), 2);
  await page.tap("h1");
  assert.ok(!(await page.isVisible("#panel")));
  // A tap on the picture takes the controls away, another one brings them back.
  await page.tap("#big");
  await viewer.plays(page);
  await page.keyboard.press("m");
  await page.touchscreen.tap(180, 20);
  await viewer.until(page, "the controls are gone", () => player.classList.contains("idle"));
  await page.waitForTimeout(400);
  await page.touchscreen.tap(180, 20);
  await viewer.until(page, "the controls are back", () => !player.classList.contains("idle"));
  await viewer.pause(page);
  const before = await time(page);
  await page.tap("#ahead10");
  await viewer.until(page, "it is 10 s on", (before) => Math.abs(video.currentTime - before - 10) < 0.5, before);
  assert.deepEqual(await wide(), [360, 360]);
}

export async function the_mp4_can_be_fetched_while_it_is_there(viewer) {
  const page = await viewer.page("slides");
  await page.waitForSelector("#download:visible");
  assert.match((await page.textContent("#download")).trim(), /^Download [\d.]+ MB$/);
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("#download")]);
  assert.equal(download.suggestedFilename(), viewer.site.mp4);
  assert.equal(await download.failure(), null);
  const other = await viewer.page("480p");
  await viewer.until(other, "it can be played", () => player.dataset.state === "paused");
  await other.waitForLoadState("networkidle");
  assert.ok(!(await other.isVisible("#download")));
}

/** The page of a recording that cannot be played says so, in these words. */
async function says(viewer, page, what, { rescue = false } = {}) {
  await viewer.until(page, `it says: ${what}`, (what) => document.getElementById("what").textContent === what && trouble.checkVisibility(), what);
  if (rescue) await page.waitForSelector("#rescue:visible");
  else assert.ok(!(await page.isVisible("#rescue")));
  await viewer.accessible(page, what);
}

export async function what_is_not_there_is_said(viewer) {
  const page = await viewer.page("nothing");
  await says(viewer, page, "This recording is not here");
}

export async function what_is_broken_is_said_with_the_mp4_as_a_way_out(viewer) {
  await says(viewer, await viewer.page("missing"), "A part of this recording is missing", { rescue: true });
  await says(viewer, await viewer.page("garbled"), "This recording cannot be played");
  const page = await viewer.page("480p", {
    routes: { "**/stream.m3u8": (route) => route.fulfill({ contentType: "application/vnd.apple.mpegurl", body: "no playlist\n" }) },
  });
  await says(viewer, page, "This recording cannot be played");
}

export async function what_is_loaded_may_be_watched_before_trouble_is_told(viewer) {
  const first = new Set();
  let missing = false;
  const page = await viewer.page("slides", {
    hash: "#t=60",
    routes: {
      "**/*.ts": (route) => {
        if (first.size < 2) first.add(route.request().url());
        if (first.has(route.request().url())) return route.continue();
        missing = true;
        return route.fulfill({ status: 404 });
      },
    },
  });
  await viewer.play(page);
  for (const begun = performance.now(); !missing && performance.now() - begun < 120_000;) await page.waitForTimeout(50);
  assert.ok(missing);
  await viewer.plays(page);
  assert.ok(!(await page.isVisible("#trouble")));
  await page.keyboard.press("k");
  await viewer.until(page, "it is paused", () => video.paused && player.dataset.state === "paused");
  await page.evaluate(() => {
    video.currentTime = video.buffered.end(video.buffered.length - 1) - 1;
    video.play();
  });
  await viewer.until(page, "it says so at the end of what is loaded", () => !trouble.hidden && video.paused);
  const before = await time(page);
  assert.equal(await page.textContent("#what"), "A part of this recording is missing");
  await page.unroute("**/*.ts");
  await page.click("#retry");
  await viewer.until(page, "it goes on by itself", (before) => !video.paused && video.currentTime > before + 1 && video.currentTime < before + 30, before);
  await viewer.until(page, "nothing covers it", () => trouble.hidden && player.dataset.state === "playing" && !player.classList.contains("waits"));
}

export async function after_an_error_of_the_decoder_it_plays_on_where_it_was(viewer) {
  // Most of it is still to come when the decoder fails.
  const first = new Set();
  let fails;
  const failed = new Promise((resolve) => { fails = resolve; });
  const page = await viewer.page("slides", {
    hash: "#t=20",
    routes: {
      "**/*.ts": async (route) => {
        if (first.size < 2) first.add(route.request().url());
        if (!first.has(route.request().url())) await failed;
        await route.continue().catch(() => {});
      },
    },
    prepare: () => {
      const { appendBuffer } = SourceBuffer.prototype;
      SourceBuffer.prototype.appendBuffer = function append(data) {
        if (!window.spoilt) return appendBuffer.call(this, data);
        throw new DOMException("spoilt", "InvalidStateError");
      };
      addEventListener("emptied", () => { window.spoilt = false; window.recovered = true; }, true);
    },
  });
  await viewer.play(page);
  await page.evaluate(() => { window.spoilt = true; video.currentTime = 150; });
  fails();
  await viewer.until(page, "it has begun anew", () => window.recovered);
  await viewer.until(page, "it plays on", () => !video.paused && video.currentTime > 150.5 && video.currentTime < 180);
  assert.ok(!(await page.isVisible("#trouble")));
}

export async function what_cannot_be_decoded_is_said(viewer) {
  const page = await viewer.page("undecodable");
  await viewer.until(page, "it gives up", () => !trouble.hidden);
  assert.match(await page.textContent("#what"), /^This (browser cannot decode|recording cannot be played)/);
}

export async function without_a_network_it_waits_and_goes_on(viewer) {
  const page = await viewer.page("480p", { routes: { "**/*.ts": (route) => route.abort("internetdisconnected") } });
  await viewer.until(page, "it says so", () => toast.textContent.startsWith("The connection is lost") && toast.classList.contains("seen"));
  assert.ok(!(await page.isVisible("#trouble")));
  await page.unroute("**/*.ts");
  await viewer.until(page, "it can be played", () => player.dataset.state === "paused");
  await viewer.until(page, "nothing is said any more", () => !toast.classList.contains("seen"));
  await viewer.play(page);
}

export async function after_trouble_one_may_try_again(viewer) {
  const page = await viewer.page("nothing");
  await page.waitForSelector("#retry:visible");
  await page.route("**/nothing/v0/**", async (route) => {
    const url = route.request().url().replace("/nothing/", "/480p/");
    await route.fulfill({ response: await route.fetch({ url }) });
  });
  await page.click("#retry");
  await viewer.play(page);
  assert.ok(!(await page.isVisible("#trouble")));
}

export async function where_there_are_no_media_source_extensions_the_browser_plays_it_itself(viewer) {
  const withoutMse = () => {
    delete window.MediaSource;
    delete window.ManagedMediaSource;
  };
  const page = await viewer.page("480p", { prepare: withoutMse });
  if (await page.evaluate(() => video.canPlayType("application/vnd.apple.mpegurl") !== "")) {
    await viewer.play(page);
    assert.ok(await page.evaluate(() => video.src.endsWith("/master.m3u8") && !window.Hls));
    await viewer.pause(page);
    await page.click("#settings");
    assert.ok(!(await page.isVisible("#qualities")));
    // It loses the connection, twice.
    for (const again of ["1", "2"]) {
      await page.evaluate(() => { video.currentTime = 3; video.play(); });
      await viewer.until(page, "it plays", () => !video.seeking && !video.paused && video.currentTime > 3.2);
      await page.evaluate(() => {
        Object.defineProperty(video, "error", { value: { code: MediaError.MEDIA_ERR_NETWORK }, configurable: true });
        addEventListener("emptied", () => { delete video.error; window.times = (window.times ?? 0) + 1; }, { capture: true, once: true });
        video.dispatchEvent(new Event("error"));
      });
      await viewer.until(page, "it is loaded again", (again) => window.times === Number(again), again);
      await viewer.until(page, "it plays on", () => video.ended || (!video.paused && video.currentTime > 3.2 && player.dataset.state === "playing"));
    }
  } else {
    await says(viewer, page, "This browser cannot play the stream");
  }
  await viewer.close();
  const neither = await viewer.page("480p", {
    prepare: () => {
      delete window.MediaSource;
      delete window.ManagedMediaSource;
      HTMLMediaElement.prototype.canPlayType = () => "";
    },
  });
  await says(viewer, neither, "This browser cannot play the stream");
}

export async function before_anything_is_loaded_a_phone_shows_how_to_play(viewer) {
  const page = await viewer.page("480p", {
    prepare: () => {
      delete window.MediaSource;
      delete window.ManagedMediaSource;
      HTMLMediaElement.prototype.canPlayType = () => "maybe";
      // As an iPhone has it.
      addEventListener("canplay", (event) => event.stopImmediatePropagation(), true);
    },
  });
  await page.evaluate(() => video.dispatchEvent(new Event("loadedmetadata")));
  await page.waitForSelector("#big:visible");
}

export async function while_it_plays_its_controls_stay_within_reach_of_keys_and_screen_readers(viewer) {
  const page = await viewer.page("slides");
  await viewer.until(page, "it can be played", () => player.dataset.state === "paused");
  // It fades in.
  await page.waitForSelector("#big:visible");
  await page.focus("#big");
  await page.keyboard.press("Enter");
  await viewer.plays(page);
  assert.equal(await page.evaluate(() => document.activeElement.id), "toggle");
  await page.evaluate(() => document.activeElement.blur());
  await viewer.until(page, "the controls are out of sight", () => player.classList.contains("idle") && getComputedStyle(bar).opacity === "0");
  await page.getByRole("button", { name: "Pause" }).waitFor();
  await page.getByRole("slider", { name: "Seek" }).waitFor();
  // Wherever the focus is.
  await page.focus("#help");
  await page.keyboard.press("Shift");
  await viewer.until(page, "they are seen", () => !player.classList.contains("idle"));
}

export async function a_click_on_a_quality_counts_although_another_one_comes_to_play(viewer) {
  const page = await viewer.page("abr");
  await viewer.until(page, "it can be played", () => player.dataset.state === "paused");
  await page.click("#settings");
  const label = page.locator('#levels label:has-text("360p"):not(:has-text("Auto"))');
  await label.hover();
  await page.mouse.down();
  await page.evaluate(() => {
    window.before = document.querySelector("#rates input");
    video.playbackRate = 1.5;
  });
  await viewer.until(page, "the speed is shown", () => rate.textContent === "1.5×");
  await page.mouse.up();
  await viewer.until(page, "it is chosen", () => document.querySelector("#levels input:checked").parentElement.textContent === "360p");
  assert.ok(await page.evaluate(() => window.before.isConnected));
}

export async function a_page_that_has_not_come_whole_says_so(viewer) {
  const page = await viewer.page("480p");
  assert.equal(await page.locator("#late").count(), 0);
  await page.route("**/-/moments-*.js", (route) => route.abort());
  await page.reload();
  await page.waitForSelector("#late:visible");
  assert.equal(await page.getAttribute("#late a", "href"), "master.m3u8");
}

export async function without_javascript_there_is_a_link_to_the_stream(viewer) {
  const page = await viewer.page("480p", { javaScriptEnabled: false });
  assert.equal(await page.getAttribute("noscript a", "href"), "master.m3u8");
  assert.ok(await page.isVisible("noscript a"));
  assert.ok(!(await page.isVisible("#player")) && !(await page.isVisible("#actions")));
}

export async function axe_finds_nothing_wrong_by_day_by_night_or_on_a_phone(viewer) {
  for (const options of [
    { colorScheme: "light" },
    { colorScheme: "dark" },
    { colorScheme: "light", viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true },
    { colorScheme: "dark", forcedColors: "active", reducedMotion: "reduce" },
  ]) {
    const page = await viewer.page("slides", options);
    const what = JSON.stringify(options);
    await viewer.until(page, "it can be played", () => player.dataset.state === "paused");
    await viewer.accessible(page, `${what}, before it plays`);
    await page.click("#settings");
    await viewer.accessible(page, `${what}, with speed and quality`);
    await page.keyboard.press("Escape");
    await page.keyboard.press("?");
    await viewer.accessible(page, `${what}, with the list of keys`);
    await viewer.close();
  }
}

export async function whoever_uses_a_keyboard_sees_where_they_are(viewer) {
  const page = await viewer.page("slides");
  await viewer.until(page, "it can be played", () => player.dataset.state === "paused");
  await page.waitForSelector("#download:visible");
  // It fades in.
  await page.waitForSelector("#big:visible");
  const seen = [];
  while (seen.length < 30) {
    await page.keyboard.press("Tab");
    if (await page.evaluate(() => document.activeElement === document.body)) break;
    const focused = await page.evaluate(() => {
      const { activeElement: element } = document;
      const shown = element.id === "seek" ? document.querySelector(".knob") : element;
      const { outlineStyle, outlineWidth } = getComputedStyle(shown);
      return { id: element.id || element.parentElement.id || element.className, ring: outlineStyle !== "none" && parseFloat(outlineWidth) >= 2, visible: element.checkVisibility({ visibilityProperty: true }) };
    });
    assert.ok(focused.ring && focused.visible, JSON.stringify(focused));
    seen.push(focused.id);
  }
  for (const id of ["big", "seek", "toggle", "mute", "volume", "settings", "pip", "full", "copy", "download", "help"]) {
    assert.ok(seen.includes(id), `${id} is not reached: ${seen}`);
  }
}

export async function it_weighs_no_more_than_150_kilobytes(viewer) {
  const page = await viewer.page("480p");
  await viewer.until(page, "it can be played", () => player.dataset.state === "paused");
  await page.waitForLoadState("networkidle");
  // Without a window, it has no use for the icon.
  await page.evaluate(async () => (await fetch(document.querySelector("link[rel=icon]").href)).blob());
  // As they came from the web server. The copy for the worker is that of the page, from the cache.
  const parts = new Map(await page.evaluate(() => performance.getEntries()
    .filter(({ entryType, name }) => entryType === "navigation" || name.includes("/-/"))
    .map(({ name, encodedBodySize }) => [name.split("/").at(-1), encodedBodySize])));
  const all = [...parts.values()].reduce((sum, size) => sum + size, 0);
  const listed = JSON.stringify([...parts]);
  assert.ok(parts.size >= 13 && [...parts.values()].every((size) => size > 0), listed);
  assert.ok(all <= 150_000, `${all}: ${listed}`);
}
