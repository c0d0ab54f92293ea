"""The tree as the rules see it: which files there are, and their code without comments and strings."""
import os
import re
from functools import cached_property

CODE = (".cpp", ".hpp", ".h", ".c")
TEXT = CODE + (".py", ".sh", ".lua", ".md", ".txt", ".cmake", ".toml", ".sql", ".json", ".ts")
LEFT_OUT = {"build", ".git", "node_modules", ".cache", "__pycache__"}

_TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/'                                   # comments
    r'|\bR"(?P<mark>[^()\\\s]{0,16})\(.*?\)(?P=mark)"'      # raw strings
    r'|"(?:\\.|[^"\\\n])*"'                                 # strings
    r"|(?<![0-9A-Za-z_])'(?:\\.|[^'\\\n])+'",               # characters, not digit separators
    re.S)


class source:
    """One file: its path relative to the root, its text, and views of it with lines kept in place."""

    def __init__(self, root, path):
        self.path = path
        self.suffix = os.path.splitext(path)[1]
        with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
            self.text = file.read()

    @property
    def is_code(self):
        return self.suffix in CODE

    @cached_property
    def lines(self):
        return self.text.split("\n")

    @cached_property
    def code(self):
        """The text with comments blanked and strings emptied; newlines stay."""
        def blank(match):
            token = match.group()
            newlines = "\n" * token.count("\n")
            return newlines if token.startswith(("//", "/*")) else '""' + newlines
        return _TOKEN.sub(blank, self.text)

    @cached_property
    def strings(self):
        """(offset, text) of each string literal; neighbours that the compiler joins are joined."""
        found = []
        end = None
        for match in _TOKEN.finditer(self.text):
            token = match.group()
            if token.startswith(("//", "/*", "'")):
                continue
            content = token[token.index('"') + 1:-1]
            if found and not self.text[end:match.start()].strip():
                found[-1] = (found[-1][0], found[-1][1] + content)
            else:
                found.append((match.start(), content))
            end = match.end()
        return found

    def line_of(self, offset, text=None):
        return (self.text if text is None else text).count("\n", 0, offset) + 1


class tree:
    def __init__(self, root):
        self.root = root
        self.top = sorted(os.listdir(root))
        self.folders = set()
        self.sources = []
        for folder, names, files in os.walk(root):
            names[:] = sorted(n for n in names if n not in LEFT_OUT)
            inside = os.path.relpath(folder, root)
            inside = "" if inside == "." else inside + "/"
            self.folders.add(inside.rstrip("/"))
            for name in sorted(files):
                if name.endswith(TEXT) or self._script(os.path.join(folder, name), name):
                    self.sources.append(source(root, inside + name))

    @staticmethod
    def _script(path, name):
        if "." in name or os.path.islink(path) or os.path.getsize(path) > 1 << 20:
            return False
        with open(path, "rb") as file:
            return file.read(2) == b"#!"

    def exists(self, path):
        return os.path.exists(os.path.join(self.root, path))

    def folders_in(self, parent):
        """Immediate folders of `parent` that hold any file the rules look at."""
        found = set()
        for file in self.sources:
            if file.path.startswith(parent + "/"):
                rest = file.path[len(parent) + 1:]
                if "/" in rest:
                    found.add(parent + "/" + rest.split("/", 1)[0])
        return sorted(found)
