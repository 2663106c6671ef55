// Formats a file of Terraform's language as `terraform fmt` does, by HashiCorp's own formatter: from standard input to standard
// output. The directory with `node_modules` is the first argument.
const { createRequire } = require("node:module");
const { format } = createRequire(process.argv[2] + "/")("@cdktf/hcl-tools");

let text = "";
process.stdin.setEncoding("utf8");
process.stdin.on("data", (part) => (text += part));
process.stdin.on("end", async () => {
  const formatted = await format(text);
  // The formatter's runtime keeps the process alive.
  process.stdout.write(formatted, () => process.exit(0));
});
