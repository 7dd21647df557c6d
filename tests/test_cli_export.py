"""The command `export`: what other programs make of the files is the codewords' image."""

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import adaptive_kmeans as akm
from adaptive_kmeans import cli, container

FAST = {"coder": "fixed-length"}


@pytest.fixture
def command(tmp_path, monkeypatch, capsysbinary):
    """Run the command line in an empty folder: exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["adaptive-kmeans", *arguments])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        printed = capsysbinary.readouterr()
        run.out = printed.out
        return stopped.value.code, printed.out.decode("latin1"), printed.err.decode()

    return run


def glass(photo):
    return np.dstack([photo, np.clip(photo[..., 0].astype(int) * 2 - 120, 0, 255).astype(np.uint8)])


def kinds(photo):
    rgba = glass(photo)
    assert (rgba[..., 3] == 0).any()
    return {
        "regular": (photo, akm.Settings.regular(16, **FAST)),
        "regions": (photo, akm.Settings.published(5, 300, **FAST)),
        "glass": (rgba, akm.Settings.published(4, 9, **FAST)),
    }


@pytest.fixture(params=["regular", "regions", "glass"])
def quantized(request, photo, tmp_path):
    image, settings = kinds(photo)[request.param]
    data = akm.encode(image, settings)
    (tmp_path / "cat.akm").write_bytes(data)
    return container.read(data)


def pixels(name):
    with Image.open(name) as picture:
        return np.asarray(picture)


def test_maps_and_colors_give_the_image_back(command, quantized):
    code, out, err = command("export", "cat.akm")
    assert (code, err) == (0, "")
    names = [line.split(": ")[0] for line in out.splitlines()]
    assert names[0] == "cat-indices.png"
    assert names[-1] == "cat-codebook.json"
    assert {name for name in names if not Path(name).exists()} == set()
    codebooks = [
        np.array([list(bytes.fromhex(color[1:])) for color in codebook], np.uint8)
        for codebook in json.loads(Path("cat-codebook.json").read_text())["codebooks"]
    ]
    index_map = pixels("cat-indices.png")
    assert index_map.dtype == (np.uint16 if max(map(len, codebooks)) > 256 else np.uint8)
    regions = np.zeros_like(index_map)
    if len(codebooks) > 1:
        regions = pixels("cat-indices-regions.png")
    starts = np.cumsum([0, *map(len, codebooks)])
    image = np.concatenate(codebooks)[starts[regions] + index_map]
    if quantized.alpha is not None:
        alpha = pixels("cat-indices-alpha.png")
        image[alpha == 0] = 0
        image = np.dstack([image, alpha])
    assert np.array_equal(image, quantized.reconstruct())


def test_arrays_give_the_image_back(command, quantized):
    assert command("export", "cat.akm", "--format", "npz")[0] == 0
    with np.load("cat.npz", allow_pickle=False) as arrays:
        held = dict(arrays)
    alpha = held.pop("alpha", None)
    side, (height, width) = int(held["block_size"]), held["index_map"].shape
    regions = held["region_map"].repeat(side, 0).repeat(side, 1)[:height, :width]
    image = np.zeros((height, width, 3), np.uint8)
    for region in range(len(quantized.codebooks)):
        mine = regions == region
        image[mine] = held[f"codebook_{region}"][held["index_map"][mine]]
    if alpha is not None:
        image[alpha == 0] = 0
        image = np.dstack([image, alpha])
    assert np.array_equal(image, quantized.reconstruct())


def test_names_of_outputs_choose_formats(command, photo):
    Path("cat.akm").write_bytes(akm.encode(photo, akm.Settings.regular(6, **FAST)))
    (codebook,) = akm.quantize(photo, akm.Settings.regular(6)).codebooks
    names = ["map.PNG", "a.json", "b.npy", "c.gpl", "d.css", "e.csv", "f.npz"]
    code, out, _ = command("export", "cat.akm", *(word for name in names for word in ("-o", name)))
    assert code == 0
    assert sorted(path.name for path in Path().iterdir()) == sorted([*names, "cat.akm"])
    assert np.array_equal(np.load("b.npy"), codebook)
    assert out.splitlines()[1] == f"a.json: 6 colors, {Path('a.json').stat().st_size} B"
    code, out, _ = command("export", "cat.akm", "--format", "gpl", "--json")
    assert code == 0
    assert json.loads(out)[0]["output"] == "cat-codebook.gpl"
    assert Path("cat-codebook.gpl").read_bytes() == Path("c.gpl").read_bytes()
    assert command("export", "cat.akm", "-o", "-", "--format", "npy")[0] == 0
    assert np.array_equal(np.load(io.BytesIO(command.out)), codebook)


def test_nothing_is_overwritten_or_written_in_part(command, photo):
    data = akm.encode(glass(photo), akm.Settings.regular(6, **FAST))
    Path("cat.akm").write_bytes(data)
    Path("map-alpha.png").write_text("mine")
    code, _, err = command("export", "cat.akm", "-o", "a.json", "-o", "map.png")
    assert code == 2
    assert "expected a new name, or --force, received map-alpha.png, which exists" in err
    assert sorted(path.name for path in Path().iterdir()) == ["cat.akm", "map-alpha.png"]
    assert command("export", "cat.akm", "-o", "map.png", "--force")[0] == 0
    assert np.array_equal(pixels("map-alpha.png"), akm.decode(data)[..., 3])
    for wrong, expected in {
        ("-o", "cat.akm"): "ends in one of .png",
        ("-o", "x.txt"): "ends in one of .png",
        ("-o", "x.png", "-o", "./x.png"): "another file",
        ("-o", "no/x.png"): "can be written",
        ("-o", "-"): "one --format",
        ("-o", "-", "--format", "png"): "a name, for 2 maps",
        ("-o", "x.png", "--format", "png"): "named outputs or --format",
        ("--format", "gif"): "one of css",
    }.items():
        code, out, err = command("export", "cat.akm", *wrong)
        assert (code in (2, 5), out, err.count("\n")) == (True, "", 1), wrong
        assert expected in err
    Path("bad.akm").write_bytes(data[:-1])
    code, _, err = command("export", "bad.akm")
    assert (code, err.count("\n")) == (3, 1)
    assert err.startswith("adaptive-kmeans: bad.akm: ")
    assert not Path("bad-indices.png").exists()


def test_what_only_the_decoder_restores_is_told(command, photo):
    settings = akm.Settings.regular(6, correction="auto", restoration="auto", **FAST)
    Path("cat.akm").write_bytes(akm.encode(photo, settings))
    code, _, err = command("export", "cat.akm")
    assert code == 0
    assert err == "note: cat.akm: its filter and correction are not exported, only the codewords\n"
    assert command("export", "cat.akm", "--quiet", "--force")[2] == ""
