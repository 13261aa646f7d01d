// Gives each file of the watch page the name that its content wants, and puts the new names where the old ones were.
//
//   node stamp.mjs
//
// Browsers keep these files for a year: what changes must have another name.

import { createHash } from "node:crypto";
import { readFileSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const dir = join(dirname(fileURLToPath(import.meta.url)), "../../etc/watch");
const STAMPED = /^(.+)-[0-9a-f]{8}(\.(?:js|css|svg))$/;
const left = new Set(readdirSync(dir).filter((name) => STAMPED.test(name)));
const text = new Map([...left, "index.html"].map((name) => [name, readFileSync(join(dir, name), "utf8")]));

// First those that name no other.
while (left.size > 0) {
  const next = [...left].find((name) => ![...left].some((other) => other !== name && text.get(name).includes(other)));
  if (!next) throw new Error(`they name each other: ${[...left].join(" ")}`);
  left.delete(next);
  const [, stem, end] = STAMPED.exec(next);
  const name = `${stem}-${createHash("sha256").update(text.get(next)).digest("hex").slice(0, 8)}${end}`;
  if (name !== next) console.log(`${next} -> ${name}`);
  for (const [user, content] of text) text.set(user, content.replaceAll(next, name));
  writeFileSync(join(dir, next), text.get(next));
  renameSync(join(dir, next), join(dir, name));
}
writeFileSync(join(dir, "index.html"), text.get("index.html"));
