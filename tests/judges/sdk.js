// Calls of the official JavaScript SDK, as JSON on stdin -> what came of each, as JSON on stdout.
// argv: the folder that has node_modules, and the base URL. A call is {resource, method, args}; the first one logs in.
const path = require("node:path");
const sdk = require(path.join(process.argv[2], "node_modules", "ordercloud-javascript-sdk"));

async function made({ resource, method, args }) {
  try {
    const value = await sdk[resource][method](...args);
    if (value && value.access_token) sdk.Tokens.SetAccessToken(value.access_token);
    return { value };
  } catch (error) {
    return { error: error.name, status: error.status, code: error.errorCode, message: error.message };
  }
}

async function main() {
  sdk.Configuration.Set({ baseApiUrl: process.argv[3], apiVersion: "v1", timeoutInMilliseconds: 10000 });
  const calls = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
  const results = [];
  for (const call of calls) results.push(await made(call));
  console.log(JSON.stringify(results));
}

main();
