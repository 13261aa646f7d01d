// What this browser remembers: where each recording was left, and how loud and fast it was. Nothing of it is ever sent.

const PREFIX = "watch:";
/** Recordings that are remembered. */
const MOST = 200;

/** Storage may be forbidden, full, or emptied at any time. */
function attempt(action) {
  try {
    return action();
  } catch {
    return undefined;
  }
}

const read = (key) => attempt(() => JSON.parse(localStorage.getItem(PREFIX + key)));
const write = (key, value) => attempt(() => localStorage.setItem(PREFIX + key, JSON.stringify(value)));

/** Where a recording was left, in seconds, if it was left in its middle. */
export function position(path) {
  const at = read(path)?.at;
  return typeof at === "number" && at > 0 ? at : undefined;
}

/** Remembers where a recording is; its first and its last seconds are no place to come back to. */
export function remember(path, at, duration) {
  if (at < 5 || at > duration - Math.max(5, duration * 0.02)) {
    attempt(() => localStorage.removeItem(PREFIX + path));
    return;
  }
  write(path, { at: Math.round(at * 10) / 10, on: Date.now() });
  attempt(forget);
}

/** Forgets those that were left longest ago. */
function forget() {
  const paths = Object.keys(localStorage).filter((key) => key.startsWith(`${PREFIX}/`));
  if (paths.length <= MOST) return;
  const age = (key) => attempt(() => JSON.parse(localStorage.getItem(key)).on) ?? 0;
  paths.sort((a, b) => age(a) - age(b));
  for (const key of paths.slice(0, paths.length - MOST)) localStorage.removeItem(key);
}

/** How the viewer likes to listen. */
export function likes() {
  const { rate, volume, muted } = read("likes") ?? {};
  return {
    rate: typeof rate === "number" && rate >= 0.5 && rate <= 3 ? rate : 1,
    volume: typeof volume === "number" && volume >= 0 && volume <= 1 ? volume : 1,
    muted: muted === true,
  };
}

export const like = (likes) => write("likes", likes);
