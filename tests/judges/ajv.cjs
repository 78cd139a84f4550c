// FOLDER with node_modules, then schemas -> what ajv's strict mode finds in them, a line each.
const [folder, ...files] = process.argv.slice(2);
const load = require("node:module").createRequire(`${folder}/package.json`);
const Ajv = load("ajv/dist/2020").default;

const ajv = new Ajv({strict: true, strictTypes: true, allowUnionTypes: true, strictTuples: true, logger: false});
load("ajv-formats")(ajv);
// What SchemaStore lists as `unknownKeywords`: the first is the YAML language server's, the others ours.
for (const word of ["doNotSuggest", "x-open", "x-pattern", "x-since", "x-source", "x-unit"]) ajv.addKeyword(word);
for (const file of files) {
  try {
    ajv.compile(load(file));
  } catch (error) {
    console.log(`${file}: ${error.message}`);
  }
}
