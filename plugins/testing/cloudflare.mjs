// What Cloudflare's own parser and asset server make of `_redirects` and `_headers` files. Standard input is JSON: a list of
// `{ redirects, headers, keys, paths }`. Standard output is a list of the same length: for each path
// `{ status, location, line, headers, asked }`, with the line of `_redirects` that decides, the headers that `_headers` changes,
// and the path of the object that is asked for first.
//
// The asset server is a package with exports. The parser is only inside of the bundle of `wrangler`, so its modules are cut
// out of it.

import { readFileSync } from "node:fs";
import { join } from "node:path";

const packages = process.argv[2];
const load = (source) => import(`data:text/javascript;base64,${Buffer.from(source).toString("base64")}`);
const shared = (path) => load(readFileSync(join(packages, "pages-shared/package/dist", path)));

const bundle = readFileSync(join(packages, "wrangler/package/wrangler-dist/cli.js"), "utf8");
const modules = ["constants", "validateURL", "parseHeaders", "parseRedirects"].map((name) => {
  const start = bundle.indexOf(`// ../workers-shared/utils/configuration/${name}.ts`);
  const end = bundle.indexOf("\n// ../", start + 1);
  if (start < 0 || end < 0) throw new Error(`wrangler's bundle has no ${name}.ts`);
  return bundle.slice(start, end);
});
// esbuild's helpers: a module runs when it is first used.
const helpers = `
const __name = (value) => value;
const all = [];
const __esm = (files) => { all.push(() => Object.values(files)[0]()); return () => {}; };
const init_import_meta_url = () => {};
`;
const { parseRedirects, parseHeaders } = await load(
  `${helpers}${modules.join("\n")}\nall.forEach((run) => run());\nexport { parseHeaders, parseRedirects };`,
);
const { createMetadataObject } = await shared("metadata-generator/createMetadataObject.js");
const { generateHandler } = await shared("asset-server/handler.js");

const answer = (metadata, keys, path, asked = []) =>
  generateHandler({
    request: new Request(`https://site.example${path}`),
    metadata,
    logError: (error) => {
      throw error;
    },
    findAssetEntryForPath: async (path) => {
      asked.push(path);
      return keys.has(path) ? path : null;
    },
    getAssetKey: (path) => path,
    negotiateContent: () => ({ encoding: null }),
    fetchAsset: async () => ({ body: null, contentType: "base/type" }),
    generateNotFoundResponse: async () => new Response(null, { status: 404 }),
  }).catch((error) => {
    // A target that is no URL, such as `//1.0` of `/:splat/1.0`.
    if (error.code === "ERR_INVALID_URL") return new Response(null, { status: 500 });
    throw error;
  });

const answers = [];
for (const { redirects = "", headers = "", keys, paths } of JSON.parse(readFileSync(0, "utf8"))) {
  const objects = new Set(keys.map((key) => `/${key}`));
  const parsed = parseRedirects(redirects);
  const metadata = createMetadataObject({ redirects: parsed, headers: parseHeaders(headers) });
  const plain = createMetadataObject({ redirects: parsed });
  const single = (rule) => createMetadataObject({ redirects: { rules: [rule], invalid: [] } });
  const rules = parsed.rules.map((rule) => ({ line: rule.lineNumber, metadata: single(rule) }));
  const answersOfPaths = [];
  for (const path of paths) {
    const asked = [];
    const response = await answer(metadata, objects, path, asked);
    const location = response.headers.get("location");
    let line = null;
    // The first rule that alone has the same answer, on a site without pages, whose clean addresses redirect, too.
    for (const rule of location === null ? [] : rules) {
      const alone = await answer(rule.metadata, new Set(), path);
      if (alone.status === response.status && alone.headers.get("location") === location) {
        line = rule.line;
        break;
      }
    }
    const changed = {};
    if (headers !== "") {
      const before = (await answer(plain, objects, path)).headers;
      for (const [name, value] of response.headers) if (before.get(name) !== value) changed[name] = value;
    }
    answersOfPaths.push({ status: response.status, location, line, headers: changed, asked: asked[0] ?? null });
  }
  answers.push(answersOfPaths);
}
process.stdout.write(JSON.stringify(answers), () => process.exit(0));
