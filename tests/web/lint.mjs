// /openapi.json under a linter that is not ours.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

const here = import.meta.dirname ?? new URL(".", import.meta.url).pathname;
const answer = await fetch(`${process.env.FLEXCORE_URL}/openapi.json`);
assert.equal(answer.status, 200);
const document = await answer.json();
const text = JSON.stringify(document, null, 1);
const file = join(process.env.FLEXCORE_FOLDER, "openapi.json");
writeFileSync(file, text);

for (const [kind, all] of Object.entries(document.components))
  for (const name of Object.keys(all)) assert.ok(text.includes(`"#/components/${kind}/${name}"`), `${kind}/${name} is used`);
for (const [path, operations] of Object.entries(document.paths))
  for (const [method, { responses }] of Object.entries(operations))
    assert.ok(Object.keys(responses).some((status) => /^(101|2..|303)$/.test(status)), `${method} ${path} succeeds`);

const lint = spawnSync(join(here, "node_modules/.bin/redocly"), ["lint", "--config", join(here, "redocly.yaml"), "--max-problems", "20", file], {
  encoding: "utf-8",
  env: { ...process.env, REDOCLY_TELEMETRY: "off", REDOCLY_SUPPRESS_UPDATE_NOTICE: "true", CI: "true" },
});
console.log(lint.stdout + lint.stderr);
assert.equal(lint.status, 0);
