// Builds our copy of hls.js from the sources in its package on npm, and writes it to stdout.
//
// Its full build is 190 kB gzipped, and its light one plays no sound that renditions share, as ours do. This one has that, and
// nothing that we have no use for. The same file runs in the page and as its worker: the worker of the builds on npm is a blob:,
// which the page's security policy does not allow.

import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const { version } = JSON.parse(readFileSync(`${here}/node_modules/hls.js/package.json`, "utf8"));
const parts = {
  ALT_AUDIO: true,
  CMCD: false,
  CONTENT_STEERING: false,
  EME_DRM: false,
  IFRAMES: false,
  INTERSTITIALS: false,
  M2TS_ADVANCED_CODECS: false,
  MEDIA_CAPABILITIES: false,
  SUBTITLES: false,
  VARIABLE_SUBSTITUTION: false,
};
/** What no recording of ours needs: live streams, encryption, MP3, cues. */
const absent = {
  "controller/fps-controller": "export default undefined;",
  "controller/id3-track-controller": "export default undefined;",
  "controller/latency-controller": "export default undefined;",
  "crypt/decrypter": "export default class { destroy() {} }",
  "demux/audio/ac3-demuxer": "export class AC3Demuxer { static probe() { return false; } }",
  "demux/audio/mp3demuxer": "export default class { static probe() { return false; } }",
  "demux/sample-aes": "export default class {}",
  "utils/fetch-loader": "export default class {}; export const fetchSupported = () => false;",
};
const leaveOut = {
  name: "leave out",
  setup({ onLoad }) {
    onLoad({ filter: /hls\.js\/src\/.*\.ts$/ }, ({ path }) => {
      const part = path.split("/hls.js/src/")[1].replace(/\.ts$/, "");
      return part in absent ? { contents: absent[part] } : undefined;
    });
  },
};
const { outputFiles: [file] } = await build({
  stdin: {
    contents: 'import Hls from "./node_modules/hls.js/src/hls.ts"; if (typeof window !== "undefined") window.Hls = Hls;',
    resolveDir: here,
  },
  absWorkingDir: here,
  banner: { js: `/* hls.js ${version}, Apache-2.0: see hls-${version}.txt */var IN_WORKER=typeof window==="undefined";` },
  define: {
    ...Object.fromEntries(Object.entries(parts).map(([part, is]) => [`__USE_${part}__`, String(is)])),
    __VERSION__: JSON.stringify(version),
    __HLS_WORKER_BUNDLE__: "undefined",
    __IN_WORKER__: "IN_WORKER",
  },
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2022",
  legalComments: "none",
  plugins: [leaveOut],
  write: false,
});
process.stdout.write(file.contents);
