"""The explorer's server: what it serves, what it refuses, and that it lives on."""

import contextlib
import io
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import zlib

import numpy as np
import pytest
from PIL import Image

import adaptive_kmeans as akm
from adaptive_kmeans.explorer import images
from adaptive_kmeans.explorer.state import ExplorerState

httpx = pytest.importorskip("httpx")
server_module = pytest.importorskip("adaptive_kmeans.explorer.server")
client_module = pytest.importorskip("websockets.sync.client")

from adaptive_kmeans.explorer.server import (  # noqa: E402
    FILES,
    MAX_FRAME_BYTES,
    MAX_SESSIONS,
    Server,
    pack,
)


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def bomb(width, height):
    """A PNG that claims a size, and holds little."""

    def chunk(kind, payload):
        return struct.pack(">I", len(payload)) + kind + payload + struct.pack(
            ">I", zlib.crc32(kind + payload)
        )  # fmt: skip

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(10**6))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.fixture(scope="module")
def cat():
    return np.arange(40 * 50 * 3, dtype=np.uint32).reshape(40, 50, 3).astype(np.uint8)


@pytest.fixture(scope="module")
def server(cat):
    server = Server([images.offer_pixels(cat, "cat")], 0)
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_until(lambda: is_open(server.port))
    yield server
    server.stop()
    thread.join(30)
    assert not thread.is_alive()


def wait_until(holds, seconds=20):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_open(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


class Page:
    """A page's end of the WebSocket, which reads frames by their description alone."""

    def __init__(self, server, path="socket", token=None, **others):
        token = server.token if token is None else token
        others.setdefault("origin", f"http://127.0.0.1:{server.port}")
        self._connection = client_module.connect(
            f"ws://127.0.0.1:{server.port}/{token}/{path}",
            max_size=None,
            compression=None,
            open_timeout=20,
            close_timeout=1,
            **others,
        )

    def __enter__(self):
        self.socket = self._connection.__enter__()
        return self

    def __exit__(self, *error):
        self._connection.__exit__(*error)

    def say(self, kind, *buffers, **fields):
        self.socket.send(pack({"type": kind, **fields}, buffers))

    def hear(self, kind):
        """Return the next message of a kind, and its buffers."""
        while True:
            frame = self.socket.recv(timeout=180)
            size = int.from_bytes(frame[:4], "little")
            message, rest = json.loads(frame[4 : 4 + size]), frame[4 + size :]
            buffers = []
            for length in message["buffers"]:
                buffers.append(rest[:length])
                rest = rest[length:]
            assert rest == b""
            if message["type"] == kind:
                return message, buffers


def check_alive(server):
    """The server still shows a page and makes files."""
    assert httpx.get(server.address).status_code == 200
    with Page(server) as page:
        page.say("hello", query="method=regular&k=3")
        assert page.hear("file")[0]["codebooks"] == [3]


def test_the_page_and_its_files_are_served_with_headers_that_keep_them_apart(server):
    for path in FILES:
        answer = httpx.get(server.address + path)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "frame-ancestors 'none'" in policy
        assert "server" not in answer.headers
    assert httpx.get(server.address).headers["content-type"] == "text/html; charset=utf-8"
    module = httpx.get(server.address + "explorer.js")
    assert module.headers["content-type"] == "text/javascript; charset=utf-8"
    assert httpx.get(server.address + "?method=regular&k=3").status_code == 200
    localhost = server.address.replace("127.0.0.1", "localhost")
    assert httpx.get(localhost).status_code == 200


def test_nothing_of_the_page_comes_from_elsewhere(server):
    for path in FILES:
        text = httpx.get(server.address + path).text
        for url in re.findall(r"""(?:https?:)?//[a-z][\w.-]+\.[a-z]{2,}""", text):
            assert url == "http://www.w3.org"  # a namespace, not an address


def test_the_server_listens_on_the_loopback_alone(server):
    assert server._socket.getsockname()[0] == "127.0.0.1"
    assert len(server.token) >= 32


def test_a_page_gets_what_a_session_answers(server, cat):
    with Page(server) as page:
        page.say("hello", query="?method=regions&k1=3&k2=5&restoration=false")
        welcome, _ = page.hear("welcome")
        assert welcome["state"]["k2"] == 5
        assert not welcome["saves"]
        assert page.hear("original")[1] == [cat.tobytes()]
        picture, (indices, _, codebooks) = page.hear("picture")
        expected = akm.quantize(cat, akm.Settings.published(3, 5))
        assert np.array_equal(np.frombuffer(indices, "<u2").reshape(40, 50), expected.index_map)
        assert codebooks == np.concatenate(expected.codebooks).tobytes()
        assert picture["is_final"]
        data = akm.encode(cat, akm.Settings.published(3, 5))
        file, buffers = page.hear("file")
        assert file["bytes"] == len(data)
        assert buffers[0] == akm.decode(data).tobytes()
        page.say("take", what="akm")
        assert page.hear("taken")[1] == [data]
        page.say("upload", png(cat[:9]), name="mine.png")
        assert page.hear("images")[0]["state"]["image"] == "mine"


def test_two_pages_have_images_of_their_own(server, cat):
    with Page(server) as one, Page(server) as other:
        one.say("upload", png(cat[:9]), name="mine.png")
        one.hear("images")
        other.say("hello", query="")
        assert [image["name"] for image in other.hear("welcome")[0]["images"]] == ["cat"]
        state = ExplorerState(image="mine", method="regular", k=2).to_dict()
        other.say("state", number=1, state=state)
        assert "expected one of cat" in other.hear("error")[0]["message"]
        one.say("state", number=1, state=state)
        assert one.hear("file")[0]["height"] == 9


def test_closing_a_page_ends_its_session(server):
    with Page(server) as page:
        page.say("hello", query="effort=9&quality=95")
        page.hear("picture")
        (session,) = server.sessions
    wait_until(lambda: not server.sessions)
    assert session.join(20)
    assert session._chosen is None


def test_more_pages_than_allowed_are_told_so(server):
    with contextlib.ExitStack() as stack:
        pages = [stack.enter_context(Page(server)) for _ in range(MAX_SESSIONS)]
        wait_until(lambda: len(server.sessions) == MAX_SESSIONS)
        with Page(server) as late:
            error, _ = late.hear("error")
            assert error["code"] == 4
        assert len(pages) == MAX_SESSIONS
    wait_until(lambda: not server.sessions)
    check_alive(server)


# hostile requests

REQUESTS = {
    "no token": ("GET", "/", {}, 404),
    "wrong token": ("GET", "/wrong/", {}, 404),
    "part of the token": ("GET", "/{token:.20}/", {}, 404),
    "longer token": ("GET", "/{token}x/", {}, 404),
    "token in the query": ("GET", "/?token={token}", {}, 404),
    "module without token": ("GET", "/explorer.js", {}, 404),
    "no slash": ("GET", "/{token}", {}, 404),
    "two slashes": ("GET", "//{token}/", {}, 404),
    "another file": ("GET", "/{token}/server.py", {}, 404),
    "path with dots": ("GET", "/{token}/../{token}/../../etc/passwd", {}, 404),
    "path with coded dots": ("GET", "/{token}/%2e%2e/%2e%2e/etc/passwd", {}, 404),
    "path with coded slashes": ("GET", "/{token}/..%2fserver.py", {}, 404),
    "path with a backslash": ("GET", "/{token}/..\\server.py", {}, 404),
    "path with NUL": ("GET", "/{token}/explorer.js%00.py", {}, 404),
    "path that is not UTF-8": ("GET", "/%ff%fe/{token}", {}, 404),
    "favicon": ("GET", "/favicon.ico", {}, 404),
    "another host": ("GET", "/{token}/", {"Host": "evil.example"}, 421),
    "rebound host": ("GET", "/{token}/", {"Host": "localhost.evil.example:{port}"}, 421),
    "host of another port": ("GET", "/{token}/", {"Host": "127.0.0.1:1"}, 421),
    "host without port": ("GET", "/{token}/", {"Host": "127.0.0.1"}, 421),
    "host with a user": ("GET", "/{token}/", {"Host": "127.0.0.1:{port}@evil.example"}, 421),
    "another origin": ("GET", "/{token}/", {"Origin": "http://evil.example"}, 403),
    "null origin": ("GET", "/{token}/", {"Origin": "null"}, 403),
    "secure origin": ("GET", "/{token}/", {"Origin": "https://127.0.0.1:{port}"}, 403),
    "origin of another port": ("GET", "/{token}/", {"Origin": "http://127.0.0.1:1"}, 403),
    "post": ("POST", "/{token}/", {"Content-Length": "0"}, 405),
    "put": ("PUT", "/{token}/explorer.js", {"Content-Length": "0"}, 405),
    "delete": ("DELETE", "/{token}/explorer.js", {}, 405),
    "options": ("OPTIONS", "/{token}/", {}, 405),
    "made-up method": ("BREW", "/{token}/", {}, 405),
    "post with a huge body": ("POST", "/{token}/", {"Content-Length": "99999999999"}, 405),
    "socket without upgrade": ("GET", "/{token}/socket", {}, 404),
    "negative length": ("POST", "/{token}/", {"Content-Length": "-5"}, 400),
    "two lengths": ("POST", "/{token}/", {"Content-Length": "5, 6"}, 400),
    "unknown coding": ("POST", "/{token}/", {"Transfer-Encoding": "gzip"}, 400),
    "huge header": ("GET", "/{token}/", {"X-Filler": "x" * 30_000}, 431),
    "huge path": ("GET", "/{token}/" + "x" * 30_000, {}, 431),
    "header beyond all": ("GET", "/{token}/", {"X-Filler": "x" * 300_000}, 400),
}


def ask(server, request: bytes) -> bytes:
    """Send bytes and return what comes back until the server closes or falls silent."""
    with socket.create_connection(("127.0.0.1", server.port), 20) as connection:
        with contextlib.suppress(OSError):  # refused before all of it was sent
            connection.sendall(request)
        connection.settimeout(10)
        answer = b""
        with contextlib.suppress(OSError):
            while b"\r\n\r\n" not in answer and (part := connection.recv(65536)):
                answer += part
        with contextlib.suppress(OSError):
            connection.settimeout(0.2)
            while part := connection.recv(65536):
                answer += part
    return answer


@pytest.mark.parametrize(("method", "path", "headers", "status"), REQUESTS.values(), ids=REQUESTS)
def test_a_hostile_request_is_refused(server, method, path, headers, status):
    names = {"token": server.token, "port": server.port}
    headers = {"Host": "127.0.0.1:{port}", "Connection": "close", **headers}
    lines = [f"{method} {path.format(**names)} HTTP/1.1"]
    lines += [f"{key}: {value.format(**names)}" for key, value in headers.items()]
    answer = ask(server, "\r\n".join([*lines, "", ""]).encode())
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status), answer[:200]
    assert server.token.encode() not in answer
    assert b"Traceback" not in answer
    assert body.count(b"\n") <= 1
    assert httpx.get(server.address).status_code == 200


@pytest.mark.parametrize(
    "request_",
    [
        b"\x00" * 5000,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x07" * 500,  # TLS
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",  # no host
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"x" * 200_000,
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=lambda request: repr(request[:20]),
)
def test_what_is_not_http_is_refused(server, request_):
    answer = ask(server, request_)
    assert b" 200 " not in answer.partition(b"\r\n")[0]
    assert httpx.get(server.address).status_code == 200


@pytest.mark.parametrize(
    "others",
    [
        {"token": "wrong"},
        {"token": ""},
        {"path": "explorer.js"},
        {"path": ""},
        {"path": "../socket"},
        {"origin": None},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "https://localhost"},
        {"additional_headers": {"Origin": "http://evil.example"}},
    ],
    ids=repr,
)
def test_a_hostile_handshake_is_refused(server, others):
    from websockets.exceptions import InvalidStatus

    with pytest.raises(InvalidStatus) as refused, Page(server, **others):
        pass
    assert refused.value.response.status_code in (400, 403, 404)
    assert not server.sessions
    assert httpx.get(server.address).status_code == 200


def test_a_handshake_by_another_name_is_refused(server):
    lines = [
        f"GET /{server.token}/socket HTTP/1.1",
        "Host: evil.example",
        f"Origin: http://127.0.0.1:{server.port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ]
    answer = ask(server, "\r\n".join([*lines, "", ""]).encode())
    assert answer.startswith(b"HTTP/1.1 403 ")


def frame(text, *buffers, size=None):
    data = text.encode() if isinstance(text, str) else text
    return struct.pack("<I", len(data) if size is None else size) + data + b"".join(buffers)


STATE = ExplorerState(method="regular", k=3).to_dict()


def stated(**changes):
    return json.dumps({"type": "state", "number": 1, "state": {**STATE, **changes}})


FRAMES = {
    "text": "hello",
    "empty": b"",
    "3 bytes": b"abc",
    "no JSON": frame(""),
    "length beyond the end": frame('{"type":"hello"}', size=1000),
    "largest length": frame('{"type":"hello"}', size=2**32 - 1),
    "length before the end": frame('{"type":"hello"}', size=5),
    "huge JSON": frame('{"type":"hello","query":"' + "x" * 100_000 + '"}'),
    "not UTF-8": frame(b'{"type":"\xff\xfe"}'),
    "not JSON": frame("{'type': 'hello'}"),
    "deep JSON": frame("[" * 30_000 + "]" * 30_000),
    "deep object": frame('{"a":' * 9000 + "1" + "}" * 9000),
    "a list": frame('["hello"]'),
    "a number": frame("12345"),
    "NaN": frame(stated().replace('"quality": 75.0', '"quality": NaN')),
    "infinity": frame(stated().replace('"quality": 75.0', '"quality": -Infinity')),
    "1e999": frame(stated().replace('"quality": 75.0', '"quality": 1e999')),
    "long number": frame('{"type":"state","number":' + "9" * 5000 + "}"),
    "no type": frame("{}"),
    "unknown type": frame('{"type":"eval","code":"1"}'),
    "type of a method": frame('{"type":"__init__"}'),
    "type is a list": frame('{"type":["hello"]}'),
    "buffers is a number": frame('{"type":"hello","buffers":5}'),
    "buffers of text": frame('{"type":"hello","buffers":["5"]}', b"12345"),
    "negative buffer": frame('{"type":"upload","name":"a","buffers":[-5,10]}', b"12345"),
    "true buffer": frame('{"type":"upload","name":"a","buffers":[true]}', b"1"),
    "buffer too long": frame('{"type":"upload","name":"a","buffers":[9999999999]}', b"12345"),
    "buffer too short": frame('{"type":"upload","name":"a","buffers":[2]}', b"12345"),
    "state of another shape": frame('{"type":"state","number":1,"state":[1,2]}'),
    "state without keys": frame('{"type":"state","number":1,"state":{}}'),
    "state with a key more": frame(stated(coder="deflate")),
    "unknown image": frame(stated(image="../../etc/passwd")),
    "k as text": frame(stated(k="3")),
    "k above the limit": frame(stated(k=4097)),
    "k is huge": frame(stated(k=10**30)),
    "k is a fraction": frame(stated(k=3.5)),
    "null block size": frame(stated(block_size=None)),
    "detail of a path": frame(stated(detail="../detail")),
    "threshold out of range": frame(stated(threshold="quantile:7")),
    "number is negative": frame(json.dumps({"type": "state", "number": -1, "state": STATE})),
    "number is text": frame(json.dumps({"type": "state", "number": "1", "state": STATE})),
    "take nothing": frame('{"type":"take"}'),
    "take a path": frame('{"type":"take","what":"/etc/passwd"}'),
    "save on a page": frame('{"type":"save","what":"akm","path":"/tmp/x"}'),
    "upload without a name": pack({"type": "upload"}, [b"x"]),
    "upload without a file": pack({"type": "upload", "name": "a.png"}),
    "upload of two files": pack({"type": "upload", "name": "a.png"}, [b"x", b"y"]),
    "upload of nothing": pack({"type": "upload", "name": "a.png"}, [b""]),
    "upload of text": pack({"type": "upload", "name": "a.png"}, [b"not an image"]),
    "upload of SVG": pack({"type": "upload", "name": "a.svg"}, [b"<svg onload='alert(1)'/>"]),
    "upload of half a PNG": pack({"type": "upload", "name": "a.png"}, [
        png(np.random.default_rng(0).integers(0, 256, (50, 50, 3), np.uint8))[:4000]]),
    "upload of a bomb": pack({"type": "upload", "name": "a.png"}, [bomb(60_000, 60_000)]),
    "upload of a wider bomb": pack({"type": "upload", "name": "a.png"}, [bomb(2**31 - 1, 9)]),
    "upload of an image without pixels": pack({"type": "upload", "name": "a.png"}, [bomb(0, 0)]),
    "upload of an animation": None,
    "upload above the limit": pack({"type": "upload", "name": "a.png"}, [
        bytes(images.UPLOAD.file_bytes + 1)]),
}  # fmt: skip


def animation():
    file = io.BytesIO()
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue")]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    return pack({"type": "upload", "name": "a.gif"}, [file.getvalue()])


@pytest.mark.parametrize("sent", FRAMES.values(), ids=FRAMES)
def test_a_malformed_frame_is_answered_by_one_line_and_the_page_lives(server, sent):
    with Page(server) as page:
        page.socket.send(animation() if sent is None else sent)
        error, buffers = page.hear("error")
        assert set(error) - {"number"} == {"type", "about", "message", "code", "buffers"}
        assert error["code"] in (2, 3, 4)
        assert "\n" not in error["message"]
        assert "Traceback" not in error["message"]
        assert len(error["message"]) < 600
        assert buffers == []
        page.say("state", number=7, state={**STATE, "image": "cat"})
        assert page.hear("picture")[0]["number"] == 7


def test_a_frame_above_all_limits_closes_its_page_alone(server):
    from websockets.exceptions import ConnectionClosed

    with Page(server) as bystander:
        with pytest.raises((ConnectionClosed, OSError)), Page(server) as page:  # noqa: PT012
            page.socket.send(bytes(MAX_FRAME_BYTES + 1))
            while True:
                page.socket.recv(timeout=30)
        bystander.say("hello", query="method=regular&k=3")
        assert bystander.hear("file")[0]["codebooks"] == [3]


def test_a_page_that_does_not_read_holds_up_no_other(server, cat):
    with contextlib.ExitStack() as stack:
        for _ in range(MAX_SESSIONS - 1):
            silent = stack.enter_context(Page(server))
            for number in range(30):
                state = {**STATE, "image": "cat", "k": 2 + number}
                silent.say("state", number=number, state=state)
        check_alive(server)


def test_more_than_30_hostile_requests_are_tried():
    assert len(REQUESTS) >= 30
    assert len(FRAMES) >= 30


# the command


def explore(*arguments, **others):
    code = "from adaptive_kmeans.cli import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", code, "explore", "--no-browser", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # a shell's background jobs ignore interrupts, and hand that on
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        **others,
    )


def test_the_command_prints_the_address_serves_and_ends_in_one_line(server):
    process = explore("chelsea", "--port", str(server.port))  # which is in use
    try:
        line = process.stdout.readline()
        found = re.fullmatch(r"exploring at (http://127\.0\.0\.1:(\d+)/\S+/) \(Ctrl-C .*\)\n", line)
        assert found, line
        assert int(found[2]) != server.port
        wait_until(lambda: is_open(int(found[2])))
        assert httpx.get(found[1]).status_code == 200
        other = Server.__new__(Server)
        other.port, other.token = int(found[2]), found[1].split("/")[3]
        with Page(other) as page:
            page.say("hello", query="method=regular&k=3")
            welcome, _ = page.hear("welcome")
            assert welcome["images"][0]["name"] == "chelsea"
            page.hear("picture")
            os.kill(process.pid, signal.SIGINT)
            out, err = process.communicate(timeout=60)
        assert out == ""
        note, ended = err.splitlines()
        assert note == f"note: port {server.port} is in use; taking {found[2]}"
        assert ended == "adaptive-kmeans: interrupted"
        assert process.returncode == 130
    finally:
        process.kill()
        process.communicate()


def test_the_command_ends_although_pages_do_not_read():
    process = explore("--port", "0")
    try:
        address = process.stdout.readline().split()[2]
        server = Server.__new__(Server)
        server.port, server.token = int(address.split(":")[2].split("/")[0]), address.split("/")[3]
        with contextlib.ExitStack() as stack:
            pages = [stack.enter_context(Page(server)) for _ in range(MAX_SESSIONS)]
            for page in pages:
                for number in range(20):
                    state = {**STATE, "image": "astronaut", "k": 2 + number}
                    page.say("state", number=number, state=state)
            process.send_signal(signal.SIGINT)
            assert process.communicate(timeout=60)[1] == "adaptive-kmeans: interrupted\n"
            stack.pop_all()
        assert process.returncode == 130
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(("nobody.png",), 2), (("--port", "70000"), 2), ((__file__,), 3)],
)
def test_the_command_refuses_what_it_cannot_use(arguments, code):
    process = explore(*arguments)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (code, "")
    assert err.startswith("adaptive-kmeans: ")
    assert err.count("\n") == 1


def test_a_missing_extra_ends_the_command_in_one_line():
    code = (
        "import sys; sys.modules['starlette'] = None; from adaptive_kmeans.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "explore"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "pip install 'adaptive-kmeans[explorer]'" in done.stderr
