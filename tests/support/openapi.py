"""Holds each answer against /openapi.json: path, method, status, header fields, media type, the body's schema.

A keyword of JSON Schema that is not checked here is an error, so that the document cannot say more than is held.
"""
import collections
import json
import re

# What HTTP itself adds.
_HTTP_FIELDS = {"date", "content-type", "content-length", "transfer-encoding", "connection"}
_BODILESS = {101, 204, 304}
_SAYS_NOTHING = {"$ref", "description", "examples", "title", "contentEncoding"}
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")

# Of each operation and status: Python takes up to 0.1 s for a page of 1,000 events.
ANSWERS_HELD_MAX = 20


def _path(target):
    return re.sub(r"^https?://[^/?]*", "", target).split("?", 1)[0]


class checker:
    """Threads: any."""

    def __init__(self, document):
        self.document = document
        self._seen = collections.Counter()
        self.paths = []
        for template, operations in document["paths"].items():
            parts = re.split(r"\{\w+\}", template)
            pattern = "[^/]+".join(re.escape(p) for p in parts)
            self.paths.append((template.count("{"), re.compile(pattern), template, operations))
        self.paths.sort(key=lambda p: p[0])

    def operation(self, method, target):
        """(verb, template) of the operation that a request leads to, HEAD to GET's; None when there is none."""
        path = _path(target)
        verb = "get" if method == "HEAD" else method.lower()
        found = next((p for p in self.paths if p[1].fullmatch(path)), None)
        return (verb, found[2]) if found is not None and verb in found[3] else None

    def problem(self, method, target, answer, of_head=False):
        """None, or what the document does not allow. Without a method and target the answer must be an error."""
        if method is None:
            return self._error(answer, "a request that is none", of_head)
        of_head = of_head or method == "HEAD"
        found = self.operation(method, target)
        if found is None:
            return self._elsewhere(method, _path(target), answer, of_head)
        verb, template = found
        return self._answer(f"{method} {template}", self.document["paths"][template][verb]["responses"], answer, of_head)

    def problem_of_first(self, method, target, answer):
        """As `problem`, of the first answers of each operation and status only: a load's other answers are like them."""
        kind = (self.operation(method, target), answer.status)
        if self._seen[kind] >= ANSWERS_HELD_MAX:
            return None
        self._seen[kind] += 1  # threads that race here hold a few more
        return self.problem(method, target, answer)

    def _elsewhere(self, method, path, answer, of_head):
        """What has no operation: OPTIONS, and what leads nowhere."""
        if method == "OPTIONS" and answer.status == 204:
            return None if answer.header("allow") else f"OPTIONS {path}: no Allow field"
        if answer.status < 400:
            return f"{method} {path} is not in /openapi.json"
        return self._error(answer, f"{method} {path}", of_head)

    def _error(self, answer, name, of_head):
        """Any error of any operation: all operations share what a broken request gets."""
        for _, _, _, operations in self.paths:
            for operation in operations.values():
                responses = operation["responses"] if isinstance(operation, dict) else {}
                if str(answer.status) in responses:
                    return self._answer(name, {str(answer.status): responses[str(answer.status)]}, answer, of_head)
        return f"{name}: status {answer.status} is nowhere in /openapi.json"

    def _answer(self, name, responses, answer, of_head):
        names = (str(answer.status), f"{answer.status // 100}XX", "default")
        response = next((responses[one] for one in names if one in responses), None)
        if response is None:
            return f"{name}: status {answer.status} is not in /openapi.json"
        response = self._resolve(response)
        wrong = self._fields(response.get("headers", {}), answer) or self._body(response.get("content"), answer, of_head)
        return f"{name}: {answer.status} {wrong}" if wrong else None

    def _fields(self, described, answer):
        known = {}
        for field, one in described.items():
            known[field.lower()] = self._resolve(one)
        given = {field for field, _ in answer.headers}
        for field, one in known.items():
            if one.get("required") and field not in given:
                return f"lacks the header field {field}"
        for field, value in answer.headers:
            if field in known:
                wrong = self.mismatch(known[field].get("schema", True), value, field)
                if wrong:
                    return f"breaks /openapi.json at header field {wrong}"
            elif field not in _HTTP_FIELDS:
                return f"has the header field {field}, which is not in /openapi.json"
        return None

    def _body(self, content, answer, of_head):
        if answer.status in _BODILESS or not content:
            return "has a body, which is not in /openapi.json" if answer.body else None
        media = (answer.header("content-type") or "").split(";")[0].strip()
        if media not in content:
            return f"as {media!r} is not in /openapi.json"
        if of_head:
            return None
        # OpenAPI 3.1 has no word for the lines of a stream; the document says it with one of its own.
        schema = content[media].get("x-line-schema" if media == "application/x-ndjson" else "schema")
        if schema is None or not media.endswith("json"):
            return None
        try:
            bodies = answer.body.split(b"\n") if media == "application/x-ndjson" else [answer.body]
            values = [json.loads(one) for one in bodies if one]
        except ValueError as error:
            return f"is no JSON: {error}"
        if not values and media != "application/x-ndjson":
            return "has no body"
        wrong = next(filter(None, (self.mismatch(schema, one, "") for one in values)), None)
        return f"breaks /openapi.json at {wrong}" if wrong else None

    def event(self, value):
        """An event of a stream of server-sent events, which the document describes as text."""
        return self.mismatch({"$ref": "#/components/schemas/Event"}, value, "")

    def _resolve(self, node):
        while isinstance(node, dict) and "$ref" in node:
            target = self.document
            for step in node["$ref"].removeprefix("#/").split("/"):
                target = target[step.replace("~1", "/").replace("~0", "~")]
            node = target
        return node

    def mismatch(self, schema, value, at):
        """None, or where the value breaks the JSON Schema."""
        schema = self._resolve(schema)
        if schema is True:
            return None
        if schema is False:
            return f"{at or '/'}: not in the schema"
        unknown = set(schema) - _SAYS_NOTHING - _KEYWORDS
        if unknown:
            raise ValueError(f"openapi.py does not check {sorted(unknown)}")
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
            wrong = self.mismatch(known.get(name, schema.get("additionalProperties", True)), one, f"{at}/{name}")
            if wrong:
                return wrong
        return None

    def _array(self, schema, value, at):
        if not isinstance(value, list):
            return None
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            return f"{at or '/'}: has {len(value)} elements"
        if schema.get("uniqueItems") and len({json.dumps(one, sort_keys=True) for one in value}) < len(value):
            return f"{at or '/'}: has an element twice"
        for number, one in enumerate(value):
            wrong = self.mismatch(schema.get("items", True), one, f"{at}/{number}")
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
            form = {"uuid": _UUID, "date-time": _TIME}.get(schema.get("format"))
            if form and not form.fullmatch(value):
                return f"{at or '/'}: {value!r} is no {schema['format']}"
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            if not schema.get("minimum", value) <= value <= schema.get("maximum", value):
                return f"{at or '/'}: {value} is out of range"
        return None


_KEYWORDS = {
    "allOf", "anyOf", "oneOf", "const", "enum", "type", "required", "properties", "additionalProperties", "items", "minItems",
    "maxItems", "uniqueItems", "pattern", "minLength", "maxLength", "format", "minimum", "maximum",
}
