"""Holds each response against /openapi.json: the path, the status, the media type, the body's schema."""
import json
import re


class checker:
    def __init__(self, document):
        self.document = document
        self.paths = []
        for template, operations in document["paths"].items():
            parts = re.split(r"\{\w+\}", template)
            pattern = "[^/]+".join(re.escape(p) for p in parts)
            self.paths.append((template.count("{"), re.compile(pattern), template, operations))
        self.paths.sort(key=lambda p: p[0])

    def problem(self, method, target, answer):
        """None, or what the document does not allow."""
        path = target.split("?", 1)[0]
        found = next((p for p in self.paths if p[1].fullmatch(path)), None)
        method = method.lower()
        if method == "head":
            method = "get"
        if found is None or method not in found[3]:
            expected = method == "options" or answer.status in (400, 404, 405)
            return None if expected else f"{method} {path} is not in /openapi.json"
        responses = found[3][method]["responses"]
        response = responses.get(str(answer.status)) or responses.get(f"{answer.status // 100}XX") or responses.get("default")
        if response is None:
            return f"{method} {found[2]}: status {answer.status} is not in /openapi.json"
        response = self._resolve(response)
        content = response.get("content")
        if not answer.body or not content:
            return None
        media = (answer.header("content-type") or "").split(";")[0].strip()
        if media not in content:
            return f"{method} {found[2]}: {answer.status} as {media} is not in /openapi.json"
        # OpenAPI 3.1 has no schema for the lines of a stream: where the document gives one, each line must hold to it.
        schema = content[media].get("itemSchema" if media == "application/x-ndjson" else "schema")
        if schema is None or not media.endswith("json"):
            return None
        bodies = answer.body.split(b"\n") if media == "application/x-ndjson" else [answer.body]
        wrong = next(filter(None, (self.mismatch(schema, json.loads(one), "") for one in bodies if one)), None)
        return f"{method} {found[2]}: {answer.status} breaks /openapi.json at {wrong}" if wrong else None

    def _resolve(self, node):
        while isinstance(node, dict) and "$ref" in node:
            target = self.document
            for step in node["$ref"].removeprefix("#/").split("/"):
                target = target[step.replace("~1", "/").replace("~0", "~")]
            node = target
        return node

    def mismatch(self, schema, value, at):
        """JSON Schema as far as the document uses it."""
        if schema is True or schema == {}:
            return None
        schema = self._resolve(schema)
        for check in (self._alternatives, self._type, self._object, self._array, self._scalar):
            wrong = check(schema, value, at)
            if wrong:
                return wrong
        return None

    def _alternatives(self, schema, value, at):
        for one in schema.get("allOf", ()):
            wrong = self.mismatch(one, value, at)
            if wrong:
                return wrong
        for word in ("anyOf", "oneOf"):
            if word in schema:
                answers = [self.mismatch(one, value, at) for one in schema[word]]
                fits = answers.count(None)
                if fits == 0 or (word == "oneOf" and fits > 1):
                    return f"{at or '/'}: fits {fits} of {word} ({answers[0]})"
        if "const" in schema and value != schema["const"]:
            return f"{at or '/'}: is not {schema['const']!r}"
        if "enum" in schema and value not in schema["enum"]:
            return f"{at or '/'}: {value!r} is not one of {schema['enum']}"
        return None

    @staticmethod
    def _type(schema, value, at):
        wanted = schema.get("type")
        if wanted is None:
            return None
        names = [wanted] if isinstance(wanted, str) else wanted
        kinds = {
            "null": value is None, "boolean": isinstance(value, bool), "string": isinstance(value, str),
            "object": isinstance(value, dict), "array": isinstance(value, list),
            "number": isinstance(value, (int, float)) and not isinstance(value, bool),
            "integer": isinstance(value, int) and not isinstance(value, bool),
        }
        return None if any(kinds[n] for n in names) else f"{at or '/'}: {json.dumps(value)[:80]} is no {wanted}"

    def _object(self, schema, value, at):
        if not isinstance(value, dict):
            return None
        for name in schema.get("required", ()):
            if name not in value:
                return f"{at}/{name}: missing"
        known = schema.get("properties", {})
        for name, one in value.items():
            inner = known.get(name, schema.get("additionalProperties", True))
            if inner is False:
                return f"{at}/{name}: not in the schema"
            wrong = self.mismatch(inner, one, f"{at}/{name}")
            if wrong:
                return wrong
        return None

    def _array(self, schema, value, at):
        if not isinstance(value, list) or "items" not in schema:
            return None
        for number, one in enumerate(value):
            wrong = self.mismatch(schema["items"], one, f"{at}/{number}")
            if wrong:
                return wrong
        return None

    @staticmethod
    def _scalar(schema, value, at):
        if isinstance(value, str):
            if "pattern" in schema and not re.search(schema["pattern"], value):
                return f"{at or '/'}: {value!r} does not match {schema['pattern']}"
            if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
                return f"{at or '/'}: length {len(value)}"
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            if not schema.get("minimum", value) <= value <= schema.get("maximum", value):
                return f"{at or '/'}: {value} is out of range"
        return None
