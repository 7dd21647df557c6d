"""The explorer without a browser: state, picture, session, what is taken along, the widget."""

import csv
import dataclasses
import io
import json
import math
import shlex
import subprocess
import sys
import threading
import time
import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import adaptive_kmeans as akm
from adaptive_kmeans import cli, codec, container
from adaptive_kmeans.datasets import BUNDLED, ImageSource
from adaptive_kmeans.errors import (
    AdaptiveKMeansError,
    ConfigError,
    ImageError,
    LimitError,
    OutputError,
)
from adaptive_kmeans.experiment import run_experiment
from adaptive_kmeans.experiment.config import check_config, read_config
from adaptive_kmeans.experiment.reproduction import reproduce
from adaptive_kmeans.explorer import images, peers, session, takeaway
from adaptive_kmeans.explorer.picture import encode_file, picture_of
from adaptive_kmeans.explorer.session import Session
from adaptive_kmeans.explorer.state import COMPARISONS, METHODS, OVERLAYS, VIEW, ExplorerState
from adaptive_kmeans.explorer.worker import Check, Outdated, Worker
from adaptive_kmeans.exports import shares

STATES = {
    "quality": ExplorerState(quality=60, effort=2),
    "quality, not restored": ExplorerState(quality=60, effort=2, restoration=False, tune="psnr"),
    "effort 1": ExplorerState(quality=80, effort=1, restoration=False),
    "regular": ExplorerState(method="regular", k=7, restoration=False),
    "regular, restored": ExplorerState(method="regular", k=7, color_space="oklab", seed=3),
    "regular, dithered": ExplorerState(
        method="regular", k=7, restoration=False, dither="diffusion:0.5"
    ),
    "regions, dithered": ExplorerState(
        method="regions", k1=2, k2=5, restoration=False, dither="blue-noise"
    ),
    "regions": ExplorerState(
        method="regions", k1=5, k2=9, block_size=8, detail="variance", restoration=False
    ),
    "regions, restored": ExplorerState(method="regions", k1=5, k2=9, threshold="quantile:0.7"),
}


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def chosen(photo):
    return images.Chosen(images.offer_pixels(photo, "cat"))


class User:
    """Someone who talks to a session, and remembers what was answered."""

    def __init__(self, offers, **others):
        self.heard: list[tuple[dict, list[bytes]]] = []
        self._news = threading.Condition()
        self.session = Session(offers, self._hear, **others)
        self.number = 0

    def _hear(self, message, buffers):
        json.dumps(message, allow_nan=False)
        with self._news:
            self.heard.append((message, [bytes(buffer) for buffer in buffers]))
            self._news.notify_all()

    def say(self, kind, *buffers, **fields):
        self.session.receive({"type": kind, **fields}, list(buffers))

    def wait(self, kind, number=None, seconds=180):
        """Return the first answer of a kind, and of a number, that has come or will come."""

        def found():
            for message, buffers in self.heard:
                if message["type"] == kind and number in (None, message.get("number")):
                    return message, buffers
            return None

        with self._news:
            assert self._news.wait_for(found, seconds), [m for m, _ in self.heard][-3:]
            return found()

    def want(self, **changes):
        """Ask for another state; return its number."""
        self.number += 1
        state = dataclasses.replace(self.session.state, **changes)
        self.say("state", number=self.number, state=state.to_dict())
        return self.number

    def errors(self):
        return [message for message, _ in self.heard if message["type"] == "error"]


@pytest.fixture
def user(photo):
    user = User([images.offer_pixels(photo, "cat"), images.offer_source(ImageSource("chelsea"))])
    user.say("hello", query="method=regular&k=6&restoration=false")
    yield user
    user.session.close()
    assert user.session.join(30)


# state


def test_a_state_survives_json_and_address():
    state = ExplorerState(image="a b&c", method="regions", k1=3, quality=62.5, zoom=2.25, x=-0.5)
    assert ExplorerState.from_dict(json.loads(json.dumps(state.to_dict()))) == state
    assert ExplorerState.from_query(f"?{state.to_query()}") == state
    assert ExplorerState().to_query() == ""


@settings(max_examples=60, deadline=None)
@given(
    st.builds(
        ExplorerState,
        image=st.text(max_size=30),
        method=st.sampled_from(METHODS),
        quality=st.floats(0, 100),
        k=st.integers(1, 4096),
        block_size=st.integers(1, 256),
        threshold=st.sampled_from(["median", "otsu", "quantile:0.25"]),
        restoration=st.booleans(),
        compare=st.sampled_from(COMPARISONS),
        overlay=st.sampled_from(OVERLAYS),
        codeword=st.integers(-1, 5000),
        swipe=st.floats(0, 1),
    )
)
def test_every_state_survives_the_address_to_15_digits(state):
    back = ExplorerState.from_query(state.to_query())
    assert back.quality == pytest.approx(state.quality, rel=1e-14, abs=1e-300)
    same = {"quality": 0.0, "swipe": 0.0}
    assert dataclasses.replace(back, **same) == dataclasses.replace(state, **same)


BAD_VALUES = [
    ("image", 3), ("image", "x" * 300), ("image", None), ("method", "magic"), ("method", None),
    ("quality", "75"),
    ("quality", -0.1), ("quality", 100.5), ("quality", math.nan), ("quality", math.inf),
    ("quality", True), ("quality", 10**400), ("k", 0), ("k", 4097), ("k", 2.0), ("k", "16"),
    ("k", True), ("k", None), ("k1", -1), ("k2", 5000), ("block_size", 0), ("block_size", 257),
    ("detail", "sobel"), ("detail", 4), ("threshold", "quantile:2"), ("threshold", []),
    ("effort", 0), ("effort", 10), ("tune", "ssim"), ("restoration", 1), ("restoration", "true"),
    ("dither", "bayer"), ("dither", "diffusion:2"), ("dither", None),
    ("color_space", "cmyk"), ("seed", -1), ("seed", 2**32), ("compare", "flip"), ("overlay", ""),
    ("codeword", -2), ("codeword", 10**9), ("zoom", 0), ("zoom", math.nan), ("x", math.inf),
    ("y", "0"), ("swipe", 1.1), ("swipe", {}),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value"), BAD_VALUES)
def test_a_value_that_cannot_be_used_is_refused_in_one_line(key, value):
    with pytest.raises(AdaptiveKMeansError) as refused:
        ExplorerState.from_dict({**ExplorerState().to_dict(), key: value})
    assert refused.value.exit_code == 2
    assert len(str(refused.value)) < 300
    assert "\n" not in str(refused.value)


def test_keys_are_all_there_and_no_others():
    known = ExplorerState().to_dict()
    with pytest.raises(ConfigError, match="expected the key seed"):
        ExplorerState.from_dict({key: value for key, value in known.items() if key != "seed"})
    with pytest.raises(ConfigError, match="only the keys"):
        ExplorerState.from_dict({**known, "coder": "deflate"})
    assert set(VIEW) < set(known)
    assert ExplorerState.from_query("?utm_source=mail&k=5").k == 5
    with pytest.raises(ConfigError, match="k: expected an integer"):
        ExplorerState.from_query("k=five")


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (ExplorerState(), akm.Settings()),
        (ExplorerState(quality=40, effort=9, tune="psnr"), akm.Settings(None, None, quality=40,
         effort=9, tune="psnr")),
        (STATES["regular"], akm.Settings.regular(7)),
        (STATES["regions"], akm.Settings.published(5, 9, detail="variance", block_size=8)),
        (ExplorerState(method="regular", k=9, effort=9, tune="psnr"),
         akm.Settings.regular(9, restoration="auto", correction="auto")),
        (ExplorerState(restoration=False), akm.Settings(restoration="none", correction="none")),
    ],
)  # fmt: skip
def test_settings_are_what_the_method_of_the_state_needs(state, expected):
    assert state.settings() == expected
    assert dataclasses.replace(state, overlay="error", zoom=3.0).settings() == expected


# picture and file


@pytest.mark.parametrize("state", STATES.values(), ids=STATES.keys())
def test_a_file_is_what_encode_writes_and_a_final_picture_is_what_it_decodes_to(
    state, photo, chosen
):
    file = encode_file(state.settings(), chosen.pixels)
    assert file.data == akm.encode(photo, state.settings())
    decoded = akm.decode(file.data)
    assert np.array_equal(file.reconstruction, decoded)
    assert (file.psnr_db, file.ssim) == (akm.psnr(photo, decoded), akm.ssim(photo, decoded))
    assert sum(file.split.values()) == len(file.data)
    held = container.read(file.data)
    assert np.array_equal(held.index_map, file.quantized.index_map)
    assert np.array_equal(held.region_map, file.quantized.region_map)
    for one, other in zip(held.codebooks, file.quantized.codebooks, strict=True):
        assert np.array_equal(one, other)

    picture = picture_of(state, chosen)
    pixels = picture.quantized.reconstruct()
    assert picture.psnr_db == akm.psnr(photo, pixels)
    if picture.is_final:
        assert np.array_equal(pixels, decoded)
    assert picture.is_final == (not state.restoration and state.method != "quality")


def test_the_picture_by_quality_begins_as_the_file_does(chosen):
    state = ExplorerState(quality=80, effort=1, restoration=False)
    file = encode_file(state.settings(), chosen.pixels)
    assert np.array_equal(picture_of(state, chosen).quantized.index_map, file.quantized.index_map)
    higher = picture_of(dataclasses.replace(state, quality=95), chosen)
    assert higher.psnr_db > picture_of(state, chosen).psnr_db


def test_shares_count_pixels(chosen):
    quantized = picture_of(STATES["regions"], chosen).quantized
    found = shares(quantized)
    assert [len(part) for part in found] == [5, 9]
    assert sum(map(sum, found)) == pytest.approx(1)
    inside = (quantized.pixel_regions == 1) & (quantized.index_map == 4)
    assert found[1][4] == pytest.approx(inside.mean())


# images


def test_uploads_get_names_that_are_free_and_safe(photo):
    gallery = images.Gallery([images.offer_pixels(photo, "cat")])
    offer = gallery.add_upload("../../..\\cat.png", png(photo))
    assert (offer.name, offer.path, offer.note) == ("cat-2", "cat.png", "uploaded")
    assert gallery.add_upload("cat.png", png(photo)).name == "cat-3"
    assert gallery[""].name == "cat"
    assert np.array_equal(images.Chosen(gallery["cat-2"]).pixels, photo)


def test_a_translucent_upload_is_flattened_and_the_command_says_so(photo):
    alpha = np.dstack([photo, np.full(photo.shape[:2], 128, np.uint8)])
    offer = images.Gallery([images.offer_pixels(photo)]).add_upload("glass.png", png(alpha))
    chosen = images.Chosen(offer)
    assert chosen.background == "white"
    assert chosen.pixels.mean() > photo.mean()
    taken = takeaway.take("command", ExplorerState(), chosen, None, [])
    assert taken.text.endswith("--background white")


def test_uploads_are_limited_in_pixels_bytes_and_number(photo, monkeypatch):
    gallery = images.Gallery([images.offer_pixels(photo)])
    monkeypatch.setattr(images, "UPLOAD", images.Limits(pixels=5000))
    with pytest.raises(LimitError, match="at most 5,000 pixels"):
        gallery.add_upload("a.png", png(photo))
    monkeypatch.setattr(images, "UPLOAD", images.Limits(file_bytes=50))
    with pytest.raises(LimitError, match="at most 50 bytes"):
        gallery.add_upload("a.png", png(photo))
    monkeypatch.undo()
    for number in range(images.MAX_UPLOADS):
        gallery.add_upload(f"{number}.png", png(photo[:4, :4]))
    with pytest.raises(LimitError, match="uploads: expected at most 16"):
        gallery.add_upload("one-more.png", png(photo[:4, :4]))
    with pytest.raises(ImageError):
        images.offer_upload("a.png", b"not an image")


def test_large_images_are_explored_on_a_reduced_copy_that_is_named(photo):
    large = np.tile(photo, (40, 40, 1))
    chosen = images.Chosen(images.offer_pixels(large, "large"))
    height, width = chosen.pixels.shape[:2]
    assert height * width <= images.EXPLORED_PIXELS
    assert width / height == pytest.approx(large.shape[1] / large.shape[0], rel=0.01)
    assert chosen.scale_note.startswith(
        f"reduced from {large.shape[1]}×{large.shape[0]} to {width}"
    )
    assert np.array_equal(chosen.read_whole(), large)
    assert images.Chosen(images.offer_pixels(photo)).scale_note == ""


# session


def test_a_hello_is_answered_by_welcome_original_picture_and_file(user, photo):
    welcome, _ = user.wait("welcome")
    assert welcome["state"]["k"] == 6
    assert welcome["state"]["image"] == "cat"
    assert [image["name"] for image in welcome["images"]] == ["cat", "chelsea"]
    assert welcome["images"][0]["input_bytes"] == photo.size
    assert welcome["choices"]["efforts"] == [1, 9, 5]
    assert {"eigenvalue", "variance", "total-variation"} <= set(welcome["choices"]["measures"])
    original, (pixels,) = user.wait("original")
    assert pixels == photo.tobytes()
    assert (original["width"], original["height"]) == (83, 61)

    picture, (indices, regions, codebooks) = user.wait("picture")
    expected = akm.quantize(photo, akm.Settings.regular(6))
    assert picture["is_final"]
    assert picture["codebooks"] == [6]
    assert np.array_equal(np.frombuffer(indices, "<u2").reshape(61, 83), expected.index_map)
    assert len(regions) == math.ceil(61 / 4) * math.ceil(83 / 4)
    assert codebooks == expected.codebooks[0].tobytes()

    file, (decoded, *others) = user.wait("file")
    data = akm.encode(photo, akm.Settings.regular(6))
    assert (file["bytes"], file["number"]) == (len(data), 0)
    assert file["bits_per_pixel"] == pytest.approx(8 * len(data) / (61 * 83))
    assert file["ratio_to_input"] == pytest.approx(photo.size / len(data))
    assert decoded == akm.decode(data).tobytes()
    assert others == [indices, regions, codebooks]
    assert file["point"]["label"] == "regular k = 6 4×4 context-mixing"
    assert user.errors() == []


def test_a_flood_of_states_ends_with_the_newest_and_queues_nothing(user):
    user.wait("file", 0)
    numbers = [user.want(k=2 + i % 9) for i in range(40)]
    file, _ = user.wait("file", numbers[-1])
    assert file["codebooks"] == [2 + 39 % 9]
    user.session.finish()
    files = [m["number"] for m, _ in user.heard if m["type"] == "file"]
    assert files[-1] == numbers[-1]
    assert len(files) <= 1 + len(numbers) // 4
    assert len(user.session.points) == len(files)
    pictures = [m["number"] for m, _ in user.heard if m["type"] == "picture"]
    assert pictures == sorted(pictures)


def test_a_newer_state_ends_the_encoding_of_an_older_one(user, monkeypatch):
    user.wait("file", 0)
    began, ended = threading.Event(), []

    def slow(settings, pixels, progress):
        began.set()
        try:
            for _ in range(1000):
                progress("coding", 0.1)
                time.sleep(0.01)
        except Outdated:
            ended.append(settings.k1)
            raise
        return encode_file(settings, pixels, progress)

    monkeypatch.setattr(session, "encode_file", slow)
    user.want(k=3)
    assert began.wait(20)
    monkeypatch.undo()
    number = user.want(k=4)
    user.wait("file", number, seconds=8)
    assert ended == [3]
    assert not [m for m, _ in user.heard if m["type"] == "file" and m["codebooks"] == [3]]


def test_the_first_picture_of_a_process_says_that_it_loads_kernels(photo, monkeypatch):
    monkeypatch.setattr(Session, "has_kernels", False)
    stages = []
    for _ in range(2):
        user = User([images.offer_pixels(photo)])
        user.say("hello", query="method=regular&k=3")
        user.wait("picture")
        stages.append(user.heard[1][0].get("stage"))
        user.session.close()
    assert stages == ["loading kernels; the first run compiles", None]


def test_closing_ends_the_work_and_nothing_is_sent_afterwards(photo):
    user = User([images.offer_pixels(np.tile(photo, (12, 12, 1)), "large")])
    user.say("hello", query="effort=9")
    user.wait("picture")
    user.say("bye")
    assert user.session.join(20)
    heard = len(user.heard)
    user.want(k=3)
    time.sleep(0.3)
    assert len(user.heard) == heard
    assert "file" not in [m["type"] for m, _ in user.heard]


def test_another_image_is_sent_once_it_is_chosen(user):
    user.wait("file", 0)
    user.wait("file", user.want(image="chelsea", method="regular", k=3))
    user.wait("file", user.want(k=4))
    assert [m["name"] for m, _ in user.heard if m["type"] == "original"] == ["cat", "chelsea"]
    assert user.wait("file", 2)[0]["point"]["image"] == "chelsea"


def test_an_upload_is_offered_and_can_be_chosen(user, photo):
    user.wait("file", 0)
    user.say("upload", png(photo[:20]), name="my cat.png")
    answer, _ = user.wait("images")
    assert answer["state"]["image"] == "my cat"
    assert answer["images"][-1]["width"] == 83
    number = user.want(image="my cat")
    file, buffers = user.wait("file", number)
    expected = akm.encode(np.ascontiguousarray(photo[:20]), akm.Settings.regular(6))
    assert file["bytes"] == len(expected)
    assert len(buffers[0]) == 20 * 83 * 3


BAD_MESSAGES = [
    None, 3, "hello", [], {}, {"type": None}, {"type": 3}, {"type": "shutdown"}, {"type": []},
    {"type": "state"}, {"type": "state", "number": 1}, {"type": "state", "number": "1"},
    {"type": "state", "number": -1, "state": {}}, {"type": "state", "number": 2**60},
    {"type": "state", "number": True}, {"type": "state", "number": 1, "state": None},
    {"type": "state", "number": 1, "state": [1]}, {"type": "upload"}, {"type": "upload", "name": 3},
    {"type": "upload", "name": "a.png"}, {"type": "peers"}, {"type": "elbow", "number": None},
    {"type": "whole", "number": 1.5}, {"type": "take"}, {"type": "take", "what": "everything"},
    {"type": "take", "what": {}}, {"type": "save", "what": "akm"}, {"type": "hello", "query": 3},
    {"type": "hello", "query": "x" * 5000}, {"type": "hello", "query": "k=0"},
    {"type": "hello", "query": "image=nobody"},
]  # fmt: skip


@pytest.mark.parametrize("message", BAD_MESSAGES, ids=repr)
def test_a_bad_message_is_answered_by_one_line_and_the_session_lives(user, message):
    user.wait("file", 0)
    user.session.receive(message, [])
    user.session.finish()
    (error,) = user.errors()
    assert error["code"] == 2
    assert "\n" not in error["message"]
    assert "Traceback" not in error["message"]
    assert len(error["message"]) < 400
    number = user.want(k=3)
    assert user.wait("file", number)[0]["codebooks"] == [3]


def test_what_goes_wrong_inside_is_one_line_too(user, monkeypatch):
    user.wait("file", 0)

    def fail(*_):
        raise RuntimeError("a defect\nin two lines")

    monkeypatch.setattr(session, "picture_of", fail)
    number = user.want(k=3)
    error, _ = user.wait("error")
    assert error["message"] == "internal error: RuntimeError: a defect in two lines"
    assert (error["about"], error["code"], error["number"]) == ("state", 1, number)
    monkeypatch.setattr(session, "picture_of", picture_of)
    user.wait("file", user.want(k=4))


def test_a_bad_link_shows_the_default_and_says_why(photo):
    user = User([images.offer_pixels(photo)])
    user.say("hello", query="method=regular&k=nine")
    welcome, _ = user.wait("welcome")
    assert welcome["state"]["method"] == "quality"
    assert user.wait("error")[0]["message"] == "k: expected an integer, received 'nine'"
    user.wait("picture")
    user.session.close()


def test_numbers_that_are_not_finite_are_null():
    flat = np.full((8, 8, 3), 9, np.uint8)
    user = User([images.offer_pixels(flat)])
    user.say("hello", query="method=regular&k=2")
    file, _ = user.wait("file")
    assert file["psnr_db"] is None  # lossless
    assert file["ssim"] is None  # too small for it
    user.session.close()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux")
@pytest.mark.long
def test_memory_is_flat_after_200_moves():
    user = User([images.offer_source(ImageSource("astronaut"))])
    user.say("hello", query="method=regular&k=6")
    user.wait("file", 0)

    def move(count):
        for i in range(count):
            number = user.want(k=3 + i % 5, method=METHODS[1 + i % 2])
            user.wait("picture", number)
            user.heard.clear()
        user.wait("file", number)
        user.session.finish()
        user.heard.clear()
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

    before = move(30)
    grown = move(200) - before
    user.session.close()
    one = 512 * 512 * (3 + 2)
    assert grown < 40 * one  # a picture kept of each move would be 200


def test_the_whole_of_a_reduced_image_is_encoded_on_request(photo, monkeypatch):
    monkeypatch.setattr(images.reduce, "__defaults__", (2000,))
    user = User([images.offer_pixels(photo)])
    user.say("hello", query="method=regular&k=4&restoration=false")
    original, _ = user.wait("original")
    assert original["width"] * original["height"] <= 2000
    assert "reduced from 83×61" in original["scale_note"]
    assert user.wait("file")[0]["width"] == original["width"]
    user.say("whole", number=0)
    whole, _ = user.wait("whole")
    assert whole["bytes"] == len(akm.encode(photo, akm.Settings.regular(4)))
    assert (whole["width"], whole["height"]) == (83, 61)
    user.say("take", what="akm")
    assert user.wait("taken")[0]["name"] == "image-reduced.akm"
    user.session.close()


def test_peers_are_the_largest_files_that_are_no_larger(user, photo):
    file, _ = user.wait("file", user.want(k=64))
    user.say("peers", number=1)
    answer, _ = user.wait("peers")
    found = {point["codec"]: point for point in answer["points"]}
    assert set(found) | {line.split(":")[0] for line in answer["missing"]} == set(peers.CODECS)
    from adaptive_kmeans.baselines.image_codecs import baselines

    for name in ("jpeg", "webp"):
        point = found[name]
        quality = int(point["label"].partition(":")[2])
        assert point["bytes"] == len(baselines.create(f"{name}:{quality}").encode(photo))
        assert point["bytes"] <= file["bytes"]
        if quality < 100:
            assert len(baselines.create(f"{name}:{quality + 1}").encode(photo)) > file["bytes"]


def test_the_elbow_is_that_of_the_curve(user, photo):
    user.wait("file", 0)
    user.say("elbow", number=0)
    answer, _ = user.wait("elbow")
    points = {point["k"]: point for point in answer["points"]}
    assert answer["k"] in points
    expected = akm.psnr(photo, akm.quantize(photo, akm.Settings.regular(16)).reconstruct())
    assert points[16]["psnr_db"] == expected
    errors = [point["error"] for point in points.values()]
    assert errors == sorted(errors, reverse=True)


# what is taken along


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Run a command line in an empty folder; return its exit code."""
    monkeypatch.chdir(tmp_path)

    def run(line: str) -> int:
        monkeypatch.setattr(sys, "argv", shlex.split(line))
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        capsys.readouterr()
        return stopped.value.code

    return run


@pytest.mark.parametrize("state", STATES.values(), ids=STATES.keys())
def test_the_command_line_writes_the_same_bytes(state, photo, command, tmp_path):
    name = "my cat's photo.png"
    offer = images.Gallery([images.offer_pixels(photo)]).add_upload(name, png(photo))
    Path(name).write_bytes(png(photo))
    chosen = images.Chosen(offer)
    taken = takeaway.take("command", state, chosen, None, [])
    assert taken.data.decode() == f"{taken.text}\n"
    assert command(taken.text) == 0
    written = (tmp_path / "my cat's photo.akm").read_bytes()
    assert written == encode_file(state.settings(), chosen.pixels).data


def test_the_command_line_of_a_bundled_image_reads_its_file():
    chosen = images.Chosen(images.offer_source(ImageSource("rocket")))
    words = shlex.split(takeaway.take("command", STATES["regular"], chosen, None, []).text)
    assert np.array_equal(akm.load(words[2]), chosen.pixels)
    assert words[3:] == ["rocket.akm", "--k", "7"]


def test_the_config_repeats_the_points_tried(user, tmp_path, photo, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(photo).save("cat.png")
    user.wait("file", 0)
    for state in STATES.values():
        changes = {k: v for k, v in state.to_dict().items() if k not in ("image", *VIEW)}
        user.wait("file", user.want(**changes))
    user.wait("file", user.want(method="regular", k=9, restoration=False, color_space="rgb", seed=0,
                                block_size=4))  # fmt: skip
    user.say("take", what="config")
    taken, (data,) = user.wait("taken")
    assert taken["text"].encode() == data
    Path(taken["name"]).write_bytes(data)
    config = read_config(Path(taken["name"]))
    assert config.images == ["cat.png"]
    repeated = {c.settings for c in config.codecs()}
    assert repeated == {point.settings for point in user.session.points}
    assert len(repeated) == 1 + len(STATES) + 1
    methods = tomllib.loads(taken["text"])["methods"]
    assert {"method": "regular", "k": [6, 7, 9]} in methods  # one section for all

    small = {**tomllib.loads(taken["text"]), "methods": methods[:1]}
    assert check_config(small, "test").images == ["cat.png"]
    Path("small.toml").write_text(takeaway.config(list(user.session.points)[:1]))
    assert command("adaptive-kmeans run small.toml --jobs 1") == 0
    with Path("results/cat_explored/table.csv").open() as table:
        (row,) = csv.DictReader(table)
    assert int(row["bytes"]) == user.session.points[0].bytes


def test_files_are_taken_once_they_are_there(user, photo):
    number = user.want(method="regions", k1=3, k2=300, restoration=False)
    for what in takeaway.OF_FILE:
        user.say("take", what=what)
    user.wait("file", number)
    user.session.finish()
    settings = akm.Settings.published(3, 300)
    taken = {m["what"]: (m, b[0]) for m, b in user.heard if m["type"] == "taken"}
    assert set(taken) == set(takeaway.OF_FILE)
    data = akm.encode(photo, settings)
    assert taken["akm"][1] == data
    assert taken["akm"][0]["name"] == "cat.akm"
    with Image.open(io.BytesIO(taken["png"][1])) as picture:
        assert np.array_equal(np.asarray(picture), akm.decode(data))
    held = container.read(data)
    with Image.open(io.BytesIO(taken["index-map"][1])) as picture:
        assert np.array_equal(np.asarray(picture), held.index_map)
    rows = list(csv.DictReader(io.StringIO(taken["codebook"][0]["text"])))
    colors = np.array([[int(row[c]) for c in ("red", "green", "blue")] for row in rows])
    assert np.array_equal(colors, np.concatenate(held.codebooks))
    assert sum(float(row["share"]) for row in rows) == pytest.approx(1, abs=1e-3)
    with np.load(io.BytesIO(taken["npz"][1]), allow_pickle=False) as arrays:
        assert np.array_equal(arrays["index_map"], held.index_map)
        assert np.array_equal(arrays["region_map"], held.region_map)
        assert np.array_equal(arrays["codebook_1"], held.codebooks[1])


def test_saving_never_replaces_a_file_and_stays_in_the_folder(photo, tmp_path):
    user = User([images.offer_pixels(photo, "cat")], folder=tmp_path)
    user.say("hello", query="method=regular&k=4")
    user.wait("file", 0)
    for _ in range(2):
        user.say("save", what="codebook")
    saved = [m["path"] for m, _ in user.heard if m["type"] == "saved"]
    assert saved == [str(tmp_path / "cat-codebook.csv"), str(tmp_path / "cat-codebook-2.csv")]
    text = (tmp_path / "cat-codebook.csv").read_text()
    assert text.startswith("region,index,red,green,blue,share\n")
    (tmp_path / "mine.csv").write_text("kept")
    for path in ("mine.csv", "../above.csv", "/tmp/x.csv", "", "a/b.csv", "..", 3, "nul\0.csv"):  # noqa: S108
        user.say("save", what="codebook", path=path)
    messages = [error["message"] for error in user.errors()]
    assert len(messages) == 7
    assert "one that is" in messages[0]
    assert (tmp_path / "mine.csv").read_text() == "kept"
    names = {"cat-codebook.csv", "cat-codebook-2.csv", "cat-codebook-3.csv", "mine.csv"}
    assert {path.name for path in tmp_path.iterdir()} == names
    user.session.close()


def test_a_file_that_cannot_be_written_leaves_nothing(photo, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OutputError("disk", "room", "none")

    monkeypatch.setattr("adaptive_kmeans.files.write_bytes", fail)
    with pytest.raises(OutputError, match="disk"):
        takeaway.save(takeaway.Taken("a.csv", b"text"), tmp_path)
    assert list(tmp_path.iterdir()) == []


# workers


def test_a_worker_does_the_newest_job_of_each_kind():
    worker, done, go = Worker("test"), [], threading.Event()
    worker.put("a", lambda check: go.wait(10))
    for i in range(5):
        worker.put("b", lambda check, i=i: done.append(i))
        worker.put("c", lambda check, i=i: done.append(10 + i))
    go.set()
    assert worker.wait_idle(10)
    assert done == [4, 14]
    worker.close()
    assert worker.join(10)
    worker.put("b", lambda check: done.append(99))
    assert done == [4, 14]


def test_an_outdated_job_ends_at_its_next_check():
    worker, ended = Worker("test"), []

    def job(check: Check) -> None:
        try:
            check.wait(30)
        except Outdated:
            ended.append(True)
            raise

    worker.put("a", job)
    time.sleep(0.05)
    start = time.monotonic()
    worker.put("a", lambda check: None)
    assert worker.wait_idle(10)
    assert time.monotonic() - start < 5
    assert ended == [True]
    worker.close()


# widget


@pytest.fixture
def widget_of(photo, tmp_path, monkeypatch):
    pytest.importorskip("anywidget")
    monkeypatch.chdir(tmp_path)
    made = []

    def make(*arguments, **settings):
        widget = akm.explore(*arguments, **settings)
        widget.sent = []
        monkeypatch.setattr(type(widget), "send", lambda self, m, b=None: self.sent.append((m, b)))
        made.append(widget)
        return widget

    yield make
    for widget in made:
        widget.close()


def test_a_widget_answers_messages_as_the_page_does(widget_of, photo, tmp_path):
    widget = widget_of(photo, k=5)
    assert widget.query == "method=regular&k=5&restoration=false"
    widget._handle_custom_msg({"type": "hello", "query": widget.query}, [])
    widget.session.finish()
    kinds = [m["type"] for m, _ in widget.sent if m["type"] != "progress"]
    assert kinds[:3] == ["welcome", "original", "picture"]
    assert kinds[-1] == "file"
    assert widget.sent[-1][0]["bytes"] == len(akm.encode(photo, akm.Settings.regular(5)))
    widget._handle_custom_msg({"type": "save", "what": "codebook"}, [])
    assert (tmp_path / "image-codebook.csv").exists()
    widget._handle_custom_msg({"type": "bye"}, [])
    widget._handle_custom_msg({"type": "hello", "query": ""}, [])  # shown again
    widget.session.finish()
    assert widget.sent[-1][0]["type"] == "file"


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        ({"k": 5}, ("regular", False)),
        ({"k2": 5}, ("regions", False)),
        ({}, ("quality", True)),
        ({"quality": 30}, ("quality", True)),
        ({"method": "regular"}, ("regular", False)),
        ({"k1": 4, "restoration": True}, ("regions", True)),
    ],
)
def test_the_method_of_a_widget_follows_from_its_settings(widget_of, given_, expected):
    state = widget_of("chelsea", **given_).session.state
    assert (state.method, state.restoration) == expected


def test_a_widget_offers_files_and_refuses_nonsense(widget_of, photo, tmp_path):
    Image.fromarray(photo).save("cat.png")
    widget = widget_of(Path("cat.png"))
    names = [image["name"] for image in widget.session.gallery.facts]
    assert names == ["cat", *BUNDLED]
    for arguments, settings_ in (((3,), {}), ((), {"kk": 3}), (("nothing.png",), {})):
        with pytest.raises(ConfigError):
            akm.explore(*arguments, **settings_)
    with pytest.raises(ImageError):
        akm.explore(photo.astype(float))


@pytest.mark.parametrize(
    ("module", "code"),
    [
        ("anywidget", "import adaptive_kmeans as akm; akm.explore('chelsea')"),
        ("starlette", "import adaptive_kmeans.explorer.server"),
        ("uvicorn", "import adaptive_kmeans.explorer.server"),
    ],
)
def test_a_missing_extra_is_named(module, code):
    blocked = f"import sys; sys.modules[{module!r}] = None\n{code}"
    done = subprocess.run(
        [sys.executable, "-c", blocked], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "pip install 'adaptive-kmeans[explorer]'" in done.stderr.splitlines()[-1]


def test_encoding_can_be_stopped_by_its_progress(photo):
    large = np.tile(photo, (6, 6, 1))

    def stop_at(stage):
        def progress(now, _):
            if now == stage:
                raise Outdated

        return progress

    for stage in ("clustering", "choosing codewords", "coding", "fitting the restoration"):
        with pytest.raises(Outdated):
            codec.encode(large, akm.Settings(effort=2), progress=stop_at(stage))
    for method in ({"effort": 6}, {"k1": 9}):
        with pytest.raises(Outdated):
            codec.encode(large, akm.Settings(**method), progress=stop_at("coding"))


def test_the_latency_study_measures_every_setting(tmp_path, monkeypatch, photo):
    pytest.importorskip("uvicorn")
    monkeypatch.chdir(tmp_path)
    Image.fromarray(photo).save("cat.png")
    Path("latency.toml").write_text(
        'kind = "explorer-latency"\nname = "latency"\nimages = ["cat.png"]\nk = [4, 8]\nk2 = 16\n'
        "moves = 3\npause_ms = [0, 10]\n"
    )
    results = run_experiment(Path("latency.toml"))
    assert not results.failures
    assert [(row.method, row.around) for row in results.table[:5].itertuples()] == [
        ("regular", 4), ("regular", 8), ("regions", 4), ("regions", 8), ("quality", 75)
    ]  # fmt: skip
    assert len(results.table) == 10
    assert all(
        0 < row.computed_ms <= row.median_ms <= row.p95_ms for row in results.table.itertuples()
    )
    assert results.table.iloc[0].megapixels == pytest.approx(61 * 83 / 1e6)
    summary = Path("results/latency/summary.md").read_text()
    cells = [[cell.strip() for cell in line.split("|")[1:4]] for line in summary.splitlines()]
    assert ["regions", "8", "10"] in cells
    assert Path("results/latency/figures/latency.png").exists()
    assert next(reproduce(Path("results"), [str(tmp_path / "cat.png")])).confirmed == 10
