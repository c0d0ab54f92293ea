// GET /v1/events/socket with a client that is not ours.
import assert from "node:assert/strict";
import WebSocket from "ws";

const url = process.env.FLEXCORE_URL;
const socketUrl = url.replace("http", "ws") + "/v1/events/socket";

async function append(stream, count) {
  const events = Array.from({ length: count }, (_, n) => ({ type: "web.said", data: { n } }));
  const answer = await fetch(`${url}/v1/streams/${stream}/events`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ events }),
  });
  assert.equal(answer.status, 201);
}

function open(query, options) {
  const socket = new WebSocket(socketUrl + query, options);
  const got = [];
  let waiting = null;
  const settle = () => {
    if (waiting && got.length >= waiting.count) waiting.resolve();
  };
  socket.on("message", (data, binary) => {
    assert.equal(binary, false);
    got.push(JSON.parse(data));
    settle();
  });
  const closed = new Promise((resolve) => socket.on("close", (code, reason) => resolve({ code, reason: String(reason) })));
  return {
    socket,
    got,
    closed,
    opened: new Promise((resolve, reject) => {
      socket.on("open", resolve);
      socket.on("error", reject);
    }),
    has: (count) => new Promise((resolve) => {
      waiting = { count, resolve };
      settle();
    }),
    pong: () => new Promise((resolve) => {
      socket.once("pong", resolve);
      socket.ping();
    }),
  };
}

// Credits, the large ones too, and nothing beyond them.
await append("web-1", 700);
const follower = open("?after=0&categories=web");
await follower.opened;
await follower.pong();
assert.equal(follower.got.length, 0);
for (const [credit, total] of [[1, 1], [99, 100], [600, 700]]) {
  follower.socket.send(JSON.stringify({ credit }));
  await follower.has(total);
  await follower.pong();
  assert.equal(follower.got.length, total);
}
follower.socket.send('{"credit":10}');
await append("other-1", 3);
await append("web-1", 3);
await follower.has(703);
assert.deepEqual(follower.got.map((event) => event.version), Array.from({ length: 703 }, (_, n) => n + 1));
assert.equal(follower.got.at(-1).data.n, 2);
follower.socket.close(1000);
assert.equal((await follower.closed).code, 1000);

// The extension this client offers is not taken; a fragmented message is.
const second = open("?after=700&types=web.said", { perMessageDeflate: true });
await second.opened;
assert.equal(second.socket.extensions, "");
second.socket.send('{"cre', { fin: false });
second.socket.send('dit":2}', { fin: true });
await second.has(2);
second.socket.send("{}");
const said = await second.closed;
assert.equal(said.code, 1008);
assert.match(said.reason, /credit/);

// A page of a stranger.
await assert.rejects(open("", { origin: "http://evil.example" }).opened, /403/);
const own = open("", { origin: url });
await own.opened;
own.socket.close();
await own.closed;
console.log("ok");
