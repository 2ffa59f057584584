"""A gateway that costs as little as it can, so that what is measured is the app.

Runs in a process of its own (``with serving() as url``). Speaks the contract over
kept connections; answers after ``latency`` seconds. State codes go by the id's last
digit, so that a run holds delivered, refused and waiting messages.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import parse_qs

_CODES = ["1", "1", "1", "1", "1", "1", "2", "8", "16", "0"]
_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
)
_ids = itertools.count(800_000_000)
_requests = itertools.count(1)


class Talk(asyncio.Protocol):
    """One connection: requests in, answers out, in order."""

    latency = 0.0
    cut = 0  # of so many requests one gets no answer; 0: none

    def __init__(self) -> None:
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        lines = head.lower().split(b"\r\n")
        length = int(
            next(x for x in lines if x.startswith(b"content-length:")).split(b":")[1]
        )
        if len(rest) < length:
            return
        body, self._buffer = rest[:length], rest[length:]
        if self.cut and next(_requests) % self.cut == 0:
            self._transport.abort()
            return
        answer = _answer(lines[0], body)
        if self.latency:
            loop = asyncio.get_running_loop()
            loop.call_later(self.latency, self._transport.write, answer)
        else:
            self._transport.write(answer)


def _answer(request_line: bytes, body: bytes) -> bytes:
    form = parse_qs(body.decode())
    data = _states(form) if b"wsstates" in request_line else _sent(form)
    payload = json.dumps({"status": -1, "msg": "success", "data": data}).encode()
    return _HEAD % len(payload) + payload


def _states(form: dict[str, list[str]]) -> dict[str, str]:
    ids = form["message_ids"][0]
    codes = ",".join(_CODES[int(one[-1])] for one in ids.split(","))
    return {"msgIds": ids, "states": codes}


def _sent(form: dict[str, list[str]]) -> dict[str, object]:
    return {
        "message_id": next(_ids),
        "line": form["line"][0],
        "mobile": form["mobile"][0],
    }


async def _serve(latency: float, cut: int) -> None:
    Talk.latency, Talk.cut = latency, cut
    server = await asyncio.get_running_loop().create_server(Talk, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextlib.contextmanager
def serving(latency: float = 0.0, cut: int = 0) -> Iterator[str]:
    """Run it in another process; give its base URL."""
    command = [sys.executable, "-m", "benchmarks.gateway", str(latency), str(cut)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}/api"
        finally:
            process.terminate()


if __name__ == "__main__":
    asyncio.run(_serve(float(sys.argv[1]), int(sys.argv[2])))
