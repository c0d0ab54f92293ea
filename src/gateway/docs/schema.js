// Schemas: what a person reads of them, and an example made from them.
import { el, pretty } from "./dom.js";

const DEPTH_MAX = 8;

export class Schemas {
  constructor(document) {
    this.all = document.components?.schemas ?? {};
  }

  /** The schema behind a reference, and its name when it has one. */
  resolve(schema) {
    const name = schema?.$ref?.split("/").pop();
    return name ? { name, schema: this.all[name] ?? {} } : { name: null, schema: schema ?? {} };
  }

  /** A value that could be sent; the schema's own example when it has one. */
  example(given, depth = 0) {
    const { schema } = this.resolve(given);
    if (schema.examples?.length) return schema.examples[0];
    if ("const" in schema) return schema.const;
    if (schema.enum) return schema.enum[0];
    const choice = schema.oneOf ?? schema.anyOf;
    if (choice) return this.example(choice[0], depth);
    const type = Array.isArray(schema.type) ? schema.type[0] : schema.type;
    if (type === "object" || schema.properties) {
      if (depth > DEPTH_MAX) return {};
      const out = {};
      for (const [name, one] of Object.entries(schema.properties ?? {})) {
        if (one !== false) out[name] = this.example(one, depth + 1);
      }
      return out;
    }
    if (type === "array") return depth > DEPTH_MAX || !schema.items ? [] : [this.example(schema.items, depth + 1)];
    if (type === "integer" || type === "number") return schema.minimum ?? 0;
    if (type === "boolean") return true;
    if (type === "null") return null;
    if (schema.format === "uuid") return "01940000-0000-7000-8000-000000000001";
    if (schema.format === "date-time") return "2026-01-01T00:00:00.000000Z";
    return type === "string" ? "text" : {};
  }

  /** "array of Event", "integer", "any value" */
  type(given) {
    const { name, schema } = this.resolve(given);
    if (name) return el("a", { href: `#/schema/${name}` }, name);
    if (schema === true || Object.keys(schema).length === 0) return "any value";
    const choice = schema.oneOf ?? schema.anyOf;
    if (choice) return choice.flatMap((one, n) => (n ? [" or ", this.type(one)] : [this.type(one)]));
    if ("const" in schema) return pretty(schema.const);
    if (schema.enum) return schema.enum.map((one) => JSON.stringify(one)).join(" or ");
    const type = Array.isArray(schema.type) ? schema.type.join(" or ") : schema.type ?? "object";
    if (schema.type === "array" && schema.items) return ["array of ", this.type(schema.items)];
    return type;
  }

  bounds(given) {
    const { schema } = this.resolve(given);
    const out = [];
    const range = (least, most, unit) => {
      if (least !== undefined && most !== undefined) out.push(`${least} to ${most}${unit}`);
      else if (least !== undefined) out.push(`from ${least}${unit}`);
      else if (most !== undefined) out.push(`up to ${most}${unit}`);
    };
    range(schema.minimum, schema.maximum, "");
    range(schema.minLength, schema.maxLength, " characters");
    range(schema.minItems, schema.maxItems, " elements");
    if (schema.format) out.push(schema.format);
    if (schema.pattern) out.push(schema.pattern);
    return out.join(", ");
  }

  /** Members as a list, nested ones below theirs. */
  view(given, depth = 0) {
    const { schema } = this.resolve(given);
    const items = schema.type === "array" ? schema.items : null;
    if (items && !items.$ref) return this.view(items, depth);
    const members = Object.entries(schema.properties ?? {}).filter(([, one]) => one !== false);
    if (!members.length || depth > DEPTH_MAX) return null;
    const required = new Set(schema.required ?? []);
    return el("ul.members", null, members.map(([name, one]) => el("li", null,
      el("code", null, name), " ",
      el("span.type", null, this.type(one), " ", this.bounds(one)), " ",
      required.has(name) ? el("span.must", null, "required") : null,
      one.description ? el("div.note", null, one.description) : null,
      one.$ref ? null : this.view(one, depth + 1))));
  }
}
