// Moments of a recording, as people write and read them.

/** Seconds as a clock shows them: 1:02:03. `like` is the longest that stands beside it, so that both have the same form. */
export function clock(seconds, like = seconds) {
  const whole = Math.max(0, Math.floor(seconds || 0));
  const two = (number) => String(number).padStart(2, "0");
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  if (h > 0 || like >= 3600) return `${h}:${two(m)}:${two(s)}`;
  return like >= 600 ? `${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** Seconds as they are said: "1 hour 2 minutes 3 seconds". */
export function spoken(seconds) {
  const whole = Math.max(0, Math.floor(seconds || 0));
  const parts = [[Math.floor(whole / 3600), "hour"], [Math.floor(whole / 60) % 60, "minute"], [whole % 60, "second"]];
  const said = parts.filter(([number]) => number > 0).map(([number, unit]) => `${number} ${unit}${number === 1 ? "" : "s"}`);
  return said.join(" ") || "0 seconds";
}

/** A length, roughly: "1 h 12 min", "28 min", "45 s". */
export function length(seconds) {
  if (seconds < 59.5) return `${Math.max(1, Math.round(seconds))} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  return minutes % 60 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : `${minutes / 60} h`;
}

/** The moment that the fragment of a URL names: #t=1h2m3s, #t=90, #t=1:30. None where it names none. */
export function fromHash(hash) {
  const text = new URLSearchParams(hash.replace(/^#/, "")).get("t")?.trim().toLowerCase().split(",")[0];
  if (!text) return undefined;
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text);
  if (/^\d+(:[0-5]?\d){1,2}$/.test(text)) return text.split(":").reduce((sum, part) => sum * 60 + Number(part), 0);
  const parts = /^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?$/.exec(text);
  if (!parts) return undefined;
  const [h = 0, m = 0, s = 0] = parts.slice(1).map((part) => Number(part ?? 0));
  return h * 3600 + m * 60 + s;
}

/** The fragment that names a moment. */
export function toHash(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return `#t=${h ? `${h}h` : ""}${m ? `${m}m` : ""}${s || whole === 0 ? `${s}s` : ""}`;
}
