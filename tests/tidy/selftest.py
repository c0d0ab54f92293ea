#!/usr/bin/env python3
"""Shows that each rule finds what it forbids, and leaves alone what it allows."""
import os
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
import edges  # noqa: E402
import tidy  # noqa: E402

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "edges.txt"), encoding="utf-8") as _file:
    EDGES = _file.read()

HEADER = "// thing: what it promises.\n#pragma once\n"
SOUND = {
    "README.md": "x", "src/README.md": "x", "src/CMakeLists.txt": "", "src/base/README.md": "x",
    "src/base/CMakeLists.txt": "flexcore_module(base\n  SOURCES a.cpp)\n",
    "src/base/a.cpp": '#include "base/a.hpp"\n', "src/base/a.hpp": HEADER,
}


def findings(files):
    with tempfile.TemporaryDirectory() as root:
        for path, text in {**SOUND, **files}.items():
            if text is None:
                continue
            os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                file.write(text)
        found, _tree = tidy.check(root, EDGES)
        return {(path, line, rule) for path, line, rule, _message in found}


def source(module, text, name="b.cpp"):
    """A tree with one more source in `module`, all furniture in place."""
    return {f"src/{module}/README.md": "x", f"src/{module}/CMakeLists.txt": f"flexcore_module({module}\n SOURCES a.cpp {name})",
            f"src/{module}/{name}": text}


class rules_find(unittest.TestCase):
    def expect(self, files, *expected):
        self.assertEqual(findings(files), set(expected))

    def test_a_sound_tree_has_no_findings(self):
        self.expect({})

    def test_an_entry_at_the_top_that_is_not_fixed(self):
        self.expect({"notes.md": "x"}, ("notes.md", 1, "top_level"))

    def test_a_module_without_readme(self):
        self.expect({**source("bus", ""), "src/bus/README.md": None}, ("src/bus", 1, "furniture"))

    def test_an_include_of_a_higher_floor(self):
        self.expect({**source("base", '\n#include "bus/b.hpp"\n'), "src/bus/README.md": "x", "src/bus/b.hpp": HEADER},
                    ("src/base/b.cpp", 2, "edges"))

    def test_an_include_of_a_deeper_folder_of_another_module(self):
        self.expect({**source("bus", '#include "store/sqlite/x.hpp"\n#include "store/y_impl.hpp"\n#include "store/z.hpp"\n'),
                     "src/store/README.md": "x", "src/store/sqlite/x.hpp": HEADER, "src/store/y_impl.hpp": HEADER,
                     "src/store/z.hpp": HEADER},
                    ("src/bus/b.cpp", 1, "edges"), ("src/bus/b.cpp", 2, "edges"))

    def test_a_module_without_floor(self):
        self.expect(source("attic", ""), ("src/attic/b.cpp", 1, "edges"))

    def test_an_edge_upwards_in_the_data_file(self):
        with self.assertRaisesRegex(edges.edges_error, "base -> bus"):
            edges.house(EDGES.replace("edge base:", "edge base: bus"))

    def test_a_plugin_that_includes_the_server(self):
        self.expect({"plugins/README.md": "x", "plugins/p/README.md": "x", "plugins/p/CMakeLists.txt": "flexcore_plugin(p SOURCES p.cpp)",
                     "plugins/p/p.cpp": '#include "flexcore/plugin.hpp"\n#include "own.hpp"\n#include "base/a.hpp"\n',
                     "plugins/p/own.hpp": HEADER}, ("plugins/p/p.cpp", 3, "plugin_includes"))

    def test_sql_outside_the_store(self):
        text = 'auto q = "SELECT id "\n  "FROM t";  // the comment "DELETE FROM t" is fine\nauto r = R"(PRAGMA foo)";\n'
        self.expect(source("bus", text), ("src/bus/b.cpp", 1, "fences"), ("src/bus/b.cpp", 3, "fences"))
        self.expect(source("store", text))

    def test_libraries_outside_their_home(self):
        for module, home, text in (("bus", "store", "#include <sqlite3.h>\n"), ("app", "gateway", "#include <boost/beast/http.hpp>\n"),
                                   ("bus", "gateway", "#include <boost/asio.hpp>\n"), ("store", "plugin", "#include <dlfcn.h>\n"),
                                   ("store", "plugin", 'auto h = dlopen("x", 1);\n'), ("gateway", "app", "#include <toml++/toml.h>\n")):
            self.expect(source(module, text), (f"src/{module}/b.cpp", 1, "fences"))
            self.expect(source(home, text))

    def test_services_are_constructed_by_app_alone(self):
        text = "auto s = std::make_unique<gateway::http_server>(a, b);\n"
        self.expect(source("cli", text), ("src/cli/b.cpp", 1, "fences"))
        self.expect(source("app", text))

    def test_std_regex_has_no_home(self):
        self.expect(source("app", "#include <regex>\n"), ("src/app/b.cpp", 1, "fences"))

    def test_globs_and_sources_that_no_list_names(self):
        self.expect({"src/base/c.cpp": ""}, ("src/base/c.cpp", 1, "listed"))
        self.expect({"src/CMakeLists.txt": "file(GLOB all *.cpp)\n"}, ("src/CMakeLists.txt", 1, "listed"))

    def test_a_file_of_more_than_600_lines(self):
        self.expect(source("base", "int x;\n" * 601), ("src/base/b.cpp", 600, "length"))
        self.expect(source("base", "int x;\n" * 600))

    def test_words_that_leave_work_for_later(self):
        for word in ("TODO", "FIXME: x", "XXX", "HACK", "good enough for now", "a placeholder", "a stub"):
            self.expect(source("base", f"// {word}\n"), ("src/base/b.cpp", 1, "words"))
        self.expect(source("base", '// stubborn "XXXXXX" is fine\n'))

    def test_a_part_of_the_server_that_is_not_optimized(self):
        built = "flexcore_module(base a.cpp b.cpp)\n# -O0 was quicker\ntarget_compile_options(flexcore_base PRIVATE %s)\n"
        self.expect({**source("base", "int x;\n"), "src/base/CMakeLists.txt": built % "-O0"}, ("src/base/CMakeLists.txt", 3, "optimized"))
        self.expect({**source("base", "int x;\n"), "src/base/CMakeLists.txt": built % "-O2"})

    def test_fixed_sleeps_in_tests(self):
        base = {"tests/README.md": "x", "tests/unit/README.md": "x", "tests/unit/CMakeLists.txt": "t.cpp"}
        self.expect({**base, "tests/unit/t.cpp": "std::this_thread::sleep_for(1s);\nusleep(5);\nsleep(1);\n"},
                    *[("tests/unit/t.cpp", line, "sleeps") for line in (1, 2, 3)])
        self.expect({**base, "tests/unit/t.py": "time.sleep(1)\n", "tests/unit/t.cpp": ""}, ("tests/unit/t.py", 1, "sleeps"))
        self.expect({**base, "tests/unit/t.cpp": "std::this_thread::sleep_for(1ms);  // polling interval\n"})
        self.expect({**base, "tests/unit/t.cpp": "while (!done()) {\n    std::this_thread::sleep_for(1ms);\n}\n"})

    def test_a_semicolon_in_the_name_of_a_test(self):
        base = {"tests/README.md": "x", "tests/unit/README.md": "x", "tests/unit/CMakeLists.txt": "t.cpp"}
        self.expect({**base, "tests/unit/t.cpp": 'TEST_CASE("a: b, c") { f("x;"); }\nTEST_CASE("a: b; c") {}\n'},
                    ("tests/unit/t.cpp", 2, "test_names"))

    def test_a_lambda_inside_co_await_co_spawn(self):
        self.expect(source("gateway", "co_await asio::co_spawn(ex,\n [x]() -> t { co_return; }, asio::use_awaitable);\n"),
                    ("src/gateway/b.cpp", 1, "spawned_lambdas"))
        self.expect(source("gateway", "co_await asio::co_spawn(pools[0], named(), asio::use_awaitable);\n"))

    def test_a_header_without_guard_or_contract(self):
        self.expect(source("base", "// x\n", "b.hpp"), ("src/base/b.hpp", 1, "headers"))
        self.expect(source("base", "#pragma once\n", "b.hpp"), ("src/base/b.hpp", 1, "headers"))


if __name__ == "__main__":
    unittest.main()
