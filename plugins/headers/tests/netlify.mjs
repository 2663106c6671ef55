// What Netlify's own parser makes of `_headers` files. Standard input is JSON: a list of `{ text, keys, paths }`. Standard
// output is a list of the same length: for each key the headers that S3 stores, for each block whether it matches a key, and
// for each path of a request all headers.
//
// The parser's regular expressions have two mistakes that Netlify's documentation does not have: `/a/*` also matches
// `/ab`, and `.` beside a `*` matches any character. So a strict expression decides, and must otherwise agree with the
// parser's.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

const { parseAllHeaders } = await import(createRequire(process.argv[2] + "/").resolve("@netlify/headers-parser"));

const STORED = /^(cache-control|content-(disposition|encoding|language|type)|expires|x-amz-meta-.+)$/;
const LIST = /^(cache-control|x-amz-meta-.+)$/;

const escaped = (text) => text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
const decoded = (text) => escaped(decodeURIComponent(text));

const strictExpression = (path) => {
  const segments = path.split("/").map((segment) => segment.trimEnd()).filter(Boolean);
  const part = (segment) => {
    if (segment.startsWith(":")) return "/[^/]+";
    if (segment === "*") return "(?:/.*)?";
    return "/" + segment.split("*").map(decoded).join(".*");
  };
  return new RegExp(`^${segments.map(part).join("")}/?$`, "iu");
};

const matches = (block, path) => {
  const strict = block.strict.test(path);
  const own = block.forRegExp.test(path) || block.forRegExp.test(encodeURI(path));
  if (own !== strict && !(own && block.for.includes("*"))) {
    throw new Error(`${block.for} and ${path}: the parser says ${own}`);
  }
  return strict;
};

// The paths of an object: of the file, and of the page that it shows.
const paths = (key, block) => {
  const index = key.match(/^(.*\/|)index\.html$/);
  const page = index ? [`/${index[1]}`] : key.endsWith(".html") ? [`/${key.slice(0, -5)}`] : [];
  const last = block.for.split("/").filter(Boolean).at(-1);
  return index && last?.startsWith(":") ? page : [`/${key}`, ...page];
};

const directory = mkdtempSync(join(tmpdir(), "headers-"));
const answers = [];
for (const { text, keys = [], paths: requests = [] } of JSON.parse(readFileSync(0, "utf8"))) {
  const file = join(directory, "_headers");
  writeFileSync(file, text);
  const { headers: blocks } = await parseAllHeaders({ headersFiles: [file], minimal: false });
  for (const block of blocks) block.strict = strictExpression(block.for);
  const reached = (block, key) => paths(key, block).some((path) => matches(block, path));
  const objects = keys.map((key) => {
    const headers = {};
    for (const block of blocks.filter((block) => reached(block, key))) {
      for (const [name, value] of Object.entries(block.values)) {
        const stored = name.toLowerCase();
        // Values of a header that is not a list come without commas.
        if (STORED.test(stored)) headers[stored] = LIST.test(stored) ? value : value.split(", ").at(-1);
      }
    }
    return headers;
  });
  const met = {};
  for (const block of blocks) met[block.for] = keys.some((key) => reached(block, key));
  const all = requests.map((path) => {
    const headers = {};
    for (const block of blocks.filter((block) => matches(block, path))) {
      for (const [name, value] of Object.entries(block.values)) headers[name.toLowerCase()] = value;
    }
    return headers;
  });
  answers.push({ objects, met, requests: all });
}
rmSync(directory, { recursive: true });
process.stdout.write(JSON.stringify(answers));
