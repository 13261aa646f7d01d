// Two parsers find nothing wrong with the playlists of a directory, and see in them what is there.
//
//   node playlists.mjs DIR...
//
// hls-parser in its strict mode refuses what RFC 8216 forbids; m3u8-parser collects warnings. Prints a line a directory;
// exits 1 where one fails.

import { strict as assert } from "node:assert";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import hls from "hls-parser";
import m3u8 from "m3u8-parser";

hls.setOptions({ strictMode: true });

/** A playlist as the two read it. */
function parse(dir, uri) {
  const text = readFileSync(join(dir, uri), "utf8");
  const strict = hls.parse(text);
  const parser = new m3u8.Parser();
  const said = [];
  for (const level of ["warn", "error"]) parser.on(level, ({ message }) => said.push(`${level}: ${message}`));
  parser.push(text);
  parser.end();
  assert.deepEqual(said, [], uri);
  // What hls-parser writes of what it has read is read in the same way.
  assert.deepEqual(withoutSource(hls.parse(hls.stringify(strict))), withoutSource(strict), uri);
  return { strict, loose: parser.manifest };
}

/** Without the text that it was read from. */
const withoutSource = (playlist) => JSON.parse(JSON.stringify({ ...playlist, source: undefined }));

/** One media playlist; its target duration. */
function media(dir, uri) {
  const { strict, loose } = parse(dir, uri);
  assert.ok(!strict.isMasterPlaylist && strict.endlist && loose.endList, uri);
  assert.equal(strict.playlistType, "VOD", uri);
  assert.equal(strict.segments.length, loose.segments.length, uri);
  assert.ok(strict.segments.length > 0, uri);
  for (const [at, segment] of strict.segments.entries()) {
    const other = loose.segments[at];
    assert.equal(segment.uri, other.uri, uri);
    assert.equal(segment.duration, other.duration, uri);
    assert.equal(segment.byterange?.length, other.byterange?.length, uri);
    assert.equal(segment.byterange?.offset, other.byterange?.offset, uri);
    assert.equal(segment.map?.uri, other.map?.uri, uri);
  }
  return strict.targetDuration;
}

function check(dir) {
  const { strict, loose } = parse(dir, "master.m3u8");
  assert.ok(strict.isMasterPlaylist && strict.independentSegments && loose.independentSegments);
  assert.equal(strict.variants.length, loose.playlists.length);
  const targets = new Set();
  for (const [at, variant] of strict.variants.entries()) {
    const { uri, attributes } = loose.playlists[at];
    assert.equal(variant.uri, uri);
    assert.equal(variant.bandwidth, attributes.BANDWIDTH);
    assert.equal(variant.codecs, attributes.CODECS);
    assert.equal(variant.frameRate, attributes["FRAME-RATE"]);
    assert.equal(variant.resolution?.height, attributes.RESOLUTION?.height);
    assert.ok(variant.averageBandwidth > 0 && variant.averageBandwidth <= variant.bandwidth, uri);
    targets.add(media(dir, variant.uri));
    for (const { uri: audio } of variant.audio) targets.add(media(dir, audio));
  }
  assert.equal(targets.size, 1, "one target duration");
}

for (const dir of process.argv.slice(2)) {
  try {
    check(dir);
    console.log(`ok: ${dir}`);
  } catch (error) {
    process.exitCode = 1;
    console.log(`NOT OK: ${dir}\n${error.stack}`);
  }
}
