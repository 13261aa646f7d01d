// Chromium watches recordings on their page, as people do.
//
//   node watch.mjs SHELL SITE
//
// SHELL is Chromium's headless shell: the same engine without the rest of the browser, at two thirds of the cost. SITE is JSON: where
// the site is (base), its user and password, and the URLs of its pages by what is special about them.
//
// A few scenarios at a time; what fails so is run once more, alone: a busy machine is no fault of the page. Prints a line of JSON a
// scenario: its name, and why it failed, if it did. Each sees to it, too, that nothing was against the page's security policy, nothing
// was asked of another host, and no script failed.

import { strict as assert } from "node:assert";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";
import * as scenarios from "./scenarios.mjs";

const [executablePath, json] = process.argv.slice(2);
const site = JSON.parse(json);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const AT_ONCE = 3;

/** What takes longest, lest it be what the others have to be waited for. */
const FIRST = ["axe_finds_nothing_wrong_by_day_by_night_or_on_a_phone", "a_page_that_has_not_come_whole_says_so"];

// Playwright gives it a new profile, and takes that away again.
const browser = await chromium.launch({
  executablePath,
  args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--autoplay-policy=no-user-gesture-required"],
});

/** What a scenario may do. */
class Viewer {
  site = site;
  #contexts = [];
  #wrong = [];

  /** A page, with whatever went wrong on it noted. What is asked for may be answered by `routes`, from the first request on. */
  async page(room, { hash = "", prepare, url, routes = {}, ...options } = {}) {
    const credentials = url ? undefined : { username: site.user, password: site.password };
    const context = await browser.newContext({
      httpCredentials: credentials, viewport: { width: 1280, height: 800 }, locale: "en-GB", timezoneId: "Europe/Berlin", ...options,
    });
    this.#contexts.push(context);
    const page = await context.newPage();
    page.setDefaultTimeout(120_000);
    this.#listen(page);
    if (options.javaScriptEnabled !== false) {
      await page.addInitScript(() => {
        window.violations = [];
        addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) => violations.push(`${violatedDirective} ${blockedURI}`));
      });
    }
    if (prepare) await page.addInitScript(prepare);
    for (const [pattern, answer] of Object.entries(routes)) await page.route(pattern, answer);
    await page.goto(url ?? site.rooms[room] + hash);
    return page;
  }

  #listen(page) {
    const host = new URL(site.base).host;
    page.on("request", (request) => {
      const { protocol, host: asked } = new URL(request.url());
      if (protocol !== "blob:" && protocol !== "data:" && asked !== host) this.#wrong.push(`asked of another host: ${request.url()}`);
    });
    page.on("pageerror", (error) => this.#wrong.push(`a script failed: ${error.message}`));
    page.on("console", (message) => {
      if (/content security policy/i.test(message.text())) this.#wrong.push(message.text());
    });
  }

  /** Waits until something holds in the page. */
  async until(page, what, holds, argument) {
    try {
      await page.waitForFunction(holds, argument, { timeout: 120_000, polling: 50 });
    } catch (error) {
      const facts = await page.evaluate(() => ({
        state: player.dataset.state, classes: player.className, toast: toast.textContent, time: video.currentTime, duration: video.duration,
        paused: video.paused, ready: video.readyState, height: video.videoHeight, what: document.getElementById("what").textContent,
        error: video.error?.message,
      }));
      throw new Error(`waited in vain until ${what}: ${JSON.stringify(facts)}`, { cause: error });
    }
  }

  /** Has a page play, with its large button, from where it is. */
  async play(page) {
    await this.until(page, "it can be played", () => player.dataset.state === "paused");
    await page.click("#big");
    await this.plays(page);
  }

  /** Has it paused: while it plays, its controls come and go. */
  async pause(page) {
    await page.keyboard.press("k");
    await this.until(page, "it is paused", () => video.paused);
  }

  async plays(page) {
    const from = await page.evaluate(() => video.currentTime);
    await this.until(page, "it goes on", (from) => !video.paused && (video.currentTime > from + 0.5 || video.currentTime < from - 1), from);
  }

  /** Asserts that axe finds nothing wrong. */
  async accessible(page, what) {
    if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(axe);
    // Of what fades in, the colours are not those that it will have.
    await page.waitForTimeout(400);
    const { violations } = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
    assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, any }) => `${html} ${any[0]?.message ?? ""}`).join(" | ")}`), [], what);
  }

  /** Closes the pages that there are: what is not looked at any more need not go on. */
  async close() {
    for (const context of this.#contexts.splice(0)) {
      for (const page of context.pages()) {
        const violations = await page.evaluate(() => window.violations ?? []).catch(() => []);
        this.#wrong.push(...violations);
      }
      await context.close();
    }
  }

  async end() {
    await this.close();
    assert.deepEqual(this.#wrong, []);
  }
}

/** Runs a scenario; why it failed, or null. */
async function run(name) {
  const viewer = new Viewer();
  let failed = null;
  try {
    await scenarios[name](viewer);
  } catch (error) {
    failed = error.stack;
  }
  try {
    await viewer.end();
  } catch (error) {
    failed ??= error.stack;
  }
  return failed;
}

const left = [...FIRST, ...Object.keys(scenarios).filter((name) => !FIRST.includes(name))];
async function work(fails) {
  for (let name = left.shift(); name; name = left.shift()) {
    const begun = performance.now();
    const failed = await run(name);
    if (failed && fails) fails(name, failed);
    else console.log(JSON.stringify({ name, seconds: Math.round((performance.now() - begun) / 100) / 10, failed }));
  }
}
const again = [];
await Promise.all(Array.from({ length: AT_ONCE }, () => work((name, why) => {
  console.error(`${name} is repeated alone: ${why}`);
  again.push(name);
})));
left.push(...again);
await work();
await browser.close();
