#!/usr/bin/env python3
"""Plays scenarios: each against a fresh server with an empty data folder. The format is described in README.md.

usage: run.py [--build DIR] [--keep-log] FILE [TITLE]
"""
import argparse
import json
import os
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "support"))
import flexcore  # noqa: E402
import openapi  # noqa: E402
import script  # noqa: E402
from matching import fill, mismatch  # noqa: E402
from streams import event_stream, raw_connection  # noqa: E402

PROBLEM = ("type", "title", "status", "detail", "instance", "code", "request_id")


class player:
    def __init__(self, build, one):
        self.one = one
        self.bound = {"plugins": os.path.join(build, "plugins")}
        settings = {name: fill(value, self.bound) for name, value in one.settings.items()}
        self.server = flexcore.server(build, one.plugins, {"http.drain_ms": 0, **settings})
        self.last_head = None      # set once nothing may be written any more
        self.streams = {}
        self.client = None
        self.openapi = None
        self.raw = None            # the connection of the last raw step
        self.asked = []            # what that connection has asked for and got no answer to: (method, target)

    def play(self):
        with self.server:
            try:
                self._connect()
                for step in self.one.steps:
                    try:
                        getattr(self, "_" + step.kind)(step)
                        self._nothing_written()
                        if not self.server.running():
                            raise flexcore.failure(f"the server ended (exit {self.server.process.returncode})")
                    except (flexcore.failure, OSError, ValueError) as error:
                        raise flexcore.failure(f"line {step.line}: {step.head}\n  {error}") from error
                self._alive()
            except (flexcore.failure, OSError, ValueError) as error:
                raise flexcore.failure(f"{error}\n--- log of the server\n{self.server.log(4000)}") from error
            code = self.server.stop()
            if code != 0:
                raise flexcore.failure(f"the server exits {code} after SIGTERM\n{self.server.log()}")

    def _connect(self):
        self.client = self.server.client()
        # Each answer is held here, not only the first of a kind.
        self.openapi = openapi.checker(self.client.ask("GET", "/openapi.json").json())

    def _alive(self):
        answer = self.server.client().ask("GET", "/livez")
        if answer.status != 200:
            raise flexcore.failure(f"/livez answers {answer.status}")

    def _nothing_written(self):
        if self.last_head is None:
            return
        head = flexcore.head(self.server.client())
        if head != self.last_head:
            raise flexcore.failure(f"something was written: the head moved from {self.last_head} to {head}")

    def _filled(self, text):
        return script.expand(fill(text, self.bound))

    def _request(self, step):
        method, target, *flags = self._filled(step.head).split(" ")
        headers, lines = script.split_headers(self._filled("\n".join(step.lines)).split("\n") if step.lines else [])
        body = "\n".join(lines) if lines else None
        headers = {name: value if value != "none" else None for name, value in headers}
        if len(step.expects) != 1:
            raise ValueError("one answer per request")

        def attempt():
            answer = self.client.ask(method, target, body, headers)
            trial = dict(self.bound)
            wrong = self._wrong(step.expects[0], answer, trial)
            return answer, trial, wrong

        if "eventually" in flags:
            last = [None]

            def holds():
                last[0] = attempt()
                return last[0][2] is None
            try:
                flexcore.wait_until(holds, "the answer")
            except flexcore.failure as late:
                raise flexcore.failure(f"{late}; last: {last[0][2]}") from late
            answer, trial, wrong = last[0]
        else:
            answer, trial, wrong = attempt()
        if wrong:
            raise flexcore.failure(wrong)
        self.bound = trial
        wrong = self.openapi.problem(method, target, answer)
        if wrong:
            raise flexcore.failure(wrong)

    def _raw(self, step):
        flags = step.head.split()[1:]
        if "continue" not in flags:
            if self.raw is not None:
                self.raw.close()
            self.raw = raw_connection(self.server.port)
            self.asked = []
        lines = [fill(line, self.bound) for line in step.lines]
        again = b""
        if "endless" in flags:
            mark = lines.index("(again)")
            again = script.raw_bytes(lines[mark + 1:])
            lines = lines[:mark]
        data = script.raw_bytes(lines)
        self.asked += script.requests_in(data)
        self.raw.send(data, again, "half-close" in flags)
        for expected in step.expects:
            words = expected.head.split()
            if words[0] == "part":
                self._part(words[1:], expected.lines)
            elif words == ["end"]:
                self.raw.expect_end()
            elif words[0] == "any":
                self.raw.drain()
            elif words != ["closed"]:
                answer = self.raw.reply(of_head="head" in words)
                wrong = self._wrong(expected, answer, self.bound)
                if not wrong and answer.status != 100:
                    method, target = self.asked.pop(0) if self.asked else (None, None)
                    wrong = self.openapi.problem(method, target, answer, "head" in words)
                if wrong:
                    raise flexcore.failure(wrong)
            if "closed" in words:
                self.raw.expect_closed()

    def _part(self, status, lines):
        """The next lines of an answer that is still being sent."""
        if status and str(self.raw.begin()) != status[0]:
            raise flexcore.failure(f"expected {status[0]}, got {self.raw.begin()}")
        for line in filter(str.strip, lines):
            wrong = mismatch(json.loads(line), json.loads(self.raw.line()), self.bound)
            if wrong:
                raise flexcore.failure(wrong)

    def _wrong(self, expected, answer, bound):
        """None, or how the answer differs from what is expected."""
        words = expected.head.split()
        shown = f"{answer.status} {answer.body[:600].decode('utf-8', 'replace')}"
        if str(answer.status) != words[0] and words[0] != f"{answer.status // 100}xx":
            return f"expected {words[0]}, got {shown}"
        headers, lines = script.split_headers(expected.lines)
        for name, pattern in headers:
            value = answer.header(name)
            if pattern == "-":
                if value is not None:
                    return f"header {name} is there: {value}"
                continue
            wrong = mismatch(pattern, value, bound, name) if value is not None else f"{name} is missing"
            if wrong:
                return f"header {wrong}"
        flags = [w for w in words[1:] if w in ("ndjson", "text", "empty", "json", "closed", "head")]
        code = next((w for w in words[1:] if w not in flags), None)
        if answer.status >= 400 and "head" not in flags:
            wrong = self._problem(answer, code)
            if wrong:
                return f"{wrong}: {shown}"
        text = "\n".join(lines).strip()
        if "empty" in flags:
            return None if not answer.body else f"expected no body, got {shown}"
        if "text" in flags:
            body = answer.body.decode("utf-8", "replace")
            missing = [line for line in lines if line and fill(line, bound) not in body]
            return f"the body lacks {missing[0]!r}: {shown}" if missing else None
        if not text:
            return None
        if "ndjson" in flags:
            pattern = [json.loads(line) for line in text.split("\n")]
            return mismatch(pattern, [json.loads(line) for line in answer.body.decode().split("\n") if line], bound)
        return mismatch(json.loads(text), json.loads(answer.body), bound, loose=answer.status >= 400)

    @staticmethod
    def _problem(answer, code):
        """Every error is application/problem+json with all standard members."""
        media = answer.header("content-type") or ""
        if media.split(";")[0] != "application/problem+json":
            return f"an error as {media!r}"
        problem = answer.json()
        for name in PROBLEM:
            if name not in problem:
                return f"a problem without {name}"
        if problem["status"] != answer.status:
            return "status differs from the status line"
        if problem["type"] != "/problems/" + problem["code"]:
            return "type does not name the code"
        if problem["request_id"] != answer.header("x-request-id"):
            return "request_id differs from X-Request-Id"
        if code is not None and problem["code"] != code:
            return f"expected code {code}"
        return None

    def _do(self, step):
        words = self._filled(step.head).split(" ")
        if words[0] == "log":
            after = words[2] if words[1:2] == ["after"] else "0"
            self._compare(step.lines, flexcore.whole_log(self.client, after), "event")
        elif step.head == "nothing is written from here":
            self.last_head = flexcore.head(self.client)
        elif step.head in ("restart", "kill"):
            if step.head == "restart":
                code = self.server.stop()
                if code != 0:
                    raise flexcore.failure(f"the server exits {code} after SIGTERM")
            else:
                self.server.kill()
            self.server.start()
            self._connect()
        elif words[0] == "sse":
            self._sse(words[1:], step)
        else:
            raise ValueError(f"unknown step {step.head!r}")

    def _sse(self, words, step):
        if words[0] == "open":
            headers, _ = script.split_headers([self._filled(line) for line in step.lines])
            self.streams[words[1]] = event_stream(self.server.port, words[2], dict(headers))
        elif words[0] == "close":
            self.streams.pop(words[1]).close()
        else:
            stream = self.streams[words[0]]
            for line in filter(str.strip, step.lines):
                pattern = json.loads(line)
                frame = stream.next(pattern)
                wrong = mismatch(pattern, frame, self.bound, loose=True)
                if not wrong and "stream" in (frame.get("data") or ()):
                    wrong = self.openapi.event(frame["data"])
                if wrong:
                    raise flexcore.failure(f"server-sent event {wrong}")

    def _compare(self, lines, values, what):
        patterns = [json.loads(line) for line in lines if line.strip()]
        if len(patterns) != len(values):
            raise flexcore.failure(f"expected {len(patterns)} {what}s, there are {len(values)}: {json.dumps(values)[:800]}")
        for number, (pattern, value) in enumerate(zip(patterns, values), 1):
            wrong = mismatch(pattern, value, self.bound, loose=True)
            if wrong:
                raise flexcore.failure(f"{what} {number} {wrong}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default=os.path.join(os.path.dirname(os.path.dirname(HERE)), "build", "release"))
    parser.add_argument("file")
    parser.add_argument("title", nargs="?")
    options = parser.parse_args()
    scenarios = script.read(options.file)
    chosen = [s for s in scenarios if options.title in (None, s.title)]
    if not chosen:
        print(f"{options.file} has no scenario {options.title!r}")
        return 2
    failed = 0
    for one in chosen:
        try:
            player(os.path.abspath(options.build), one).play()
            print(f"ok      {one.title}", flush=True)
        except flexcore.failure as error:
            failed += 1
            print(f"FAILED  {one.title}\n{os.path.relpath(options.file)}: {error}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
