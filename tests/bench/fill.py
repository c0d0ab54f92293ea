"""Events in quantity, quickly: bulk appends over one connection."""
import itertools
import json
import re

import flexcore
from streams import raw_connection

LINES_PER_REQUEST = 200


def fill(server, line, events, per_line=100):
    """Appends `line`, of `per_line` events (marks $(n) and $(mN) count lines), until that many are there."""
    counter = itertools.count()

    def render():
        n = next(counter)
        return re.sub(r"\$\((?:n|m(\d+))\)", lambda m: str(n % int(m.group(1)) if m.group(1) else n), line)

    missing = events // per_line
    while missing > 0:
        count = min(missing, LINES_PER_REQUEST)
        missing -= count
        body = ("\n".join(render() for _ in range(count)) + "\n").encode()
        connection = raw_connection(server.port)
        try:
            connection.send(b"POST /v1/append HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\nContent-Length: %d\r\n\r\n"
                            % len(body) + body)
            if connection.begin() != 200:
                raise flexcore.failure("bulk append refused")
            for _ in range(count):
                answer = json.loads(connection.line())
                if "last_version" not in answer:
                    raise flexcore.failure(f"a line was refused: {answer}")
            connection.expect_end()
        finally:
            connection.close()
