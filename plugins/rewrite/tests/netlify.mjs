// What Netlify's own parser and matcher make of `_redirects` files. Standard input is JSON: a list of `{ text, paths }`.
// Standard output is a list of the same length: for each path, which may have a query, the rule that matches, or null.
//
// Netlify compares decoded paths with rules as they are written, so an encoded rule never matches; here, both are decoded.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

const require = createRequire(process.argv[2] + "/");
const { parseAllRedirects } = await import(require.resolve("@netlify/redirect-parser"));
const redirector = require("netlify-redirector");

const request = ([path, query = ""]) => ({
  scheme: "https",
  host: "site.example",
  path,
  query,
  headers: { "x-language": "en", "x-country": "us" },
  cookieValues: {},
  getHeader: (name) => ({ "x-language": "en", "x-country": "us" })[name.toLowerCase()] ?? "",
  getCookie: () => "",
});

const directory = mkdtempSync(join(tmpdir(), "redirects-"));
const answers = [];
for (const { text, paths } of JSON.parse(readFileSync(0, "utf8"))) {
  const file = join(directory, "_redirects");
  writeFileSync(file, text);
  const { redirects } = await parseAllRedirects({ redirectsFiles: [file], minimal: false });
  const rules = redirects.map(({ from, path, query, ...rule }) => ({
    ...rule,
    origin: decodeURIComponent(from),
    path: decodeURIComponent(path),
    params: query,
  }));
  const matcher = rules.length > 0 ? await redirector.parseJSON(JSON.stringify(rules), {}) : { match: () => null };
  answers.push(
    paths.map((path) => {
      const rule = matcher.match(request(path.split("?")));
      return rule ? { from: rule.from, to: rule.to, status: rule.status ?? 301, force: rule.force === true } : null;
    }),
  );
}
rmSync(directory, { recursive: true });
process.stdout.write(JSON.stringify(answers), () => process.exit(0));
