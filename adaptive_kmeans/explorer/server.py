"""The explorer's page: a small server on the loopback interface.

It serves one user on one machine. Everything is under a random token, the first part of the path;
Host must be the loopback, so that no other site's name can lead here (DNS rebinding), and Origin of
the WebSocket must be the page's own. There are five addresses, all for GET; the page itself uses
relative ones, so it does not know the token:

============== =================================================
``/TOKEN/``    the page; its query is the state
``…/page.js``, ``…/explorer.js``, ``…/explorer.css``
``…/socket``   the WebSocket, one session per connection
============== =================================================

A WebSocket frame is binary in both directions::

    ┌────────────────┬──────────────────────────────────────┬──────────────────┐
    │ length of JSON │ JSON, UTF-8, with                    │ the buffers, end │
    │ 4 bytes, LE    │ "buffers": [their lengths in bytes]  │ to end           │
    └────────────────┴──────────────────────────────────────┴──────────────────┘
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import socket
import struct
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from adaptive_kmeans.errors import ConfigError, FormatError, OutputError
from adaptive_kmeans.explorer import missing_extra
from adaptive_kmeans.explorer.images import UPLOAD, Offer
from adaptive_kmeans.explorer.session import Message, Session, describe
from adaptive_kmeans.explorer.worker import Outdated

try:
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse, Response
    from starlette.routing import Route, WebSocketRoute
    from starlette.websockets import WebSocket, WebSocketDisconnect
except ImportError as error:
    raise missing_extra(error) from error

LOOPBACK = "127.0.0.1"
HOSTS = (LOOPBACK, "localhost")
"""Names by which a browser may address this server."""
DEFAULT_PORT = 8760
TOKEN_BYTES = 24
MAX_SESSIONS = 8
"""Largest number of pages open at a time."""
MAX_JSON_BYTES = 2**16
"""Largest size of a message without its buffers."""
MAX_FRAME_BYTES = 2 * UPLOAD.file_bytes
"""Larger frames close the connection; between the upload limit and this, the page is told."""
MAX_HEAD_BYTES = 2**14
"""Largest size of a request's head."""
CLOSING_S = 2
"""Seconds that open connections have to close when the server stops."""
TRY_LATER, POLICY = 1013, 1008
"""Codes with which a WebSocket is closed."""

HERE = Path(__file__).parent
FILES = {
    "": ("page.html", "text/html; charset=utf-8"),
    "page.js": ("page.js", "text/javascript; charset=utf-8"),
    "explorer.js": ("explorer.js", "text/javascript; charset=utf-8"),
    "explorer.css": ("explorer.css", "text/css; charset=utf-8"),
}

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
SendEvent = Callable[[MutableMapping[str, Any]], Awaitable[None]]


def pack(message: Message, buffers: Sequence[bytes] = ()) -> bytes:
    """Return the frame of a message.

    Examples
    --------
    >>> unpack(pack({"type": "taken"}, [b"one", b""]))
    ({'type': 'taken'}, [b'one', b''])
    """
    said = {**message, "buffers": [len(buffer) for buffer in buffers]}
    text = json.dumps(said, ensure_ascii=False, allow_nan=False).encode()
    return b"".join((struct.pack("<I", len(text)), text, *buffers))


def unpack(frame: bytes) -> tuple[Message, list[bytes]]:
    """Return the message and the buffers of a frame.

    Raises
    ------
    FormatError
        The frame is malformed.

    Examples
    --------
    >>> unpack(b"no")
    Traceback (most recent call last):
    adaptive_kmeans.errors.FormatError: frame: expected 4 bytes of length and JSON, received 2 bytes
    """
    if len(frame) < 4:
        raise FormatError("frame", "4 bytes of length and JSON", f"{len(frame)} bytes")
    (size,) = struct.unpack_from("<I", frame)
    if not 2 <= size <= min(MAX_JSON_BYTES, len(frame) - 4):
        expected = f"2 to {min(MAX_JSON_BYTES, len(frame) - 4):,} bytes of JSON"
        raise FormatError("frame", expected, f"{size:,}")
    try:
        message = json.loads(frame[4 : 4 + size].decode(), parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise FormatError("frame", "JSON in UTF-8", "something else") from None
    if not isinstance(message, dict):
        raise FormatError("frame", "a JSON object", type(message).__name__)
    lengths = message.pop("buffers", [])
    if not isinstance(lengths, list) or not all(type(n) is int and n >= 0 for n in lengths):
        raise FormatError("frame", "a list of the buffers' lengths", "something else")
    if sum(lengths) != len(frame) - 4 - size:
        received = f"{len(frame) - 4 - size:,}"
        raise FormatError("frame", f"{sum(lengths):,} bytes of buffers", received)
    buffers, place = [], 4 + size
    for length in lengths:
        buffers.append(frame[place : place + length])
        place += length
    return message, buffers


def _refuse(constant: str) -> None:
    raise ValueError(constant)


class Server:
    """The server of a page: its address and its lifetime.

    Parameters
    ----------
    offers : sequence of Offer
        Images to choose from.
    port : int
        Where to listen; if it is in use, a free one is taken. 0 means any free one.
    """

    def __init__(self, offers: Sequence[Offer], port: int = DEFAULT_PORT) -> None:
        self._offers = list(offers)
        self._socket = _listen(port)
        self.port: int = self._socket.getsockname()[1]
        self.token = secrets.token_urlsafe(TOKEN_BYTES)
        self.sessions: set[Session] = set()
        self._threads = ThreadPoolExecutor(MAX_SESSIONS, "explorer page")
        self._server = uvicorn.Server(
            uvicorn.Config(
                self.application(),
                http="h11",
                ws="websockets-sansio",
                ws_max_size=MAX_FRAME_BYTES,
                ws_per_message_deflate=False,
                h11_max_incomplete_event_size=MAX_HEAD_BYTES,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=CLOSING_S,
            )
        )

    @property
    def address(self) -> str:
        """The address of the page."""
        return f"http://{LOOPBACK}:{self.port}/{self.token}/"

    def run(self) -> None:
        """Serve until interrupted; the interrupt is raised again as `KeyboardInterrupt`."""
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self._socket.close()
            self._threads.shutdown(wait=False, cancel_futures=True)
            for session in list(self.sessions):
                session.close()

    def stop(self) -> None:
        """Make `run` return; called from another thread."""
        self._server.should_exit = True

    def application(self) -> Callable[[Scope, Receive, SendEvent], Awaitable[None]]:
        """Return the ASGI application: the routes behind the guard."""
        routes = [
            *(Route(f"/{self.token}/{path}", self._serve_file, methods=["GET"]) for path in FILES),
            WebSocketRoute(f"/{self.token}/socket", self._serve_session),
        ]
        application = Starlette(routes=routes, exception_handlers={Exception: _fail})
        application.router.redirect_slashes = False
        return _Guard(application, self)

    async def _serve_file(self, request: Request) -> Response:
        name, kind = FILES[request.url.path.rpartition("/")[2]]
        try:
            content = (HERE / name).read_bytes()
        except OSError:
            return PlainTextResponse(f"{name}: missing from the package\n", 404)
        return Response(content, media_type=kind)

    async def _serve_session(self, socket: WebSocket) -> None:
        await socket.accept()
        if len(self.sessions) >= MAX_SESSIONS:
            expected = f"at most {MAX_SESSIONS} pages; close one"
            message, code = f"explorer: expected {expected}, received one more", 4
            said = {"type": "error", "about": "hello", "message": message, "code": code}
            await socket.send_bytes(pack(said))
            await socket.close(TRY_LATER)
            return
        loop = asyncio.get_running_loop()

        def send(message: Message, buffers: Sequence[bytes]) -> None:
            """Send from a thread of the session, as fast as the page receives."""
            frame = pack(message, buffers)
            sending = asyncio.run_coroutine_threadsafe(socket.send_bytes(frame), loop)
            try:
                sending.result()
            except Exception:  # whatever it is: nobody is listening any more
                raise Outdated from None

        session = Session(self._offers, send)
        self.sessions.add(session)
        try:
            while True:
                frame = await socket.receive()
                if frame["type"] == "websocket.disconnect":
                    break
                await loop.run_in_executor(self._threads, _take, session, frame, send)
        except (WebSocketDisconnect, Outdated):
            pass
        finally:
            session.close()
            self.sessions.discard(session)


def _take(session: Session, frame: MutableMapping[str, Any], send: Callable[..., None]) -> None:
    """Hand a frame to the session; answer a malformed one with an error."""
    try:
        if frame.get("bytes") is None:
            raise FormatError("frame", "a binary one", "text")
        message, buffers = unpack(frame["bytes"])
    except FormatError as error:
        text, code = describe(error)
        send({"type": "error", "about": "message", "message": text, "code": code}, ())
        return
    session.receive(message, buffers)


async def _fail(_: Request, error: Exception) -> Response:
    return PlainTextResponse("internal error\n", 500)


class _Guard:
    """Lets through only requests from the page itself, and adds headers that isolate the page."""

    def __init__(self, application: Starlette, server: Server) -> None:
        self._application = application
        self._server = server

    async def __call__(self, scope: Scope, receive: Receive, send: SendEvent) -> None:
        refused = self._refusal(scope)
        if refused is not None and scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": POLICY})  # the handshake gets a 403
            return
        headers = [(key.encode(), value.encode()) for key, value in self._headers().items()]

        async def send_guarded(event: MutableMapping[str, Any]) -> None:
            if event["type"] == "http.response.start":
                event = {**event, "headers": [*event.get("headers", ()), *headers]}
            await send(event)

        if refused is not None:
            status, line = refused
            await PlainTextResponse(f"{line}\n", status)(scope, receive, send_guarded)
            return
        await self._application(scope, receive, send_guarded)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Return the status and reason if a request is refused, else None."""
        own = [f"{host}:{self._server.port}" for host in HOSTS]
        headers = scope["headers"]
        head = sum(len(key) + len(value) for key, value in headers)
        if head + len(scope["raw_path"]) + len(scope["query_string"]) > MAX_HEAD_BYTES:
            return 431, "request: expected a shorter head"
        hosts = [value.decode("latin-1") for key, value in headers if key == b"host"]
        if len(hosts) != 1 or hosts[0] not in own:
            return 421, "host: expected the loopback"
        origins = [value.decode("latin-1") for key, value in headers if key == b"origin"]
        allowed = [f"http://{host}" for host in own]
        needed = scope["type"] == "websocket"
        if any(origin not in allowed for origin in origins) or (needed and len(origins) != 1):
            return 403, "origin: expected the page's own"
        token = scope["path"].split("/")[1] if scope["path"].startswith("/") else ""
        if not secrets.compare_digest(token.encode(), self._server.token.encode()):
            return 404, "not found: open the address that the command printed"
        return None

    def _headers(self) -> dict[str, str]:
        sockets = " ".join(f"ws://{host}:{self._server.port}" for host in HOSTS)
        policy = {
            "default-src": "'none'",
            "script-src": "'self'",
            "style-src": "'self'",
            "img-src": "'self' blob: data:",
            "connect-src": f"'self' {sockets}",
            "base-uri": "'none'",
            "form-action": "'none'",
            "frame-ancestors": "'none'",
        }
        return {
            "content-security-policy": "; ".join(f"{key} {v}" for key, v in policy.items()),
            "cache-control": "no-store",
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
            "cross-origin-opener-policy": "same-origin",
            "cross-origin-resource-policy": "same-origin",
            "x-frame-options": "DENY",
        }


def _listen(port: int) -> socket.socket:
    """Return a socket bound to the loopback interface, at the port or at a free one."""
    if not 0 <= port < 2**16:
        raise ConfigError("port", "0..65535", port)
    for tried in (port, 0):
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        with contextlib.suppress(OSError):
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((LOOPBACK, tried))
            listener.listen()  # lets a browser that is faster than the server wait
            return listener
        listener.close()
    raise OutputError("port", "a free one on the loopback", "none")
