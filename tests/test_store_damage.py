"""A store that is damaged, in any way, is one clear error or has no effect: never a wrong table."""

# ruff: noqa: S608, S311  # tables and columns are this module's own, and the draws are repeatable
import contextlib
import random
import shutil
import sqlite3
from pathlib import Path

import pytest
from PIL import Image

from adaptive_kmeans.errors import AdaptiveKMeansError, DamagedError
from adaptive_kmeans.experiment import run_experiment, view
from adaptive_kmeans.experiment.store import Store

CONFIG = """
name = "small"
images = ["0.png", "1.png"]
[figures]
draw = ["quality"]
formats = ["png"]
[[methods]]
method = "regular"
k = [2, 3, 5, 8]
coder = "fixed-length"
"""
DAMAGES = 1000
COLUMNS = {
    "trials": ["key", "state", "runner", "summary", "rows", "errors", "seconds", "checksum"],
    "files": ["key", "data", "checksum"],
}
VALUES = [
    None,
    "",
    "done",
    "failed",
    "waiting",
    "running",
    "[]",
    "{}",
    "[{}]",
    0,
    -1,
    7.5,
    b"\0\xff",
]


@pytest.fixture
def small(folder, photo):
    """A finished experiment, with its store."""
    for number in range(2):
        Image.fromarray(photo[number : 40 + number]).save(f"{number}.png")
    Path("small.toml").write_text(CONFIG)
    run_experiment(Path("small.toml"), jobs=1)
    return Path("results/small")


def rows(place: Path) -> list:
    with Store(place, create=False) as store:
        return view.see(store).findings.table.astype(str).to_numpy().tolist()


def damage_bytes(path: Path, draw: random.Random) -> None:
    data = bytearray(path.read_bytes())
    kind = draw.choice(["bit", "byte", "run", "cut", "end"])
    place = draw.randrange(len(data))
    if kind == "bit":
        data[place] ^= 1 << draw.randrange(8)
    elif kind == "byte":
        data[place] = draw.randrange(256)
    elif kind == "run":
        data[place : place + 64] = draw.randbytes(len(data[place : place + 64]))
    elif kind == "cut":
        del data[place:]
    else:
        data += draw.randbytes(100)
    path.write_bytes(data)


def damage_field(path: Path, draw: random.Random) -> None:
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        table = draw.choice(list(COLUMNS))
        column = draw.choice(COLUMNS[table])
        number = draw.choice([n for (n,) in database.execute(f"SELECT rowid FROM {table}")])
        if draw.random() < 0.1:
            database.execute(f"DELETE FROM {table} WHERE rowid = ?", (number,))
            return
        (old,) = database.execute(
            f"SELECT {column} FROM {table} WHERE rowid = ?", (number,)
        ).fetchone()
        value = draw.choice(VALUES)
        if isinstance(old, str | bytes) and len(old) > 1 and draw.random() < 0.6:
            place = draw.randrange(len(old))
            middle = draw.choice("0123456789abcdef}") if isinstance(old, str) else draw.randbytes(1)
            value = old[:place] + middle + old[place + 1 :]
        with contextlib.suppress(sqlite3.IntegrityError):
            database.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (value, number))


@pytest.mark.long
def test_no_damage_gives_a_wrong_table(small):
    right, whole = rows(small), (small / "trials.sqlite").read_bytes()
    draw = random.Random(0)
    refused = 0
    for number in range(DAMAGES):
        place = Path(f"damaged-{number}")
        place.mkdir()
        path = place / "trials.sqlite"
        path.write_bytes(whole)
        draw.choice([damage_bytes, damage_field])(path, draw)
        error = None
        try:
            assert rows(place) == right
        except AdaptiveKMeansError as raised:
            error = raised
        if error is not None:
            refused += 1
            assert "\n" not in str(error)
            assert error.exit_code in (5, 6)
        shutil.rmtree(place)
    assert refused > DAMAGES / 4


def test_repair_says_what_it_drops_and_it_is_measured_again(small, command):
    right = rows(small)
    with contextlib.closing(sqlite3.connect(small / "trials.sqlite")) as database, database:
        database.execute("UPDATE trials SET rows = replace(rows, '4', '5') WHERE rowid = 3")
    with pytest.raises(DamagedError, match=r"damage in the trial .*0, regular k = 5"):
        rows(small)
    code, out, err = command("run", "small.toml")
    assert (code, out) == (5, "")
    assert err.splitlines()[-1].endswith("(0, regular k = 5 4×4 fixed-length)")
    assert "run --repair drops what is damaged and measures it again" in err
    code, _, err = command("run", "small.toml", "--repair")
    assert code == 0
    assert err.startswith("dropped: damage in the trial ")
    assert rows(small) == right
