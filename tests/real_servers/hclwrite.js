// Formats a Terraform file from standard input to standard output, with HashiCorp's own formatter. The argument is the
// directory with `node_modules`.
const { createRequire } = require("node:module");
const { format } = createRequire(process.argv[2] + "/")("@cdktf/hcl-tools");

let text = "";
process.stdin.setEncoding("utf8");
process.stdin.on("data", (part) => (text += part));
process.stdin.on("end", async () => {
  const formatted = await format(text);
  // The WebAssembly runtime of the formatter would keep the process alive.
  process.stdout.write(formatted, () => process.exit(0));
});
