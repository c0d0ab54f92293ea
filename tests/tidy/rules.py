"""The rules of the house. Each rule takes (tree, house) and yields (path, line, message with the fix)."""
import os
import re

TOP_LEVEL = {
    "CMakeLists.txt", "CMakePresets.json", "README.md", "LICENSE", ".ci", ".clang-format", ".clang-tidy",
    ".gitignore", "include", "src", "plugins", "config", "migrations", "tests", "tools",
}
NOT_OURS = re.compile(r"^(build|\.git|\.cache|node_modules|perf\.data.*|.*\.db(-wal|-shm)?)$")
LINES_ASKED, LINES_MAX = 400, 600

_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)


def top_level(tree, _house):
    """Only the fixed top-level entries."""
    for name in tree.top:
        if name not in TOP_LEVEL and not NOT_OURS.match(name):
            yield name, 1, "not one of the fixed top-level entries: move it below the folder it belongs to"


def furniture(tree, _house):
    """README.md in every top-level folder, module, plugin and kind of test."""
    folders = ["src", "plugins", "config", "migrations", "tests", "tools", "include/flexcore"]
    for parent in ("src", "plugins", "tests"):
        folders += tree.folders_in(parent)
    for folder in folders:
        if folder in tree.folders and not tree.exists(folder + "/README.md"):
            yield folder, 1, "has no README.md: write what it is for, main types, threads, lifetimes, decisions"


def module_of(path):
    """"store" for src/store/…, "main" for src/main.cpp, None for what belongs to no module."""
    parts = path.split("/")
    if parts[0] != "src":
        return None
    if len(parts) > 2:
        return parts[1]
    return "main" if parts[1] == "main.cpp" else None


def edges(tree, house):
    """A module includes only what edges.txt allows, and nothing private of another."""
    for file in tree.sources:
        module = module_of(file.path)
        if not file.is_code or module is None:
            continue
        if module not in house.floors:
            yield file.path, 1, f"module {module} has no floor: give it one in tests/tidy/edges.txt and src/README.md"
            continue
        for match in _INCLUDE.finditer(file.text):
            quote, target = match.groups()
            if quote != '"':
                continue
            line = file.line_of(match.start())
            if target.startswith("flexcore/"):
                if module != "plugin":
                    yield file.path, line, "only the plugin module includes the plugin ABI: take a plain struct"
                continue
            if not tree.exists("src/" + target):
                if not tree.exists(os.path.join(os.path.dirname(file.path), target)):
                    continue  # generated, or the compiler will say
                yield file.path, line, f'include "{target}" by its path from src/'
                continue
            other = module_of("src/" + target)
            if other is None or other == module:
                continue
            if other not in house.allowed.get(module, ()):
                yield file.path, line, (f"{module} may not include {other} (tests/tidy/edges.txt): own the interface here "
                                        f"and let the module above implement it")
            elif target.count("/") > 1 or target.endswith("_impl.hpp"):
                yield file.path, line, f"{target} is private to {other}: use a header directly in src/{other}/"


def plugin_includes(tree, _house):
    """A plugin builds against include/ only."""
    for file in tree.sources:
        parts = file.path.split("/")
        if parts[0] != "plugins" or len(parts) < 3 or not file.is_code:
            continue
        for match in _INCLUDE.finditer(file.text):
            quote, target = match.groups()
            if quote != '"' or target.startswith("flexcore/"):
                continue
            path = os.path.normpath(os.path.join(os.path.dirname(file.path), target))
            own = path.startswith("/".join(parts[:2]) + "/") and tree.exists(path)
            if not own and not tree.exists("/".join(parts[:2]) + "/" + target):
                yield file.path, file.line_of(match.start()), (
                    f'a plugin includes only "flexcore/…" and its own files, not "{target}"')


def fences(tree, house):
    """Libraries and patterns that have one home."""
    for file in tree.sources:
        if not file.is_code or not file.path.startswith(("src/", "plugins/")):
            continue
        for fence in house.fences:
            if fence.allows(file.path):
                continue
            for offset in _offences(file, fence):
                yield file.path, file.line_of(offset, None if fence.kind != "code" else file.code), (
                    f"{fence.name}: {fence.why}")


def _offences(file, fence):
    if fence.kind == "include":
        for match in _INCLUDE.finditer(file.text):
            target = match.group(2)
            exact = not fence.what.endswith("/") and "/" not in fence.what
            if target == fence.what if exact else target.startswith(fence.what):
                yield match.start()
    elif fence.kind == "code":
        for match in fence.pattern.finditer(file.code):
            yield match.start()
    else:
        for offset, text in file.strings:
            if fence.pattern.search(text):
                yield offset


def listed(tree, _house):
    """Sources are listed in CMake, none globbed, none forgotten."""
    lists = {f.path: f for f in tree.sources if f.path.endswith(("CMakeLists.txt", ".cmake"))}
    for file in lists.values():
        for number, line in enumerate(file.lines, 1):
            if re.search(r"\bfile\s*\(\s*GLOB", line.split("#", 1)[0], re.I):
                yield file.path, number, "list the files by name instead of globbing"
    for file in tree.sources:
        if file.suffix not in (".cpp", ".c") or not file.path.startswith(("src/", "plugins/", "tests/")):
            continue
        folder = os.path.dirname(file.path)
        while folder:
            owner = lists.get(folder + "/CMakeLists.txt")
            if owner is not None:
                inside = os.path.relpath(file.path, folder)
                words = re.split(r"[\s()\"]+", re.sub(r"#[^\n]*", "", owner.text))
                stem = os.path.splitext(inside)[0]
                if inside in words:
                    break
                # foreach(name a b c) … ${name}.cpp: the name and the suffix both stand there.
                if stem in words and re.search(r"\$\{\w+\}" + re.escape(file.suffix), owner.text):
                    break
            folder = os.path.dirname(folder)
        if not folder:
            yield file.path, 1, "no CMakeLists.txt names this file: list it, or delete it"


def length(tree, _house):
    """A file has one subject: 400 lines ask for a split, 600 demand it."""
    for file in tree.sources:
        if file.suffix in CODE_LENGTH and len(file.lines) - 1 > LINES_MAX:
            yield file.path, LINES_MAX, f"{len(file.lines) - 1} lines, at most {LINES_MAX}: split it by subject"


CODE_LENGTH = (".cpp", ".hpp", ".h", ".c", ".py", ".lua", ".sh", ".cmake")


def long_files(tree):
    """For the report only: files above 400 lines."""
    return [(f.path, len(f.lines) - 1) for f in tree.sources
            if f.suffix in CODE_LENGTH and LINES_ASKED < len(f.lines) - 1 <= LINES_MAX]


_WORDS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|\b((?i:for now|placeholders?|stubs?|stubbed))\b")


def words(tree, _house):
    """Nothing is left for later."""
    for file in tree.sources:
        if file.path.startswith("tests/tidy/") or file.path.startswith("plugins/orders/demo/"):
            continue
        for number, line in enumerate(file.lines, 1):
            match = _WORDS.search(line)
            if match:
                yield file.path, number, f'"{match.group()}": do it, or open an issue and delete the remark'


_SLEEP = {
    ".cpp": re.compile(r"\b(sleep_for|sleep_until|usleep|nanosleep|clock_nanosleep)\b|(?<![\w.])(::)?sleep\s*\("),
    ".py": re.compile(r"\b(time|asyncio)\.sleep\b"),
    "": re.compile(r"(^|[;&|]\s*|\bdo\s+)sleep\s+[\d$]"),
}
_SLEEP[".hpp"] = _SLEEP[".c"] = _SLEEP[".cpp"]
_SLEEP[".sh"] = _SLEEP[""]


def sleeps(tree, _house):
    """Tests wait for conditions. A sleep stands in a loop that asks for one, or says that it is a polling interval."""
    for file in tree.sources:
        pattern = _SLEEP.get(file.suffix)
        if pattern is None or not file.path.startswith("tests/"):
            continue
        if file.path.startswith(("tests/tidy/", "tests/support/")):
            continue  # the rule itself; the polling helpers
        if file.path.startswith("tests/plugins/") and not file.path.endswith("_test.cpp"):
            continue  # plugins that misbehave, some by being slow
        lines = file.code.split("\n") if file.is_code else file.lines
        for number, line in enumerate(lines, 1):
            if not pattern.search(line):
                continue
            said = " ".join(file.lines[max(0, number - 2):number])
            asked = " ".join(lines[max(0, number - 6):number - 1])
            if "polling interval" not in said and not re.search(r"\bwhile\s*\(!|\bwhile not\b|\buntil\b", asked):
                yield file.path, number, ('fixed sleep: wait for the condition, in a loop "while (!condition)"; another '
                                          'polling loop carries the comment "polling interval"')


def optimized(tree, _house):
    """What is linked into the server is optimized alike: of a template's function in many objects the linker keeps the first."""
    for file in tree.sources:
        if not file.path.startswith(("src/", "plugins/")) or not file.path.endswith(("CMakeLists.txt", ".cmake")):
            continue
        for number, line in enumerate(file.lines, 1):
            if re.search(r"-O[01gs]\b", line.split("#", 1)[0]):
                yield file.path, number, "optimize it as the rest: its templates' functions may be the ones that the whole server calls"


def spawned_lambdas(tree, _house):
    """g++ 12.2 destroys a capturing lambda twice when it is written inside co_await co_spawn(…)."""
    for file in tree.sources:
        if not file.is_code:
            continue
        for match in re.finditer(r"\bco_await\s+[\w:]*\bco_spawn\s*\(", file.code):
            depth, at = 1, match.end()
            while depth and at < len(file.code):
                depth += {"(": 1, ")": -1}.get(file.code[at], 0)
                at += 1
            if re.search(r"(^|[(,=\s])\[[^\[\]]*\]\s*[({<]|(^|[(,=\s])\[[^\[\]]*\]\s*mutable",
                         file.code[match.end():at]):
                yield file.path, file.line_of(match.start(), file.code), (
                    "lambda inside co_await co_spawn(…) is destroyed twice by g++ 12.2: name the closure first")


def headers(tree, _house):
    """A header begins with its contract, then #pragma once."""
    for file in tree.sources:
        if file.suffix not in (".hpp", ".h") or not file.path.startswith(("src/", "include/", "plugins/", "tests/")):
            continue
        guard = re.search(r"^#pragma once$", file.text, re.M)
        if guard is None and file.suffix == ".h":
            guard = re.search(r"^#ifndef (\w+)\n#define \1$", file.text, re.M)
        if guard is None:
            yield file.path, 1, "no #pragma once"
            continue
        before = file.text[:guard.start()].strip()
        if not before.startswith(("//", "/*")):
            yield file.path, 1, ("begin with a comment above #pragma once that says what it promises: "
                                 "shape, units, errors, threads, lifetime")


_TEST_NAME = re.compile(r'\bTEST_CASE\w*\s*\(\s*(?:\w+\s*,\s*)?"((?:[^"\\]|\\.)*)"')


def test_names(tree, _house):
    """ctest cuts a name at its semicolon into two that no test case has, and which pass."""
    for file in tree.sources:
        if not file.is_code or not file.path.startswith("tests/"):
            continue
        for match in _TEST_NAME.finditer(file.text):
            if re.search(r"[;\[\]]", match.group(1)):
                yield file.path, file.line_of(match.start()), "no semicolon or bracket in a test's name: ctest would not run it"


ALL = (top_level, furniture, edges, plugin_includes, fences, listed, length, words, sleeps, optimized, spawned_lambdas, headers, test_names)
