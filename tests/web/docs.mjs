// The page /docs in a browser: an operation is found and tried, by keyboard alone; nothing is loaded from elsewhere.
import assert from "node:assert/strict";
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";

const url = process.env.FLEXCORE_URL;
const profile = mkdtempSync(join(process.env.FLEXCORE_FOLDER, "chromium-"));
const browser = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  headless: true,
  viewport: { width: 1280, height: 900 },
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"],
});
try {
  const page = browser.pages()[0] ?? await browser.newPage();
  page.setDefaultTimeout(20_000);
  const said = [];
  page.on("console", (message) => { if (["error", "warning"].includes(message.type())) said.push(message.text()); });
  page.on("pageerror", (error) => said.push(String(error)));
  page.on("request", (request) => assert.ok(request.url().startsWith(url), `asks ${request.url()}`));

  const opened = await page.goto(`${url}/docs`);
  assert.equal(opened.status(), 200);
  const policy = opened.headers()["content-security-policy"];
  assert.match(policy, /default-src 'none'/);
  assert.doesNotMatch(policy, /unsafe/);
  await page.getByRole("heading", { level: 1, name: "FlexCore API" }).waitFor();

  // Every operation and schema of the document is on the page.
  const api = await (await fetch(`${url}/openapi.json`)).json();
  const operations = Object.values(api.paths).flatMap((path) => Object.values(path));
  for (const operation of operations)
    assert.equal(await page.locator(`nav a[href="#/operation/${operation.operationId}"]`).count(), 1, operation.operationId);
  assert.equal(await page.locator('nav a[href^="#/schema/"]').count(), Object.keys(api.components.schemas).length);
  if (process.env.SCREENSHOTS) await page.screenshot({ path: join(process.env.SCREENSHOTS, "docs-start.png") });

  // By keyboard: search, choose, fill in, send.
  await page.keyboard.press("/");
  await page.keyboard.type("append events to a stream");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "Append events to a stream" }).waitFor();
  const stream = page.getByLabel("stream path required");
  for (let steps = 0; !(await stream.evaluate((input) => input === document.activeElement)); ++steps) {
    assert.ok(steps < 10, "Tab leads to the first field");
    await page.keyboard.press("Tab");
  }
  await page.keyboard.type("docs-1");
  const send = page.getByRole("button", { name: "Send" });
  for (let steps = 0; !(await send.evaluate((button) => button === document.activeElement)); ++steps) {
    assert.ok(steps < 10, "Tab leads to Send");
    await page.keyboard.press("Tab");
  }
  await page.keyboard.press("Enter");
  await page.locator("#try-status", { hasText: "201" }).waitFor();
  const answer = JSON.parse(await page.locator("#try-answer").textContent());
  assert.equal(answer.stream, "docs-1");
  assert.equal((await (await fetch(`${url}/v1/streams/docs-1/events`)).json()).items.length, answer.events.length);
  if (process.env.SCREENSHOTS) await page.screenshot({ path: join(process.env.SCREENSHOTS, "docs-tried.png"), fullPage: true });

  // A refusal is shown as one, with what is wrong.
  await page.getByLabel("Body", { exact: true }).fill('{"events":[]}');
  await send.click();
  await page.locator("#try-status.bad", { hasText: "400" }).waitFor();
  assert.match(await page.locator("#try-answer").textContent(), /\/events/);

  // An answer without end is shown as it comes, and can be stopped.
  await page.goto(`${url}/docs#/operation/followLog`);
  await page.getByLabel("after query").fill("0");
  await page.getByRole("button", { name: "Send" }).click();
  await page.locator("#try-answer", { hasText: "caught_up" }).waitFor();
  await page.getByRole("button", { name: "Stop" }).click();
  await page.getByRole("button", { name: "Send" }).waitFor();

  // A WebSocket from the server's own page.
  await page.goto(`${url}/docs#/operation/openEventSocket`);
  await page.getByLabel("after query").fill("0");
  await page.getByRole("button", { name: "Open socket" }).click();
  await page.getByRole("button", { name: "10 events more" }).click();
  await page.locator("#try-answer", { hasText: "shop.opened" }).waitFor();
  await page.getByRole("button", { name: "Stop" }).click();
  await page.locator("#try-status", { hasText: "Closed: 1000" }).waitFor();

  // Schemas; colours by choice and by system.
  await page.locator('nav a[href="#/schema/Event"]').click();
  await page.getByRole("heading", { level: 1, name: "Event" }).waitFor();
  assert.match(await page.locator("main").textContent(), /recorded_at/);
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  await page.emulateMedia({ colorScheme: "light" });
  const light = await ground();
  await page.emulateMedia({ colorScheme: "dark" });
  const dark = await ground();
  assert.notEqual(light, dark);
  if (process.env.SCREENSHOTS) await page.screenshot({ path: join(process.env.SCREENSHOTS, "docs-dark.png") });
  await page.getByRole("button", { name: /^Colours/ }).click();
  assert.equal(await ground(), light);
  await page.reload();
  assert.equal(await ground(), light);

  // A search that finds nothing says so; a narrow screen has no sideways scrolling.
  await page.getByRole("searchbox").fill("no such thing");
  await page.getByText("Nothing of that name.").waitFor();
  await page.setViewportSize({ width: 420, height: 800 });
  for (const operation of ["appendToStream", "listRows"]) {
    await page.goto(`${url}/docs#/operation/${operation}`);
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${operation} fits a narrow screen`);
  }
  if (process.env.SCREENSHOTS) await page.screenshot({ path: join(process.env.SCREENSHOTS, "docs-narrow.png") });
  assert.deepEqual(said.filter((text) => !text.includes("400 (Bad Request)")), []);
  console.log("ok");
} finally {
  await browser.close();
}
