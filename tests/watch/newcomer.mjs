// Chromium plays a recording through its link.
//
//   node newcomer.mjs CHROMIUM LINK USER PASSWORD SCREENSHOT

import { chromium } from "playwright-core";

const [executablePath, link, username, password, screenshot] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync"] });
// The certificate is that of Caddy's own authority, which Chromium does not know.
const page = await browser.newPage({ httpCredentials: { username, password }, ignoreHTTPSErrors: true });
const answer = await page.goto(link);
if (answer.status() !== 200) throw new Error(`${link}: ${answer.status()}`);
await page.getByRole("button", { name: "Play" }).first().click();
await page.waitForFunction(() => document.querySelector("video").currentTime > 3, undefined, { timeout: 60_000 });
await page.screenshot({ path: screenshot });
const { title, now, end } = await page.evaluate(() => {
  const { currentTime, duration } = document.querySelector("video");
  return { title: document.querySelector("h1").textContent, now: currentTime, end: duration };
});
console.log(`It plays: "${title}", ${now.toFixed(1)} of ${end.toFixed(1)} s.`);
await browser.close();
