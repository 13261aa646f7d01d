// What is known of the recording: the files beside the playlist.

/** Where the page is, without a user and a password that its URL may have been opened with: no request may go to such a URL. */
export const PLACE = location.origin + location.pathname;

/** A file's URL, relative to the page. */
export const at = (path) => new URL(path, PLACE).href;

/** All that is known before it plays. What is missing is left out. */
export async function facts() {
  const told = await json(at("recording.json"));
  const known = told?.version === 1 ? told : undefined;
  const [previews, chapters] = await Promise.all(["previews", "chapters"].map(async (name) => {
    if (known && known[name] !== true) return [];
    return cues((await text(at(`${name}.vtt`))) ?? "");
  }));
  return {
    room: string(known?.room) ?? roomOfPath(),
    title: string(known?.title),
    recordedAt: date(known?.recorded_at),
    duration: known?.duration > 0 ? known.duration : undefined,
    // Undefined where nobody knows, null where there is only sound.
    picture: known && !known.picture ? null : known?.picture,
    damaged: known?.damaged === true,
    poster: known ? known.poster === true : (await statusOf(at("poster.jpg"))) === 200,
    previews: previews.map(preview).filter(Boolean),
    chapters: chapters.map(({ from, to, content }) => ({ from, to, title: content })),
    mp4: string(known?.mp4) && at(`../${encodeURIComponent(known.mp4)}`),
  };
}

/** The size of a file that is there, in bytes; undefined where it is not. */
export async function sizeOf(url) {
  try {
    const answer = await fetch(url, { method: "HEAD", cache: "no-store" });
    return answer.ok ? Number(answer.headers.get("Content-Length")) || 0 : undefined;
  } catch {
    return undefined;
  }
}

/** The status that a URL is answered with; 0 where nobody answers. */
export async function statusOf(url) {
  try {
    return (await fetch(url, { method: "HEAD", cache: "no-store" })).status;
  } catch {
    return 0;
  }
}

const string = (value) => (typeof value === "string" && value !== "" ? value : undefined);

function date(text) {
  const date = new Date(text);
  return typeof text === "string" && !Number.isNaN(date.valueOf()) ? date : undefined;
}

/** The room's name as the URL has it. */
function roomOfPath() {
  const name = location.pathname.split("/").at(-3) ?? "";
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

async function text(url) {
  try {
    const answer = await fetch(url);
    return answer.ok ? await answer.text() : undefined;
  } catch {
    return undefined;
  }
}

async function json(url) {
  try {
    return JSON.parse(await text(url));
  } catch {
    return undefined;
  }
}

/** The cues of a WebVTT file, in seconds. */
function cues(vtt) {
  const found = [];
  for (const block of vtt.replaceAll("\r\n", "\n").split(/\n{2,}/)) {
    const lines = block.split("\n");
    const line = lines.findIndex((line) => line.includes(" --> "));
    if (line < 0) continue;
    const [from, to] = lines[line].split(" --> ").map((stamp) => seconds(stamp.trim().split(" ")[0]));
    if (to > from) found.push({ from, to, content: lines.slice(line + 1).join(" ").trim() });
  }
  return found;
}

const seconds = (stamp) => stamp.split(":").reduce((sum, part) => sum * 60 + Number(part), 0);

/** A picture of the time line: a part of a sheet (W3C Media Fragments, spatial). */
function preview({ from, to, content }) {
  const [, sheet, area] = /^([^#/]+)#xywh=([\d,]+)$/.exec(content) ?? [];
  const [x, y, width, height] = area?.split(",").map(Number) ?? [];
  return height > 0 ? { from, to, sheet: at(sheet), x, y, width, height } : undefined;
}
