#!/usr/bin/env python3
"""What a person at a terminal sees: `--watch` draws anew in place, progress is one line that is redrawn, Ctrl-C ends both. The
terminal is a pseudo-terminal of the kernel, so Ctrl-C is the key, not a signal sent by the test.

usage: terminal.py [--build DIR]
"""
import argparse
import codecs
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path[:0] = [os.path.join(TESTS, "support")]
import flexcore  # noqa: E402

BUILD = os.path.join(os.path.dirname(TESTS), "build", "release")
CTRL_C = b"\x03"
BAR = re.compile(r"\[(#*) *\] +(\d+)%  [\d,]+ appends, [\d,]+/s")


class screen:
    """The lines of a terminal. Knows what the program may use; anything else fails."""

    def __init__(self, rows, columns):
        self.rows, self.columns = rows, columns
        self.lines = [""] * rows
        self.row = self.column = 0
        self.scrolled = []  # lines that have left it at the top
        self.cleared = 0

    def put(self, text):
        """The rest that is no complete sequence as yet."""
        at = 0
        while at < len(text):
            if text[at] == "\x1b":
                sequence = re.compile(r"\x1b\[(\d*)([A-Za-z])").match(text, at)
                if sequence is None:
                    if len(text) - at < 8:
                        return text[at:]
                    raise flexcore.failure(f"no sequence of a terminal: {text[at:at + 8]!r}")
                self._control(*sequence.groups())
                at = sequence.end()
                continue
            self._character(text[at])
            at += 1
        return ""

    def _control(self, number, what):
        if (number, what) == ("", "H"):
            self.row = self.column = 0
        elif (number, what) == ("2", "J"):
            self.lines = [""] * self.rows
            self.cleared += 1
        elif (number, what) == ("", "J"):
            self.lines[self.row] = self.lines[self.row][:self.column]
            self.lines[self.row + 1:] = [""] * (self.rows - self.row - 1)
        elif (number, what) == ("", "K"):
            self.lines[self.row] = self.lines[self.row][:self.column]
        else:
            raise flexcore.failure(f"unknown sequence ESC [ {number} {what}")

    def _character(self, one):
        if one == "\r":
            self.column = 0
        elif one == "\n":
            self._next_line()
        elif one >= " ":
            if self.column == self.columns:
                self.column = 0
                self._next_line()
            line = self.lines[self.row].ljust(self.column)
            self.lines[self.row] = line[:self.column] + one + line[self.column + 1:]
            self.column += 1
        else:
            raise flexcore.failure(f"the control character {one!r}")

    def _next_line(self):
        if self.row + 1 < self.rows:
            self.row += 1
        else:
            self.scrolled.append(self.lines.pop(0))
            self.lines.append("")

    def shown(self):
        return "\n".join(line.rstrip() for line in self.lines).rstrip("\n")


class terminal:
    """A program at a terminal of its own. Lifetime: `close` kills it."""

    def __init__(self, words, rows=24, columns=80):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.screen, self.raw, self._rest = screen(rows, columns), "", ""
        self._decoder = codecs.getincrementaldecoder("utf-8")()

        def take_terminal():
            flexcore._die_with_parent()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        self.process = subprocess.Popen([os.path.join(BUILD, "flexcore"), *words], stdin=slave, stdout=slave, stderr=slave,
                                        start_new_session=True, preexec_fn=take_terminal)
        os.close(slave)

    def press(self, key):
        os.write(self.master, key)

    def _look(self, bound_s):
        """Whether more may come."""
        if not select.select([self.master], [], [], bound_s)[0]:
            return True
        try:
            data = os.read(self.master, 65536)
        except OSError:  # EIO: nobody has the other end any more
            return False
        text = self._decoder.decode(data)
        self.raw += text
        self._rest = self.screen.put(self._rest + text)
        return bool(data)

    def until(self, condition, what):
        end = time.monotonic() + flexcore.SOON_S
        while not condition():
            if not self._look(0.05) or time.monotonic() > end:
                raise flexcore.failure(f"not seen: {what}; the screen:\n{self.screen.shown()}")

    def ended(self):
        """Its exit code, after all that it has written."""
        end = time.monotonic() + flexcore.SOON_S
        while self._look(0.05):
            if time.monotonic() > end:
                raise flexcore.failure(f"it goes on; the screen:\n{self.screen.shown()}")
        return self.process.wait(flexcore.SOON_S)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)


class at_a_terminal(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = flexcore.server(BUILD, ["counter"])
        cls.server.start()

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def at(self, *words, **size):
        one = terminal([*words, "--url", f"http://127.0.0.1:{self.server.port}"], **size)
        self.addCleanup(one.close)
        return one

    def count(self, *names):
        """Counts each once, and waits until it can be read."""
        client = self.server.client()
        commands = [{"type": "counter.increment", "id": name, "data": {}} for name in names]
        answer = client.ask("POST", "/v1/commands/batch", {"commands": commands})
        position = answer.json()["results"][-1]["position"]
        self.assertEqual(200, client.ask("GET", f"/v1/read-models/counters?limit=1&min_position={position}&wait_ms=30000").status)
        client.close()

    def test_watch_draws_anew_in_place_until_ctrl_c(self):
        self.count("watched")
        one = self.at("read-model", "get", "counters", "watched", "--watch", "--every", "0.1")
        one.until(lambda: re.search(r'"?value"?\W+1\b', one.screen.shown()), "the row with 1")
        looks = one.raw.count("\x1b[H")
        one.until(lambda: one.raw.count("\x1b[H") > looks, "the whole of it, drawn once more")
        before = one.screen.shown()
        self.count("watched")
        one.until(lambda: re.search(r'"?value"?\W+2\b', one.screen.shown()), "the row with 2")
        looks = one.raw.count("\x1b[H")
        one.until(lambda: one.raw.count("\x1b[H") > looks, "the whole of it, drawn once more")
        after = one.screen.shown()
        self.assertEqual(before.count("\n"), after.count("\n"), f"drawn below, not in place:\n{after}")
        self.assertEqual(before.count("value"), after.count("value"), after)
        one.press(CTRL_C)
        self.assertEqual(0, one.ended())
        self.assertEqual(1, one.screen.cleared, "cleared at the begin only: else it flickers")
        self.assertEqual([], one.screen.scrolled)
        self.assertTrue(one.raw.endswith("\n"), "the shell's prompt would stand behind the text")

    def test_watch_of_more_rows_than_the_terminal_has_does_not_scroll(self):
        self.count(*[f"row-{number}" for number in range(30)])
        one = self.at("read-model", "list", "counters", "--watch", "--every", "0.1", rows=10, columns=60)
        one.until(lambda: one.raw.count("\x1b[H") >= 4, "four looks")
        self.assertEqual([], one.screen.scrolled)
        one.press(CTRL_C)
        self.assertEqual(0, one.ended())

    def test_progress_is_one_line_that_is_redrawn_and_stays(self):
        one = self.at("bench", "append", "--seconds", "4", "--connections", "2", "--rate", "100")
        self.assertEqual(0, one.ended())
        found = BAR.findall(one.raw)
        self.assertGreaterEqual(len(found), 3, one.raw)
        self.assertEqual(len(found), one.raw.count("\r\x1b[K"), "each time it is redrawn over itself")
        shares = [int(share) for _, share in found]
        self.assertEqual(sorted(shares), shares)
        self.assertEqual((30 * "#", "100"), found[-1])
        self.assertLess(shares[0], 100)
        shown = one.screen.shown()
        self.assertEqual(1, len(BAR.findall(shown)), shown)
        self.assertRegex(shown.split("%", 1)[1], r"\nrate +\d+ appends/s")

    def test_ctrl_c_ends_what_has_progress_with_what_it_has(self):
        one = self.at("bench", "append", "--seconds", "600", "--connections", "2", "--rate", "100")
        one.until(lambda: len(BAR.findall(one.raw)) >= 8, "progress")
        one.press(CTRL_C)
        self.assertEqual(130, one.ended())
        shown = one.screen.shown()
        self.assertEqual(1, len(BAR.findall(shown)), shown)
        self.assertRegex(shown, r"\nrate ")


class screens(unittest.TestCase):
    """The terminal of these tests tells one from the other."""

    def test_in_place_and_below(self):
        one = screen(3, 10)
        self.assertEqual("", one.put("\x1b[2J\x1b[Ha 1\x1b[K\r\nlonger\x1b[K\r\n\x1b[J\x1b[Ha 2\x1b[K\r\nx\x1b[K\r\n\x1b[J"))
        self.assertEqual(("a 2\nx", [], 1), (one.shown(), one.scrolled, one.cleared))
        one.put("b\r\nc")
        self.assertEqual(("x\nb\nc", ["a 2"]), (one.shown(), one.scrolled))
        self.assertEqual("\x1b[", one.put("\r\x1b[Kdd\x1b["))
        self.assertEqual("x\nb\ndd", one.shown())
        with self.assertRaises(flexcore.failure):
            one.put("\x1b[7m")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default=BUILD)
    options, rest = parser.parse_known_args()
    BUILD = os.path.abspath(options.build)
    unittest.main(argv=[sys.argv[0], *rest])
