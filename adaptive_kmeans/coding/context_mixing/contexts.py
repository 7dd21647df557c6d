"""The context table: every context, feature and weight set of the coder, each declared once.

A pixel is coded by decisions of two kinds: a *run* flag, which says whether a pixel between four
equal neighbors (W, N, NW, NE) equals them, and *branches*, left or right down the tree of its
region's codewords. A `Decision` lists what a decision of one kind sees; a `Profile` has one
`Decision` of each kind. Sizes, masks and the ablation groups follow from these tables, and so does
the code that computes slots, sets and inputs: it is generated for each profile and compiled into
its kernels. To add or remove a context, add or remove a line here; to give contexts something new
to see, add a quantity to `PIXEL`, `RUN` or `BRANCH` and the line of `pixels` that computes it.

A *hashed* context has ``key = sum of quantity * MULTIPLIERS[j] + (i + 1) * 0x0D3F8C71 + salt``,
where j counts the quantities that it sees and i is its position among the hashed contexts of its
kind, modulo 2**63; ``salt = region * 0x19E3779B``, plus 0x1A2B3C4D in a branch after a run flag of
0. Its hash is ``scramble(key)``. A *direct* context numbers the combinations of what it sees,
``index = (…(q0 * n1 + q1) * n2 + q2…)``, where ``n`` is the number of values of a quantity, and
takes the index modulo the size of its table: the number of combinations, rounded up to a power of
two, at least 2**8 and at most 2**20. A *feature* is itself an input of the mixer. A weight set is
numbered like a direct context, modulo `MAX_SETS`.

With ``depth = bit_length(pixels - 1)`` of the band, a hashed context has ``2**clip(depth - 3, 8,
18)`` lines for a run flag, ``2**clip(depth - 5, 6, 16)`` for a branch. Only contexts with the same
index share a counter.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numba.extending import overload
from numpy.typing import NDArray

from adaptive_kmeans.coding.context_mixing.codeword_tree import Codewords
from adaptive_kmeans.coding.context_mixing.kernel import LANES, counter_learner
from adaptive_kmeans.coding.context_mixing.match import Match, match_bytes
from adaptive_kmeans.coding.context_mixing.mixer import SETS, Mixer
from adaptive_kmeans.coding.context_mixing.neighborhood import (
    ABOVE_MARGIN,
    ACROSS_MARGIN,
    Neighborhood,
)
from adaptive_kmeans.kernels import Int, inlined

CODEWORDS = -1
"""Marks a quantity that is a codeword or a node: it has as many values as there are codewords."""

PIXEL: dict[str, int] = {
    # initial value of every key
    "salt": 0,
    # 1 after a run flag of 0
    "after run": 2,
    # codewords of neighbors, mapped to the nearest ones of the pixel's region
    "w": CODEWORDS,
    "n": CODEWORDS,
    "nw": CODEWORDS,
    "ne": CODEWORDS,
    "ww": CODEWORDS,
    "nn": CODEWORDS,
    "nne": CODEWORDS,
    "nww": CODEWORDS,
    "nee": CODEWORDS,
    # sums of the first 6, 10, 18 and 25 codewords, each times its multiplier, modulo 2**32
    "nearest 6": 0,
    "nearest 10": 0,
    "nearest 18": 0,
    "nearest 25": 0,
    # 1 + the codeword of the first neighbor that differs from W; 0 if none does
    "other": 0,
    # bit i says whether neighbor i has W's codeword, or the other one; for the first 18, or 6
    "same as w": 1 << 18,
    "same as w 6": 64,
    "same as other": 1 << 18,
    "same as other 6": 64,
    # a hash of the equalities of 10 neighbors with W, of 6 with the other, and of "after run"
    "patterns": 1 << 14,
    # 1 + the codeword that the match predicts; 0 for none, or one of another region
    "match": 0,
    "match length": 16,
    # errors of the linear prediction at W, N, NW and NE, in 12 classes
    "error": 12,
    # the codeword nearest to the linear prediction
    "linear": CODEWORDS,
    # the match and its length; if nothing is predicted, the linear prediction's codeword and WW
    "predicted": 0,
}
"""What every decision of a pixel can see: the number of values by name, 0 for a plain hash."""

EARLY = set(PIXEL) - {"linear", "predicted"}
"""Known before colors are predicted; the lines of contexts that see only these are prefetched."""

RUN: dict[str, int] = {
    # bits of "same as w" from bit 4 (WW) on: 4, 6, 8, 10 or all 14 of them
    "pattern 4": 16,
    "pattern 6": 64,
    "pattern 8": 256,
    "pattern 10": 1024,
    "pattern 14": 1 << 14,
    "other pattern 8": 256,
    # class 0..6 of the number of pixels to the left that equaled their left neighbors, and the
    # number of pixels past NE that equal W, up to 3
    "behind": 8,
    "ahead": 4,
    # where the linear prediction lies between W and the other codeword, in 16 classes
    "lean": 16,
    # distance of W from the linear prediction's codeword, from the other codeword, and in total
    # from WW, NN, NNE, NWW, NEE and NNW, in 12 classes
    "miss": 12,
    "gap": 12,
    "activity": 12,
    # the match predicts nothing, another codeword, or W's
    "match agrees": 3,
    # 192 + 2 match length + (match agrees - 1), or lean × miss if nothing is predicted
    "match or miss": 224,
    # hashes of W with the pattern of 6, and with behind and ahead
    "w pattern": 1 << 18,
    "w run": 1 << 18,
    # features
    "miss feature": 0,
    "lean feature": 0,
    "lean 4 feature": 0,
    "ww feature": 0,
    "nn feature": 0,
    "nne feature": 0,
    "nww feature": 0,
    "nee feature": 0,
    "nnw feature": 0,
    "activity feature": 0,
    "one": 0,
}
"""What a run flag can see in addition."""

BRANCH: dict[str, int] = {
    "node": CODEWORDS,
    "node size": 32,
    "node level": 4,
    # whether W's codeword and the other one are outside the node, on its left or on its right
    "sides": 9,
    "sides unless after run": 9,
    # the match predicts nothing inside the node, its left or its right
    "match side": 3,
    # 192 + 2 match length + (match side - 1), or error × linear distance if nothing is predicted
    "match or error": 224,
    # signed distances from the node's plane, in 16 classes
    "w distance": 16,
    "n distance": 16,
    "ne distance": 16,
    "median distance": 16,
    "linear distance": 16,
    "gradient distance": 16,
    # features: these distances, two of them times 4, and the sides
    "w feature": 0,
    "n feature": 0,
    "nw feature": 0,
    "ne feature": 0,
    "ww feature": 0,
    "nn feature": 0,
    "nne feature": 0,
    "median feature": 0,
    "linear feature": 0,
    "w 4 feature": 0,
    "linear 4 feature": 0,
    "w side feature": 0,
    "other side feature": 0,
    "one": 0,
}
"""What a branch can see in addition."""

MULTIPLIERS = (
    0x2C1B3C6D, 0x297A2D39, 0x3A8F05C5, 0x1B56C4E9, 0x0D3F8C71, 0x19E3779B, 0x12FD5F35,
    0x2545F491, 0x369DEA0F, 0x1F35D3A7, 0x2D1B3C6D, 0x397A2D39, 0x0B56C4E9, 0x1A8F05C5,
    0x2D3F8C71, 0x29E3779B, 0x31FD5F35, 0x1545F491, 0x269DEA0F, 0x3F35D3A7, 0x0C1B3C6D,
    0x197A2D39, 0x2B56C4E9, 0x3D3F8C71, 0x09E3779B,
)  # fmt: skip
CONTEXT_SALT, REGION_SALT, AFTER_RUN_SALT = 0x0D3F8C71, 0x19E3779B, 0x1A2B3C4D


MAX_SETS = 4096
"""Largest number of weight sets from which one is selected."""
SKIP_COUNTERS = 32 * 16 * 2 * 4
"""Counters of the skip-mixing path, by margin over spread, margin, side and size of the node."""


def place(name: str) -> int:
    """Return the position of a pixel's quantity in the array of quantities."""
    return list(PIXEL).index(name)


class Context(NamedTuple):
    """What an input of the mixer, or the selection of its weights, depends on."""

    group: str
    sees: tuple[str, ...]


@dataclass(frozen=True)
class Decision:
    """What a decision of one kind sees.

    Parameters
    ----------
    hashed, direct, features : tuple of Context
        The inputs of the mixer, in this order.
    sets : tuple of tuple of str
        The selected weight sets, each given by what selects it.
    limit : int
        Count at which a counter's rate stops falling.
    line : int
        Words in a line of a hashed context: a check, then counters.
    """

    hashed: tuple[Context, ...]
    direct: tuple[Context, ...]
    features: tuple[Context, ...]
    sets: tuple[tuple[str, ...], ...]
    limit: int
    line: int
    own: dict[str, int] = field(repr=False, hash=False)

    @property
    def contexts(self) -> int:
        """Number of counters that a decision reads."""
        return len(self.hashed) + len(self.direct)

    def without(self, group: str) -> Decision:
        """Return the decision without a group of contexts."""

        def kept(contexts: tuple[Context, ...]) -> tuple[Context, ...]:
            return tuple(context for context in contexts if context.group != group)

        hashed, direct, features = kept(self.hashed), kept(self.direct), kept(self.features)
        return Decision(hashed, direct, features, self.sets, self.limit, self.line, self.own)


@dataclass(frozen=True)
class Profile:
    """A model of the coder: what its decisions see, and its fast path.

    A branch is coded by its counter of the skip-mixing path alone if that counter gives one outcome
    a probability below `skip_chance` / 65536.
    """

    run: Decision
    branch: Decision
    skip_chance: int


def _context(group: str, *sees: str) -> Context:
    return Context(group, sees)


_STRONGEST_RUN = Decision(
    hashed=(
        _context("exact neighborhoods", "nearest 10"),
        _context("exact neighborhoods", "nearest 25"),
        _context("runs", "pattern 8", "other pattern 8", "behind", "ahead", "gap"),
        _context("match", "match", "match length", "nearest 6"),
    ),
    direct=(
        _context("runs", "pattern 10", "behind", "ahead"),
        _context("runs", "w run"),
        _context("match", "match length", "match agrees", "miss"),
    ),
    features=(
        _context("features", "miss feature"),
        _context("features", "lean feature"),
        _context("features", "lean 4 feature"),
        _context("features", "ww feature"),
        _context("features", "nn feature"),
        _context("features", "nne feature"),
        _context("features", "nww feature"),
        _context("features", "nee feature"),
        _context("features", "nnw feature"),
        _context("features", "activity feature"),
        _context("bias", "one"),
    ),
    sets=(("pattern 8",), ("match or miss",), ("w",)),
    limit=255,
    line=2,
    own=RUN,
)
_STRONGEST_BRANCH = Decision(
    hashed=(
        _context("single neighbors", "w"),
        _context("single neighbors", "n"),
        _context("pairs along a line", "w", "ww"),
        _context("pairs along a line", "n", "nn"),
        _context("pairs and triples around", "w", "ne"),
        _context("pairs and triples around", "n", "ne", "nne"),
        _context("pairs along a line", "ne", "nee"),
        _context("patterns", "w", "other", "same as w 6", "same as other 6"),
        _context("exact neighborhoods", "nearest 10"),
        _context("exact neighborhoods", "nearest 18"),
        _context("predicted codeword", "predicted"),
        _context("exact neighborhoods", "nearest 25"),
    ),
    direct=(
        _context("distances from planes", "after run", "error", "sides", "linear distance",
                 "median distance"),
        _context("distances from planes", "sides", "w distance", "n distance", "gradient distance"),
        _context("patterns", "patterns", "sides"),
        _context("distances from planes", "node", "ne distance", "w distance"),
        _context("match", "match length", "match side", "node level", "sides"),
    ),
    features=(
        _context("features", "w feature"),
        _context("features", "n feature"),
        _context("features", "nw feature"),
        _context("features", "ne feature"),
        _context("features", "ww feature"),
        _context("features", "nn feature"),
        _context("features", "nne feature"),
        _context("features", "median feature"),
        _context("features", "linear feature"),
        _context("features", "w 4 feature"),
        _context("features", "linear 4 feature"),
        _context("features", "w side feature"),
        _context("features", "other side feature"),
        _context("bias", "one"),
    ),
    sets=(("node",), ("sides unless after run", "node size"), ("match or error",)),
    limit=30,
    line=16,
    own=BRANCH,
)  # fmt: skip

STRONGEST = Profile(_STRONGEST_RUN, _STRONGEST_BRANCH, skip_chance=512)

_FAST_RUN = Decision(
    hashed=(
        _context("exact neighborhoods", "nearest 10"),
        _context("exact neighborhoods", "nearest 25"),
    ),
    direct=(
        _context("runs", "pattern 10", "behind", "ahead"),
        _context("match", "match length", "match agrees", "miss"),
    ),
    features=(
        _context("features", "miss feature"),
        _context("features", "lean feature"),
        _context("features", "activity feature"),
        _context("bias", "one"),
    ),
    sets=(("match or miss",),),
    limit=255,
    line=2,
    own=RUN,
)
_FAST_BRANCH = Decision(
    hashed=(
        _context("single neighbors", "w"),
        _context("single neighbors", "n"),
        _context("exact neighborhoods", "nearest 10"),
        _context("exact neighborhoods", "nearest 25"),
    ),
    direct=(
        _context("distances from planes", "after run", "error", "sides", "linear distance",
                 "median distance"),
        _context("patterns", "patterns", "sides"),
        _context("distances from planes", "node", "ne distance", "w distance"),
        _context("match", "match length", "match side", "node level", "sides"),
    ),
    features=(
        _context("features", "w feature"),
        _context("features", "n feature"),
        _context("features", "ne feature"),
        _context("features", "median feature"),
        _context("features", "linear feature"),
        _context("features", "w side feature"),
        _context("features", "other side feature"),
        _context("bias", "one"),
    ),
    sets=(("node",),),
    limit=30,
    line=16,
    own=BRANCH,
)  # fmt: skip
FAST = Profile(_FAST_RUN, _FAST_BRANCH, skip_chance=2048)


class Tables(NamedTuple):
    """Where the counters and weight sets of a kind of decision start, and its contexts' hashes."""

    hashed: NDArray[np.int64]  # (2,) first word of the lines, log2 of the lines per context
    direct: NDArray[np.int64]  # (2, direct contexts) first counter, size minus one
    sets: NDArray[np.int64]  # (selected sets,) first set
    keys: NDArray[np.int64]  # (hashed contexts,)


class _Fields(NamedTuple):
    codes: NDArray[np.int32]  # (h + 3, w + 8) codewords so far, between margins
    regions: NDArray[np.uint8]  # (h, w)
    codewords: Codewords
    around: Neighborhood
    match: Match
    mixer: Mixer
    counters: NDArray[np.uint32]
    run: Tables
    branch: Tables
    skip: int  # first counter of the skip-mixing path
    blank: int  # a line that stays empty
    seen: NDArray[np.int64]  # (PIXEL,)
    lines: NDArray[np.int64]  # (16,) lines of a branch's contexts at this group of levels
    distances: NDArray[np.int32]  # (COLOR_LANES,) of the colors from a node's plane
    errors: NDArray[np.int64]  # (w + 2,) of the linear prediction: in this row, then the row above
    state: NDArray[np.int64]  # (STATE,) state of the pixel loop
    decided: NDArray[np.int64]  # (DECISIONS, 4) state of each decision of a pixel
    asked: NDArray[np.int64]  # (codewords, 2) inquiry and probability, by node


class Model(_Fields):
    """The coder's state while it codes a band; each subclass stands for a profile."""

    profile: ClassVar[Profile]


class StrongestModel(Model):
    """The strongest profile's model."""

    profile = STRONGEST


class FastModel(Model):
    """The fast profile's model."""

    profile = FAST


MODELS: dict[str, type[Model]] = {"strongest": StrongestModel, "fast": FastModel}
"""The model classes by profile name."""


@inlined
def scramble(key: Int) -> Int:
    """32-bit hash of a non-negative key."""
    v = key & 0xFFFFFFFF
    v = ((v ^ (v >> 15)) * 0x2C1B3C6D) & 0xFFFFFFFF
    v = ((v ^ (v >> 13)) * 0x297A2D39) & 0xFFFFFFFF
    return v ^ (v >> 16)


def _value(name: str, own: dict[str, int]) -> str:
    """Write the expression of a quantity, either the pixel's or the decision's own."""
    return f"seen[{place(name)}]" if name in PIXEL else f"own[{list(own).index(name)}]"


def _number(sees: tuple[str, ...], own: dict[str, int]) -> str:
    """Write the expression that numbers a combination of quantities."""
    index = _value(sees[0], own)
    for name in sees[1:]:
        index = f"({index}) * {(PIXEL | own)[name]} + {_value(name, own)}"
    return index


def _keys_source(kind: str, decision: Decision) -> str:
    """Write the functions that hash a decision's contexts: those known early, then the others."""
    heads = [f" seen, keys = model.seen, model.{kind}.keys", f" salt = seen[{place('salt')}]"]
    early, late = list(heads), list(heads)
    for i, context in enumerate(decision.hashed):
        terms = [
            f"{_value(q, decision.own)} * {MULTIPLIERS[j]}" for j, q in enumerate(context.sees)
        ]
        key = " + ".join([*terms, f"salt + {(i + 1) * CONTEXT_SALT}"])
        lines = early if EARLY.issuperset(context.sees) else late
        lines.append(f" keys[{i}] = scramble({key})")
    lines = [f"def {kind}_early_keys(model):", *early, f"def {kind}_late_keys(model, own):", *late]
    return "\n".join([*lines, ""])


def _inputs_source(kind: str, decision: Decision) -> str:
    """Write the function that finds the direct counters, the weight sets and the features."""
    lines = [
        f"def {kind}_inputs(model, decision, own):",
        f" seen, mixer, tables = model.seen, model.mixer, model.{kind}",
        " slots, sets, inputs = mixer.slots, mixer.sets, mixer.inputs",
        f" at, first = decision * {LANES}, decision * {SETS}",
    ]
    for i, context in enumerate(decision.direct):
        number = _number(context.sees, decision.own)
        slot = f"tables.direct[0, {i}] + (({number}) & tables.direct[1, {i}])"
        lines.append(f" slots[at + {len(decision.hashed) + i}] = {slot}")
    for i, sees in enumerate(decision.sets):
        number = f"(({_number(sees, decision.own)}) & {MAX_SETS - 1})"
        lines.append(f" sets[first + {i}] = tables.sets[{i}] + {number}")
    features = [_value(context.sees[0], decision.own) for context in decision.features]
    features += ["0"] * (LANES - decision.contexts - len(features))
    for i, feature in enumerate(features):
        lines.append(f" inputs[at + {decision.contexts + i}] = {feature}")
    return "\n".join([*lines, ""])


@functools.cache
def _functions(profile: Profile) -> dict[str, Callable[..., Any]]:
    """Generate the functions that depend on a profile; each takes a model."""
    functions: dict[str, Callable[..., Any]] = {}
    for kind, decision in (("run", profile.run), ("branch", profile.branch)):
        lanes = -(-decision.contexts // 8) * 8
        namespace: dict[str, Any] = {"scramble": scramble, "learn_all": counter_learner(lanes)}
        sizes = len(decision.hashed), decision.contexts, len(decision.sets), decision.line
        source = _keys_source(kind, decision) + _inputs_source(kind, decision)
        source += (
            f"def {kind}_sizes(model):\n return {sizes}\n"
            f"def {kind}_learn(model, decision, bit):\n"
            f" mixer = model.mixer\n"
            f" learn_all(mixer.values, mixer.rates, decision * {LANES}, bit, {decision.limit})\n"
            f"def skip_chance(model):\n return {profile.skip_chance}\n"
        )
        exec(source, namespace)  # noqa: S102 - the tables above, written out
        functions |= {name: f for name, f in namespace.items() if callable(f)}
    return functions


def _of_profile(name: str, arguments: str) -> Callable[..., Any]:
    """Make a function whose code depends on the profile of the model, its first argument."""
    source = (
        f"def interpreted(model{arguments}):\n"
        f" return functions(type(model).profile)['{name}'](model{arguments})\n"
        f"def compiled(model{arguments}):\n"
        f" return functions(model.instance_class.profile)['{name}']\n"
    )
    namespace: dict[str, Any] = {"functions": _functions}
    exec(source, namespace)  # noqa: S102 - a function of each number of arguments
    overload(namespace["interpreted"], jit_options={"forceinline": True}, strict=False)(
        namespace["compiled"]
    )
    function: Callable[..., Any] = namespace["interpreted"]
    return function


run_early_keys = _of_profile("run_early_keys", "")
run_late_keys = _of_profile("run_late_keys", ", own")
run_inputs = _of_profile("run_inputs", ", decision, own")
run_learn = _of_profile("run_learn", ", decision, bit")
run_sizes = _of_profile("run_sizes", "")
branch_early_keys = _of_profile("branch_early_keys", "")
branch_late_keys = _of_profile("branch_late_keys", ", own")
branch_inputs = _of_profile("branch_inputs", ", decision, own")
branch_learn = _of_profile("branch_learn", ", decision, bit")
branch_sizes = _of_profile("branch_sizes", "")
skip_chance = _of_profile("skip_chance", "")


def _combinations(sees: tuple[str, ...], own: dict[str, int], codewords: int) -> int:
    values = ((PIXEL | own)[name] for name in sees)
    return math.prod(codewords if n == CODEWORDS else n for n in values)


class Placed(NamedTuple):
    """Layout of the counters and weight sets of a band."""

    run: Tables
    branch: Tables
    skip: int
    blank: int
    counters: int  # in all
    sets: int  # in all


@functools.lru_cache(maxsize=16)
def place_tables(profile: Profile, pixels: int, codewords: int) -> Placed:
    """Lay out the counters and weight sets of a band of `pixels`; bands share the result."""
    depth = (pixels - 1).bit_length()
    bits = {"run": min(max(depth - 3, 8), 18), "branch": min(max(depth - 5, 6), 16)}
    tables, end, sets = [], 0, 0
    for kind, decision in (("run", profile.run), ("branch", profile.branch)):
        hashed = np.array([end, bits[kind]], dtype=np.int64)
        end += len(decision.hashed) * decision.line << bits[kind]
        direct = np.zeros((2, len(decision.direct)), dtype=np.int64)
        for i, context in enumerate(decision.direct):
            size = 1 << min(
                max((_combinations(context.sees, decision.own, codewords) - 1).bit_length(), 8), 20
            )
            direct[:, i] = end, size - 1
            end += size
        starts = np.zeros(len(decision.sets), dtype=np.int64)
        for i, sees in enumerate(decision.sets):
            starts[i] = sets
            sets += min(_combinations(sees, decision.own, codewords), MAX_SETS)
        tables.append(Tables(hashed, direct, starts, np.zeros(len(decision.hashed), np.int64)))
    blank = end + SKIP_COUNTERS
    return Placed(tables[0], tables[1], end, blank, blank + profile.branch.line, sets)


def table_bytes(kind: type[Model], pixels: int, codewords: int) -> int:
    """Return the size in bytes of the counters, weights and match table of a band of `pixels`."""
    placed = place_tables(kind.profile, pixels, codewords)
    return 4 * placed.counters + 4 * (LANES + 1) * placed.sets + match_bytes(pixels)


def map_bytes(height: int, width: int) -> int:
    """Return the size in bytes of a band's codewords, bare and with margins, and a row's errors."""
    framed = (height + ABOVE_MARGIN) * (width + 2 * ACROSS_MARGIN)
    return 4 * (height * width + framed) + 8 * (width + 2)
