"""One user's session: images, a setting, points tried; messages in, answers out.

The newest setting wins. Its picture is made at once, by a thread that does nothing else. Once a
setting has been unchanged for `SETTLE_S`, a second thread encodes it, so dragging a slider encodes
nothing along the way; a newer setting ends the encoding. Nothing queues up: at most one job of each
kind waits.

Messages that are accepted:

=========== =================================== ===================================================
``hello``   query                               ``welcome``, and then as after ``state``
``state``   number, state                       ``original`` of a new image, ``picture``,
                                                ``progress``, ``file``
``upload``  name, and a buffer                  ``images``, and the state that chooses the new one
``whole``   number                              ``whole``: facts of the whole of a reduced image
``peers``   number                              ``peers``: other codecs at the file's bytes
``elbow``   number                              ``elbow``
``take``    what                                ``taken``, and a buffer
``save``    what, path                          ``saved``: in notebooks, in the working directory
``bye``                                         the work ends
=========== =================================== ===================================================

Whatever cannot be done is answered with one ``error``: about, message, in one line, and code, the
exit code of `adaptive_kmeans.errors`. Non-finite numbers are null: the PSNR of a lossless file, the
SSIM of a tiny image.
"""

from __future__ import annotations

import dataclasses
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from adaptive_kmeans.codec import DEFAULT_QUALITY
from adaptive_kmeans.errors import AdaptiveKMeansError, ConfigError, LimitError, one_line
from adaptive_kmeans.explorer import peers, takeaway
from adaptive_kmeans.explorer.images import UPLOAD, Chosen, Gallery, Offer
from adaptive_kmeans.explorer.picture import EncodedFile, arrays, encode_file, picture_of
from adaptive_kmeans.explorer.state import ExplorerState
from adaptive_kmeans.explorer.worker import Check, Outdated, Worker
from adaptive_kmeans.limits import MAX_CODEWORDS, check_integer
from adaptive_kmeans.progress import LOADING, Progress
from adaptive_kmeans.rate_distortion import TUNES
from adaptive_kmeans.rate_distortion.effort import DEFAULT as DEFAULT_EFFORT
from adaptive_kmeans.rate_distortion.effort import EFFORTS

Message = dict[str, Any]
Send = Callable[[Message, Sequence[bytes]], None]
"""Takes a message and its buffers; called from several threads. It raises `Outdated` if nobody is
listening any more."""

NICENESS = 10
"""How much encoding yields to pictures."""
SETTLE_S = 0.12
"""Seconds that a setting must be unchanged before it is encoded."""
TELL_S = 0.1
"""Seconds between two progress messages."""
BLOCK_SIZES = (2, 4, 8, 16, 32, 64)
"""Sizes that are offered; the address may have any other."""
MAX_POINTS = 500
"""Number of points tried that are kept, the newest."""
MAX_NUMBER = 2**53
"""Limit of message numbers, up to which JavaScript counts exactly."""


class Session:
    """One user's explorer.

    Parameters
    ----------
    offers : sequence of Offer
        Images to choose from, at least one; the first is shown.
    send : callable
        Called with every answer.
    state : ExplorerState, optional
        What is shown until the page or widget asks for something else.
    folder : Path, optional
        Where ``save`` writes; with None, ``save`` is refused.

    Examples
    --------
    >>> from adaptive_kmeans.datasets import ImageSource
    >>> from adaptive_kmeans.explorer.images import offer_source
    >>> sent = []
    >>> offers = [offer_source(ImageSource("chelsea"))]
    >>> session = Session(offers, lambda message, buffers: sent.append(message["type"]))
    >>> session.receive({"type": "hello", "query": "method=regular&k=8"}, [])
    >>> session.finish()
    >>> [kind for kind in sent if kind != "progress"]
    ['welcome', 'original', 'picture', 'file']
    """

    has_kernels = False
    """Whether this process has shown a picture: the first one loads or compiles the kernels."""

    def __init__(
        self,
        offers: Sequence[Offer],
        send: Send,
        *,
        state: ExplorerState | None = None,
        folder: Path | None = None,
    ) -> None:
        self.gallery = Gallery(offers)
        self.state = ExplorerState() if state is None else state
        self.points: deque[takeaway.Point] = deque(maxlen=MAX_POINTS)
        self._number = 0
        self._folder = folder
        self._send_raw = send
        self._chosen: Chosen | None = None
        self._file: EncodedFile | None = None
        self._takes: set[str] = set()
        self._lock = threading.RLock()
        self._pictures = Worker("explorer pictures")
        self._files = Worker("explorer files", niceness=NICENESS)
        self._answers: dict[str, Callable[[Message, Sequence[bytes]], None]] = {
            "hello": self._hello,
            "state": self._take_state,
            "upload": self._upload,
            "whole": self._whole,
            "peers": self._peers,
            "elbow": self._elbow,
            "take": self._take,
            "save": self._save,
            "bye": lambda message, buffers: self.close(),
        }

    def receive(self, message: object, buffers: Sequence[bytes] = ()) -> None:
        """Handle a message; errors are answered, never raised."""
        kind = message.get("type") if isinstance(message, dict) else None
        about = kind if isinstance(kind, str) and kind in self._answers else "message"
        with self._answering(about):
            if not isinstance(message, dict) or about == "message":
                expected = f"an object whose type is one of {', '.join(self._answers)}"
                raise ConfigError("message", expected, type_of(message))
            self._answers[about](message, buffers)

    def pause(self) -> None:
        """Stop working until another message arrives."""
        for worker in (self._pictures, self._files):
            worker.outdate("picture", "file", "whole", "peers", "elbow")

    def close(self) -> None:
        """Stop working, and release the images."""
        self._pictures.close()
        self._files.close()
        with self._lock:
            self._chosen = self._file = None

    def finish(self, seconds: float = 120.0) -> None:
        """Wait until there is nothing to do."""
        deadline = time.monotonic() + seconds
        for worker in (self._pictures, self._files):
            worker.wait_idle(max(0.0, deadline - time.monotonic()))

    def join(self, seconds: float = 10.0) -> bool:
        """Wait until the threads of a closed session have ended; return whether they have."""
        return self._pictures.join(seconds) and self._files.join(seconds)

    def _send(self, message: Message, buffers: Sequence[bytes] = ()) -> None:
        self._send_raw(finite(message), buffers)

    def _answering(self, about: str, number: int | None = None) -> _Answering:
        return _Answering(self._send, about, number)

    # requests

    def _hello(self, message: Message, _: Sequence[bytes]) -> None:
        query = message.get("query", "")
        problem: AdaptiveKMeansError | None = None
        try:
            if not isinstance(query, str) or len(query) > takeaway.MAX_QUERY:
                expected = f"a query of at most {takeaway.MAX_QUERY} letters"
                raise ConfigError("address", expected, type_of(query))
            if query.strip("?"):
                state = ExplorerState.from_query(query)
                self.gallery[state.image]
                self.state = state
        except AdaptiveKMeansError as error:  # a bad link still shows a picture
            problem = error
        self.state = dataclasses.replace(self.state, image=self.gallery[self.state.image].name)
        self._send(
            {
                "type": "welcome",
                "images": self.gallery.facts,
                "choices": choices(),
                "state": self.state.to_dict(),
                "version": version(),
                "saves": self._folder is not None,
            }
        )
        with self._answering("hello"):
            if problem is not None:
                raise problem
        if not Session.has_kernels:
            self._send({"type": "progress", "number": 0, "stage": LOADING, "share": 0.0})
        with self._lock:
            self._chosen = None  # a page that says hello again has no image yet
        self._want(self.state, 0)

    def _take_state(self, message: Message, _: Sequence[bytes]) -> None:
        number = self._number_of(message)
        state = ExplorerState.from_dict(message.get("state"))
        self._want(dataclasses.replace(state, image=self.gallery[state.image].name), number)

    def _upload(self, message: Message, buffers: Sequence[bytes]) -> None:
        name = message.get("name")
        if not isinstance(name, str):
            raise ConfigError("upload", "the name of the file", type_of(name))
        if len(buffers) != 1:
            raise ConfigError("upload", "one file", f"{len(buffers)} buffers")
        offer = self.gallery.add_upload(name, bytes(buffers[0]))
        state = dataclasses.replace(self.state, image=offer.name)
        self._send({"type": "images", "images": self.gallery.facts, "state": state.to_dict()})

    def _number_of(self, message: Message) -> int:
        return check_integer("number", message.get("number"), 0, MAX_NUMBER)

    # a setting

    def _want(self, state: ExplorerState, number: int) -> None:
        """Show another state, and stop working on the previous one."""
        with self._lock:
            self.state, self._number = state, number
            self._file = None
            self._files.outdate("file", "whole", "peers")
            self._pictures.put("picture", lambda check: self._show(state, number, check))

    def _show(self, state: ExplorerState, number: int, check: Check) -> None:
        with self._answering("state", number):
            chosen = self._choose(state, check)
            picture = picture_of(state, chosen)
            Session.has_kernels = True
            check()
            said, buffers = arrays(picture.quantized)
            height, width = picture.quantized.index_map.shape
            self._send(
                {
                    "type": "picture",
                    "number": number,
                    "width": width,
                    "height": height,
                    "is_final": picture.is_final,
                    "psnr_db": picture.psnr_db,
                    "ssim": None,
                    "seconds": picture.seconds,
                    **said,
                },
                buffers,
            )
            with self._lock:
                check()
                self._files.put("file", lambda later: self._encode(state, number, chosen, later))

    def _choose(self, state: ExplorerState, check: Check) -> Chosen:
        """Return the state's image; read and send it if it has changed."""
        with self._lock:
            chosen = self._chosen
        if chosen is not None and chosen.offer.name == state.image:
            return chosen
        chosen = Chosen(self.gallery[state.image])
        check()
        height, width = chosen.pixels.shape[:2]
        self._send(
            {
                "type": "original",
                "name": chosen.offer.name,
                "width": width,
                "height": height,
                "scale_note": chosen.scale_note,
                "notes": list(chosen.notes),
            },
            [chosen.pixels.tobytes()],
        )
        with self._lock:
            check()
            self._chosen = chosen
        return chosen

    def _encode(self, state: ExplorerState, number: int, chosen: Chosen, check: Check) -> None:
        with self._answering("file", number):
            check.wait(SETTLE_S)
            progress = self._progress(number, check)
            file = encode_file(state.settings(), chosen.pixels, progress)
            check()
            facts = file.facts(chosen.offer.input_bytes)
            point = takeaway.Point.of(state, chosen, file)
            said, buffers = arrays(file.quantized)
            height, width = file.quantized.index_map.shape
            message = {
                "type": "file",
                "number": number,
                "width": width,
                "height": height,
                **facts,
                **said,
                "point": point.facts,
            }
            with self._lock:
                check()
                self._file = file
                self.points.append(point)
                takes, self._takes = sorted(self._takes), set()
            self._send(message, [file.reconstruction.tobytes(), *buffers])
        for what in takes:
            self.receive({"type": "take", "what": what})

    def _progress(self, number: int, check: Check, prefix: str = "") -> Progress:
        """Return a callback that reports progress, and ends the work if it is outdated."""
        told = -math.inf

        def tell(stage: str, share: float) -> None:
            nonlocal told
            check()
            if time.monotonic() - told >= TELL_S:
                told = time.monotonic()
                stage = f"{prefix}{stage}"
                self._send({"type": "progress", "number": number, "stage": stage, "share": share})

        return tell

    # what belongs to a setting

    def _whole(self, message: Message, _: Sequence[bytes]) -> None:
        number, (state, chosen) = self._number_of(message), self._current()

        def job(check: Check) -> None:
            with self._answering("whole", number):
                pixels = chosen.read_whole()
                check()
                progress = self._progress(number, check, "whole image: ")
                file = encode_file(state.settings(), pixels, progress)
                check()
                height, width = pixels.shape[:2]
                facts = file.facts(chosen.offer.input_bytes)
                size = {"width": width, "height": height}
                self._send({"type": "whole", "number": number, **size, **facts})

        self._files.put("whole", job)

    def _peers(self, message: Message, _: Sequence[bytes]) -> None:
        number, chosen = self._number_of(message), self._current()[1]

        def job(check: Check) -> None:
            with self._answering("peers", number):
                file = self._file
                if file is None:
                    raise ConfigError("peers", "a file to compare with", "none")
                tell = self._progress(number, check)
                found, missing = peers.at_bytes(chosen.pixels, len(file.data), tell)
                check()
                points = [dataclasses.asdict(point) for point in found]
                said = {"type": "peers", "number": number, "points": points, "missing": missing}
                self._send(said)

        self._files.put("peers", job)

    def _elbow(self, message: Message, _: Sequence[bytes]) -> None:
        number, (state, chosen) = self._number_of(message), self._current()

        def job(check: Check) -> None:
            with self._answering("elbow", number):
                tell = self._progress(number, check)
                points, k = peers.elbow_of(chosen.pixels, state, tell)
                said = {"type": "elbow", "number": number, "points": points, "k": k}
                self._send(said)

        self._files.put("elbow", job)

    def _current(self) -> tuple[ExplorerState, Chosen]:
        with self._lock:
            if self._chosen is None or self._chosen.offer.name != self.state.image:
                raise ConfigError("image", "one that is shown", "none yet")
            return self.state, self._chosen

    def _take(self, message: Message, _: Sequence[bytes]) -> None:
        what = takeaway.check_what(message.get("what"))
        taken = self._made(what)
        if taken is not None:
            said = {"type": "taken", "what": what, "name": taken.name}
            self._send(said | ({} if taken.text is None else {"text": taken.text}), [taken.data])

    def _made(self, what: str) -> takeaway.Taken | None:
        """Return what to take away, or None while its file is being made, and take it later."""
        with self._lock:
            state, chosen, file = self.state, self._chosen, self._file
            points = list(self.points)
            is_shown = chosen is not None and chosen.offer.name == state.image
            if chosen is None or not is_shown or (file is None and what in takeaway.OF_FILE):
                self._takes.add(what)
                return None
        return takeaway.take(what, state, chosen, file, points)

    def _save(self, message: Message, _: Sequence[bytes]) -> None:
        if self._folder is None:
            raise ConfigError("save", "a notebook; on a page, use take", "save")
        what = takeaway.check_what(message.get("what"))
        taken = self._made(what)
        if taken is None:
            self._takes.discard(what)
            raise ConfigError("save", "a file that is encoded", "one that is pending; try again")
        path = takeaway.save(taken, self._folder, message.get("path"))
        self._send({"type": "saved", "what": what, "path": str(path)})


class _Answering:
    """Turns an error into a one-line answer."""

    def __init__(self, send: Callable[[Message], None], about: str, number: int | None) -> None:
        self._send = send
        self._said: Message = {"type": "error", "about": about}
        if number is not None:
            self._said["number"] = number

    def __enter__(self) -> None:
        return None

    def __exit__(self, _: object, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, Exception) or isinstance(error, Outdated):
            return False
        message, code = describe(error)
        self._send({**self._said, "message": message, "code": code})
        return True


def describe(error: Exception) -> tuple[str, int]:
    """Return an error as one line, and its exit code.

    Examples
    --------
    >>> describe(ZeroDivisionError("a defect"))
    ('internal error: ZeroDivisionError: a defect', 1)
    """
    if isinstance(error, AdaptiveKMeansError):
        return " ".join(str(error).split()), error.exit_code
    if isinstance(error, MemoryError):
        return "memory: expected enough for this image, received none", LimitError.exit_code
    return f"internal error: {one_line(error)}", AdaptiveKMeansError.exit_code


def finite(value: Any) -> Any:
    """Return a value in a form that JSON allows: non-finite numbers become None.

    Examples
    --------
    >>> finite({"psnr_db": math.inf, "bytes": 3, "points": [math.nan]})
    {'psnr_db': None, 'bytes': 3, 'points': [None]}
    """
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [finite(part) for part in value]
    return value


def choices() -> dict[str, Any]:
    """Return the choices that the controls offer."""
    from adaptive_kmeans.clustering import COLOR_SPACES
    from adaptive_kmeans.detail import measures
    from adaptive_kmeans.dithering import NONE, ditherings
    from adaptive_kmeans.regions import thresholds

    return {
        "measures": list(measures.names()),
        "thresholds": list(thresholds.names()),
        "color_spaces": list(COLOR_SPACES),
        "ditherings": [NONE, *(name for name in ditherings.names() if name != NONE)],
        "block_sizes": list(BLOCK_SIZES),
        "efforts": [min(EFFORTS), max(EFFORTS), DEFAULT_EFFORT],
        "tunes": list(TUNES),
        "quality": [0, 100, DEFAULT_QUALITY],
        "k": [1, MAX_CODEWORDS],
        "upload_bytes": UPLOAD.file_bytes,
    }


def version() -> str:
    """Return the version of the package."""
    import adaptive_kmeans

    return adaptive_kmeans.__version__


def type_of(value: object) -> str:
    """Describe what was received in a few words."""
    if isinstance(value, dict):
        kind = value.get("type")
        return f"type {kind!r:.60}" if isinstance(kind, str) else "an object without a type"
    return "nothing" if value is None else type(value).__name__
