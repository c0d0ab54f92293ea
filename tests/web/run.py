#!/usr/bin/env python3
"""Runs one of the scripts beside it against a fresh server, whose address it finds in FLEXCORE_URL.

usage: run.py [--build DIR] SCRIPT
"""
import argparse
import os
import subprocess
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path.insert(0, os.path.join(TESTS, "support"))
import flexcore  # noqa: E402

PLUGINS = ("orders", "counter", "echo")
BOUND_S = 110


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default=os.path.join(os.path.dirname(TESTS), "build", "release"))
    parser.add_argument("script")
    options = parser.parse_args()
    if not os.path.isdir(os.path.join(HERE, "node_modules")):
        print("the tools of these tests are not there: run tools/setup --test")
        return 1
    with flexcore.server(os.path.abspath(options.build), PLUGINS, {"http.drain_ms": 0, "log.format": "json"}) as server:
        env = {**os.environ, "FLEXCORE_URL": f"http://127.0.0.1:{server.port}", "FLEXCORE_FOLDER": server.folder}
        program = sys.executable if options.script.endswith(".py") else "node"
        done = subprocess.run([program, os.path.join(HERE, options.script)], env=env, timeout=BOUND_S, check=False)
        if done.returncode != 0:
            print(f"--- log of the server\n{server.log()}")
            return 1
        code = server.stop()
        if code != 0:
            print(f"the server exits {code} after SIGTERM\n{server.log()}")
        return code


if __name__ == "__main__":
    sys.exit(main())
