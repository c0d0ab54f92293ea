// "Try it": a form for one operation, sent with fetch to the server this page came from.
import { el, pretty } from "./dom.js";

const SHOWN_MAX = 256 * 1024;
const HIDDEN_HEADERS = new Set(["X-Request-Id", "traceparent", "tracestate"]);

export function tryForm(operation, schemas) {
  const parameters = operation.parameters.filter((one) => one.in !== "header" || !HIDDEN_HEADERS.has(one.name));
  const inputs = parameters.map((one) => ({ one, input: field(one, schemas) }));
  const media = Object.keys(operation.requestBody?.content ?? {});
  const type = media.length > 1 ? el("select", { id: "try-type" }, media.map((one) => el("option", null, one))) : null;
  const body = media.length ? el("textarea", { id: "try-body", spellcheck: "false" }) : null;
  const fill = () => { body.value = exampleBody(operation, type?.value ?? media[0], schemas); };
  if (body) fill();
  type?.addEventListener("change", fill);

  const out = el("output", { "aria-live": "polite" });
  const send = el("button.first", { type: "submit" }, operation.socket ? "Open socket" : "Send");
  const stop = el("button", { type: "button", disabled: true }, "Stop");
  let running = null;
  stop.addEventListener("click", () => running?.abort());

  const form = el("form.try", { "aria-label": `Try ${operation.operationId}`, novalidate: true },
    inputs.map(({ one, input }) => el("div.field", null,
      el("label", { for: input.id }, one.name, " ", el("span.type", null, one.in),
        one.required ? el("span.must", null, " required") : null), input)),
    type ? el("div.field", null, el("label", { for: "try-type" }, "Content-Type"), type) : null,
    body ? el("div.field.wide", null, el("label", { for: "try-body" }, "Body"), body) : null,
    el("div.actions", null, send, stop), out);

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const asked = request(operation, inputs, type?.value ?? media[0], body?.value);
    running = new AbortController();
    send.disabled = true;
    stop.disabled = false;
    try {
      if (operation.socket) await openSocket(asked, out, running.signal);
      else await ask(asked, out, running.signal);
    } catch (error) {
      if (error.name !== "AbortError") out.append(el("p.status.bad", { role: "alert" }, `No answer: ${error.message}`));
    } finally {
      send.disabled = false;
      stop.disabled = true;
    }
  });
  return form;
}

function field(one, schemas) {
  const id = `try-${one.in}-${one.name}`;
  const { schema } = schemas.resolve(one.schema);
  const hint = one.description ? { title: one.description, "aria-description": one.description } : {};
  if (schema.enum) return el("select", { id, ...hint }, el("option", { value: "" }, "–"), schema.enum.map((v) => el("option", null, v)));
  if (one.name === "params" || one.name === "where")
    return el("input", { id, ...hint, placeholder: one.name === "params" ? "id=1001&…" : "where[country]=France&…" });
  const bounds = schema.minimum !== undefined && schema.maximum !== undefined ? `${schema.minimum} to ${schema.maximum}` : "";
  return el("input", { id, ...hint, placeholder: bounds || schema.format || undefined, required: one.required });
}

function exampleBody(operation, media, schemas) {
  const given = operation.requestBody.content[media];
  if (media === "application/x-ndjson") return `${JSON.stringify(schemas.example(given["x-line-schema"] ?? {}))}\n`;
  if (media !== "application/json") return "";
  return pretty(given.example ?? schemas.example(given.schema));
}

/** What is sent, and the same for a shell. */
function request(operation, inputs, media, body) {
  let path = operation.path;
  const query = [];
  const headers = {};
  for (const { one, input } of inputs) {
    const value = input.value;
    if (one.in === "path") path = path.replace(`{${one.name}}`, encodeURIComponent(value));
    else if (value === "") continue;
    else if (one.in === "header") headers[one.name] = value;
    else if (one.name === "params" || one.name === "where") query.push(value);
    else query.push(`${encodeURIComponent(one.name)}=${encodeURIComponent(value)}`);
  }
  if (body !== undefined && body !== "") headers["Content-Type"] = media;
  const base = new URL(".", document.baseURI).href.replace(/\/$/, "");
  const url = base + path + (query.length ? `?${query.join("&")}` : "");
  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const curl = [`curl -X ${operation.method} ${quoted(url)}`,
    ...Object.entries(headers).map(([name, value]) => `-H ${quoted(`${name}: ${value}`)}`),
    ...(body ? [`--data-binary ${quoted(body)}`] : [])].join(" \\\n  ");
  return { url, method: operation.method, headers, body: body || undefined, curl };
}

async function ask(asked, out, signal) {
  out.replaceChildren(el("p.note", null, "Waiting for the answer…"));
  const begun = performance.now();
  const answer = await fetch(asked.url, { method: asked.method, headers: asked.headers, body: asked.body, signal, cache: "no-store" });
  const took = `${(performance.now() - begun).toFixed(1)} ms`;
  const text = el("code");
  const good = answer.ok || answer.status === 304;
  out.replaceChildren(
    el("div.result-head", null, el(good ? "span.status.good" : "span.status.bad", { id: "try-status" }, `${answer.status} ${answer.statusText}`),
      el("span.note", null, took)),
    details("Headers", el("pre", null, [...answer.headers].map(([name, value]) => `${name}: ${value}`).join("\n"))),
    el("pre", { id: "try-answer", tabindex: "0", "aria-label": "Body of the answer" }, text),
    details("As a shell command", el("pre", null, asked.curl)));
  await show(answer, text);
}

/** As it comes, since some answers never end. */
async function show(answer, into) {
  const reader = answer.body?.getReader();
  if (!reader) return;
  const decoder = new TextDecoder();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    text += decoder.decode(value ?? new Uint8Array(), { stream: !done });
    if (text.length > SHOWN_MAX) {
      await reader.cancel();
      into.textContent = `${text.slice(0, SHOWN_MAX)}\n… (cut here)`;
      return;
    }
    if (done) break;
    into.textContent = text;
  }
  const json = (answer.headers.get("content-type") ?? "").includes("json") && !(answer.headers.get("content-type") ?? "").includes("ndjson");
  into.textContent = json ? formatted(text) : text;
}

/** Numbers stay as they were written: the text is indented, not parsed and printed again. */
export function formatted(text) {
  let out = "";
  let depth = 0;
  let inString = false;
  const line = () => `\n${"  ".repeat(depth)}`;
  for (let i = 0; i < text.length; ++i) {
    const c = text[i];
    if (inString) {
      out += c;
      if (c === "\\") out += text[++i] ?? "";
      else if (c === '"') inString = false;
    } else if (c === '"') {
      inString = true;
      out += c;
    } else if (c === "{" || c === "[") {
      const close = c === "{" ? "}" : "]";
      const rest = /^\s*/.exec(text.slice(i + 1, i + 64))[0].length;
      if (text[i + 1 + rest] === close) {
        out += c + close;
        i += 1 + rest;
      } else {
        ++depth;
        out += c + line();
      }
    } else if (c === "}" || c === "]") {
      --depth;
      out += line() + c;
    } else if (c === ",") {
      out += c + line();
    } else if (c === ":") {
      out += ": ";
    } else if (!/\s/.test(c)) {
      out += c;
    }
  }
  return out;
}

function openSocket(asked, out, signal) {
  const socket = new WebSocket(asked.url.replace(/^http/, "ws"));
  const text = el("code");
  const state = el("span.status", { id: "try-status" }, "Opening…");
  const more = el("button", { type: "button", disabled: true }, "10 events more");
  more.addEventListener("click", () => socket.send('{"credit":10}'));
  out.replaceChildren(el("div.result-head", null, state, more), el("pre", { id: "try-answer", tabindex: "0", "aria-label": "Events" }, text));
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => socket.close(1000));
    socket.addEventListener("open", () => {
      state.textContent = "Open";
      more.disabled = false;
      more.focus();
    });
    socket.addEventListener("message", (event) => {
      text.textContent = (text.textContent + event.data + "\n").slice(-SHOWN_MAX);
    });
    socket.addEventListener("close", (event) => {
      state.textContent = `Closed: ${event.code} ${event.reason}`;
      more.disabled = true;
      resolve();
    });
  });
}

export const details = (title, ...children) => el("details", null, el("summary", null, title), ...children);
