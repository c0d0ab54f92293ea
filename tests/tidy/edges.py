"""Reads edges.txt: floors, allowed edges, fences."""
import re


class edges_error(Exception):
    pass


class fence:
    def __init__(self, kind, name, pattern, where, why):
        self.kind, self.name, self.why = kind, name, why
        self.what = pattern
        self.pattern = re.compile(pattern) if kind != "include" else None
        self.where = () if where == ["nowhere"] else tuple(where)

    def allows(self, path):
        return bool(self.where) and path.startswith(self.where)


class house:
    """floors: module -> number; allowed: module -> modules it may include; fences."""

    def __init__(self, text):
        self.floors, self.allowed, self.fences = {}, {}, []
        for number, line in enumerate(text.split("\n"), 1):
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            kind, _, rest = line.partition(" ")
            try:
                getattr(self, "_" + kind)(rest)
            except (AttributeError, ValueError) as error:
                raise edges_error(f"tests/tidy/edges.txt:{number}: cannot read this line: {error}")
        self._check()

    def _floor(self, rest):
        number, *modules = rest.split()
        for module in modules:
            self.floors[module] = int(number)

    def _edge(self, rest):
        module, _, targets = rest.partition(":")
        self.allowed[module.strip()] = set(targets.split())

    def _fence(self, kind, rest):
        head, where, why = (part.strip() for part in rest.rsplit(" | ", 2))
        name, _, pattern = head.partition(": ")
        self.fences.append(fence(kind, name, pattern.strip(), where.split(), why))

    def _include(self, rest):
        self._fence("include", rest)

    def _code(self, rest):
        self._fence("code", rest)

    def _text(self, rest):
        self._fence("text", rest)

    def _check(self):
        for module, targets in self.allowed.items():
            for target in targets:
                if module not in self.floors or target not in self.floors:
                    raise edges_error(f"tests/tidy/edges.txt: edge {module} -> {target}: give both a floor first")
                if self.floors[target] >= self.floors[module]:
                    raise edges_error(f"tests/tidy/edges.txt: edge {module} -> {target} does not go to a lower floor; "
                                      "an interface is owned by the module that needs it")
