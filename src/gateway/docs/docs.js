// The page: navigation on the left, one operation or schema on the right, chosen by the address behind #.
import { el, pretty } from "./dom.js";
import { Schemas } from "./schema.js";
import { details, tryForm } from "./try.js";

const METHODS = ["get", "put", "post", "delete", "patch"];
const main = document.getElementById("main");
const nav = document.getElementById("nav");
const search = document.getElementById("search");

let api = null;

function read(document) {
  const operations = [];
  for (const [path, item] of Object.entries(document.paths)) {
    for (const method of METHODS) {
      if (!item[method]) continue;
      operations.push({ ...item[method], path, method: method.toUpperCase(), parameters: item[method].parameters ?? [],
        socket: "101" in item[method].responses });
    }
  }
  const tags = (document.tags ?? []).map((tag) => ({ ...tag, operations: operations.filter((one) => one.tags?.[0] === tag.name) }));
  return { document, operations, tags, schemas: new Schemas(document) };
}

function badge(operation) {
  return el(`span.method.${operation.method.toLowerCase()}`, null, operation.method);
}

function showNav() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (text) => words.every((word) => text.toLowerCase().includes(word));
  const link = (hash, ...children) =>
    el("li", null, el("a", { href: hash, "aria-current": location.hash === hash ? "page" : undefined }, ...children));
  const groups = [];
  for (const tag of api.tags) {
    const found = tag.operations.filter((one) => fits(`${one.method} ${one.path} ${one.operationId} ${one.summary}`));
    if (found.length)
      groups.push(el("h2", null, tag.name), el("ul", null, found.map((one) => link(`#/operation/${one.operationId}`, badge(one), one.summary))));
  }
  const names = Object.keys(api.schemas.all).filter(fits).sort();
  if (names.length) groups.push(el("h2", null, "schemas"), el("ul", null, names.map((name) => link(`#/schema/${name}`, name))));
  nav.replaceChildren(...(groups.length ? groups : [el("p.none", null, "Nothing of that name.")]));
}

function start() {
  const { info } = api.document;
  return [
    el("h1", null, `${info.title} API`),
    el("p.lead", null, info.description),
    el("p.note", null, `Version ${info.version}. Press / to search, then Tab and Enter to choose. `,
      "Every operation can be tried against this server."),
    api.tags.filter((tag) => tag.operations.length).map((tag) => [
      el("h2", null, tag.name), el("p.lead", null, tag.description),
      el("div.scroll", null, el("table.operations", null, el("tbody", null, tag.operations.map((one) => el("tr", null,
        el("td", null, badge(one)),
        el("td", null, el("a.value", { href: `#/operation/${one.operationId}` }, one.path)),
        el("td", null, one.summary))))))]),
  ];
}

function showOperation(operation) {
  const { schemas } = api;
  const answers = Object.entries(operation.responses);
  const rows = operation.parameters.map((one) => el("tr", null,
    el("td", null, el("code", null, one.name), one.required ? [" ", el("span.must", null, "required")] : null),
    el("td.type", null, one.in),
    el("td.type", null, schemas.type(one.schema), " ", schemas.bounds(one.schema)),
    el("td", null, one.description)));
  return [
    el("h1", null, operation.summary),
    el("p.path", null, badge(operation), operation.path),
    operation.description ? el("p", null, operation.description) : null,
    el("h2", null, "Try it"),
    tryForm(operation, schemas),
    rows.length ? [el("h2", null, "Parameters"), el("div.scroll", null, el("table", null,
      el("thead", null, el("tr", null, ["Name", "In", "Type", "What it does"].map((text) => el("th", { scope: "col" }, text)))),
      el("tbody", null, rows)))] : null,
    operation.requestBody ? [el("h2", null, "Request body"), contents(operation.requestBody.content)] : null,
    el("h2", null, "Answers"),
    answers.filter(([, one]) => !one.$ref).map(([status, one]) => showAnswer(status, one)),
    details("Errors any operation may answer", answers.filter(([, one]) => one.$ref).map(([status, one]) => showAnswer(status, component(one)))),
  ];
}

function contents(content) {
  const { schemas } = api;
  return Object.entries(content).map(([media, { schema, example, "x-line-schema": line }]) => [
    el("p", null, el("code", null, media), " ", el("span.type", null, line ? ["lines of ", schemas.type(line)] : schemas.type(schema))),
    schemas.view(line ?? schema),
    media.includes("json") ? details("Example", el("pre", null, line ? JSON.stringify(schemas.example(line)) : pretty(example ?? schemas.example(schema)))) : null,
  ]);
}

function showAnswer(status, answer) {
  const headers = Object.entries(answer.headers ?? {}).map(([name, one]) => [name, component(one)]);
  const kind = status < 400 ? "good" : "bad";
  return el("details", { open: status < 300 },
    el("summary", null, el(`span.status.${kind}`, null, status), " ", answer.description),
    answer.content ? contents(answer.content) : null,
    headers.length ? el("ul.members", null, headers.map(([name, one]) => el("li", null, el("code", null, name), " ",
      el("span.note", null, one.description ?? ""), one.required ? el("span.must", null, " always") : null))) : null);
}

/** What stands behind a reference to a header or an answer. */
function component(one) {
  const [, , kind, name] = one.$ref?.split("/") ?? [];
  return name ? api.document.components[kind][name] : one;
}

function showSchema(name) {
  const { schemas } = api;
  const ref = { $ref: `#/components/schemas/${name}` };
  const schema = schemas.all[name];
  return [
    el("h1", null, name),
    schema.description ? el("p.lead", null, schema.description) : null,
    schemas.view(ref) ?? el("p.type", null, schemas.type(schema), " ", schemas.bounds(schema)),
    el("h2", null, "Example"),
    el("pre", null, pretty(schemas.example(ref))),
    details("JSON Schema", el("pre", null, pretty(schema))),
  ];
}

function show(focus) {
  const [, kind, name] = decodeURIComponent(location.hash).split("/");
  const operation = kind === "operation" && api.operations.find((one) => one.operationId === name);
  const found = operation ? showOperation(operation) : kind === "schema" && api.schemas.all[name] ? showSchema(name) : start();
  main.replaceChildren(...found.flat(Infinity).filter(Boolean));
  document.title = `${main.querySelector("h1").textContent} – FlexCore API`;
  showNav();
  nav.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" });
  if (focus) {
    window.scrollTo(0, 0);
    main.focus({ preventScroll: true });
  }
}

// The system's colours, light, dark, in turn; remembered by this browser.
const THEMES = { system: "◐", light: "☀", dark: "☾" };
function setTheme(name) {
  if (name === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  const button = document.getElementById("theme");
  button.textContent = THEMES[name];
  button.setAttribute("aria-label", `Colours: ${name === "system" ? "as the system" : name}`);
  button.onclick = () => {
    const names = Object.keys(THEMES);
    const next = names[(names.indexOf(name) + 1) % names.length];
    localStorage.setItem("theme", next);
    setTheme(next);
  };
}
setTheme(localStorage.getItem("theme") in THEMES ? localStorage.getItem("theme") : "system");

search.addEventListener("input", () => api && showNav());
search.addEventListener("keydown", (event) => {
  if (event.key === "Enter") {
    const first = nav.querySelector("a");
    search.value = "";
    first?.click();
  }
  if (event.key === "Escape") { search.value = ""; if (api) showNav(); }
});
document.addEventListener("keydown", (event) => {
  const typing = ["INPUT", "TEXTAREA", "SELECT"].includes(document.activeElement?.tagName);
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    search.focus();
    search.select();
  }
});
// A link to a place on the page itself ("Skip to content") is not one of ours.
window.addEventListener("hashchange", () => {
  if (api && (location.hash === "" || location.hash.startsWith("#/"))) show(true);
});

try {
  const answer = await fetch("openapi.json");
  if (!answer.ok) throw new Error(`openapi.json answers ${answer.status}`);
  api = read(await answer.json());
  document.getElementById("version").textContent = api.document.info.version;
  show(false);
} catch (error) {
  main.replaceChildren(el("h1", null, "The description could not be read"), el("p.status.bad", { role: "alert" }, error.message));
}
