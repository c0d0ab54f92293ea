"""Reads scenario files. The format is described in README.md."""
import re


class scenario_error(Exception):
    pass


def requests_in(data):
    """(method, target) of each request that begins in raw bytes; (None, None) where no request line can be read."""
    found = re.findall(rb"(?:^|[\r\n}])([A-Z]+) (\S+) HTTP/1\.[01](?=\r\n)", data)
    return [(method.decode("ascii"), target.decode("latin-1")) for method, target in found] or [(None, None)]


class step:
    """kind: "request", "raw" or "do"; head: the words of its first line; lines: what follows, up to the next step."""

    def __init__(self, kind, head, line):
        self.kind, self.head, self.line = kind, head, line
        self.lines = []
        self.expects = []


class expectation:
    def __init__(self, head, line):
        self.head, self.line = head, line
        self.lines = []


class scenario:
    def __init__(self, title, line):
        self.title, self.line = title, line
        self.plugins, self.settings, self.steps = [], {}, []

    def _directive(self, words, where):
        if words[0] == "plugins":
            self.plugins += words[1:]
        elif words[0] == "set" and len(words) == 3:
            self.settings[words[1]] = words[2]
        else:
            raise scenario_error(f"{where}: unknown directive {' '.join(words)!r}")


def read(path):
    """All scenarios of a file."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    found, block = [], None
    for number, line in enumerate(text.split("\n"), 1):
        where = f"{path}:{number}"
        if line.startswith("## "):
            found.append(scenario(line[3:].strip(), number))
            block = None
        elif line.startswith("# ") or line == "#":
            continue
        elif not found:
            if line.strip():
                raise scenario_error(f"{where}: text before the first scenario")
        elif line.startswith("@ "):
            found[-1]._directive(line[2:].split(), where)
        elif line.startswith(">>> "):
            head = line[4:].strip()
            block = step("raw" if re.match(r"raw\b", head) else "request", head, number)
            found[-1].steps.append(block)
        elif line.startswith("<<< "):
            if not found[-1].steps or found[-1].steps[-1].kind == "do":
                raise scenario_error(f"{where}: an answer without a request")
            block = expectation(line[4:].strip(), number)
            found[-1].steps[-1].expects.append(block)
        elif line.startswith("=== "):
            block = step("do", line[4:].strip(), number)
            found[-1].steps.append(block)
        elif block is not None:
            block.lines.append(line)
        elif line.strip():
            raise scenario_error(f"{where}: text outside a step")
    for one in found:
        for each in one.steps:
            _trim(each)
            for expected in each.expects:
                _trim(expected)
            if each.kind != "do" and not each.expects:
                raise scenario_error(f"{path}:{each.line}: a request without an expected answer")
    titles = [one.title for one in found]
    for title in titles:
        if titles.count(title) > 1:
            raise scenario_error(f"{path}: two scenarios are called {title!r}")
    return found


def _trim(block):
    if getattr(block, "kind", "") == "raw":
        return  # there an empty line is meant
    while block.lines and not block.lines[-1].strip():
        block.lines.pop()


def split_headers(lines):
    """({name: value}, rest): leading "Name: value" lines are headers; an empty line ends them."""
    headers = []
    for number, line in enumerate(lines):
        match = re.match(r"([A-Za-z][A-Za-z0-9-]*):(?: (.*))?$", line)
        if match is None:
            return headers, lines[number + (not line.strip()):]
        headers.append((match.group(1), match.group(2) or ""))
    return headers, []


def expand(text):
    """«N*text» repeats; a # in the text becomes 0, 1, 2 …"""
    def one(match):
        count, part = int(match.group(1)), match.group(2)
        if "#" in part:
            return "".join(part.replace("#", str(n)) for n in range(count))
        return part * count
    return re.sub(r"«(\d+)\*(.*?)»", one, text, flags=re.S)


def raw_bytes(lines):
    r"""Lines as bytes, each ended by CRLF unless it ends in a lone backslash.

    Escapes: \r \n \t \0 \\ \xHH. «length» is the number of bytes after the first empty line.
    """
    parts = []
    for line in lines:
        joined = re.search(r"(?<!\\)(\\\\)*\\$", line) is not None
        text = expand(line[:-1] if joined else line)
        data = re.sub(rb"\\(x[0-9a-fA-F]{2}|[rnt0\\])", _unescape, text.encode())
        parts.append(data if joined else data + b"\r\n")
    data = b"".join(parts)
    mark = "«length»".encode()
    if mark in data:
        body = data.split(b"\r\n\r\n", 1)[1]
        data = data.replace(mark, str(len(body)).encode(), 1)
    return data


def _unescape(match):
    word = match.group(1)
    if word[:1] == b"x":
        return bytes([int(word[1:], 16)])
    return {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"0": b"\0", b"\\": b"\\"}[word]
