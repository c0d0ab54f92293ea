"""Patterns of scenarios against what came: JSON values and header texts.

"*" anything · "<int>" "<string>" "<uuid>" "<time>" "<object>" "<array>" · "~re" a regular expression over the whole
text · "${name}" binds the value at first sight, equals it afterwards · anything else is meant literally.
An object with the member "..." may hold more members, an array ending in "..." more elements.
"""
import json
import re

_KINDS = {
    "<int>": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "<string>": lambda v: isinstance(v, str),
    "<object>": lambda v: isinstance(v, dict),
    "<array>": lambda v: isinstance(v, list),
    "<uuid>": lambda v: isinstance(v, str) and re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", v) is not None,
    "<time>": lambda v: isinstance(v, str)
    and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", v) is not None,
}


def text_of(value):
    """A bound value as it stands inside a request."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def fill(text, bound):
    """Replaces ${name} by what was bound; an unbound name is the scenario's mistake."""
    def one(match):
        if match.group(1) not in bound:
            raise ValueError(f"${{{match.group(1)}}} is not bound yet")
        return text_of(bound[match.group(1)])
    return re.sub(r"\$\{(\w+)\}", one, text)


def mismatch(pattern, value, bound, at="", loose=False):
    """None, or where and how the value differs. `loose`: an object may hold more members."""
    if isinstance(pattern, str):
        return _text_mismatch(pattern, value, bound, at)
    if isinstance(pattern, dict):
        return _object_mismatch(pattern, value, bound, at, loose)
    if isinstance(pattern, list):
        return _array_mismatch(pattern, value, bound, at)
    if type(pattern) is not type(value) or pattern != value:
        return f"{at or 'value'}: expected {json.dumps(pattern)}, got {json.dumps(value)[:300]}"
    return None


def _text_mismatch(pattern, value, bound, at):
    name = re.fullmatch(r"\$\{(\w+)\}", pattern)
    if name:
        known = bound.setdefault(name.group(1), value)
        same = known == value or (text_of(known) == text_of(value))
        return None if same else f"{at or 'value'}: expected {pattern} = {known!r}, got {value!r}"
    if pattern == "*":
        return None
    if pattern in _KINDS:
        return None if _KINDS[pattern](value) else f"{at or 'value'}: expected {pattern}, got {json.dumps(value)[:300]}"
    expected = fill(pattern, bound)
    if pattern.startswith("~"):
        same = isinstance(value, str) and re.fullmatch(expected[1:], value, re.S) is not None
    else:
        same = value == expected
    return None if same else f"{at or 'value'}: expected {expected!r}, got {json.dumps(value)[:300]}"


def _object_mismatch(pattern, value, bound, at, loose):
    if not isinstance(value, dict):
        return f"{at or 'value'}: expected an object, got {json.dumps(value)[:300]}"
    for name, wanted in pattern.items():
        if name == "...":
            continue
        if name not in value:
            return f"{at}/{name}: missing, there is {json.dumps(value)[:300]}"
        wrong = mismatch(wanted, value[name], bound, f"{at}/{name}")
        if wrong:
            return wrong
    more = sorted(set(value) - set(pattern))
    if more and not loose and "..." not in pattern:
        return f"{at or 'value'}: unexpected members {more}"
    return None


def _array_mismatch(pattern, value, bound, at):
    if not isinstance(value, list):
        return f"{at or 'value'}: expected an array, got {json.dumps(value)[:300]}"
    more = bool(pattern) and pattern[-1] == "..."
    wanted = pattern[:-1] if more else pattern
    if len(value) < len(wanted) or (len(value) > len(wanted) and not more):
        return f"{at or 'value'}: expected {len(wanted)} elements, got {len(value)}: {json.dumps(value)[:500]}"
    for number, (one, got) in enumerate(zip(wanted, value)):
        wrong = mismatch(one, got, bound, f"{at}/{number}")
        if wrong:
            return wrong
    return None
