"""The sandbox's way over HTTP: forms in, JSON out."""

from __future__ import annotations

import contextlib
import json
import socket
import sys
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

Endpoint = Callable[[dict[str, str]], dict[str, Any] | None]

_LARGEST_REQUEST = 256 * 1024


class SandboxServer(ThreadingHTTPServer):
    """A server of some endpoints by path; one that returns None cuts the connection."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(
        self, address: tuple[str, int], endpoints: Mapping[str, Endpoint]
    ) -> None:
        self.endpoints = endpoints
        self._open: set[socket.socket] = set()
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Note a connection."""
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget a connection."""
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Show what went wrong, but for a client that is gone, such as a killed one."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def server_close(self) -> None:
        """Stop listening, and cut the connections that are open."""
        super().server_close()
        # Kept ones would go on being answered by their threads.
        for request in list(self._open):
            with contextlib.suppress(OSError):
                request.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60
    # Nagle's algorithm and delayed acknowledgements would cost 40 ms an answer.
    disable_nagle_algorithm = True
    server: SandboxServer

    def do_POST(self) -> None:
        form = self._read_form()
        endpoint = self.server.endpoints.get(self.path)
        if form is None:
            self.send_error(413)
        elif endpoint is None:
            self.send_error(404)
        else:
            self._answer(endpoint(form))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep quiet: the request line is all there would be to say."""

    def _read_form(self) -> dict[str, str] | None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > _LARGEST_REQUEST:
            return None
        body = self.rfile.read(length).decode("utf-8", "replace")
        return dict(parse_qsl(body, keep_blank_values=True))

    def _answer(self, answer: dict[str, Any] | None) -> None:
        if answer is None:
            self.close_connection = True
            return
        body = json.dumps(answer, ensure_ascii=False).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
