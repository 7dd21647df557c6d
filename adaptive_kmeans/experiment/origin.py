"""What a folder of results was made from: a config, the pixels of images, and declared versions.

A run of anything else would replace results that it does not repeat, so it is refused unless
forced. Keys that only change how results are shown, `SHOWN`, are not compared.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from adaptive_kmeans import files
from adaptive_kmeans.codec import VERSIONS
from adaptive_kmeans.datasets import ImageSource
from adaptive_kmeans.errors import AdaptiveKMeansError, ConfigError
from adaptive_kmeans.experiment.config import MAX_CONFIG_BYTES, check_config
from adaptive_kmeans.experiment.rows import METRICS
from adaptive_kmeans.experiment.schema import Experiment
from adaptive_kmeans.experiment.trials import UNREADABLE, hash_images

CONFIG, ENVIRONMENT = "config.toml", "environment.json"
SHOWN = ("question", "figures", "published")
"""Keys of a config that do not change any number."""
MAX_ENVIRONMENT_BYTES = 2**24
MAX_VALUE = 40
MAX_NAMED = 3
"""Maximum number of images and keys that a message names."""


def require_same(folder: Path, config: Experiment, sources: Sequence[ImageSource]) -> None:
    """Refuse to replace results that were made from something else.

    Parameters
    ----------
    folder : Path
        A folder of results; one without results can always be used.
    config : Experiment
    sources : sequence of ImageSource
        What would be run.

    Raises
    ------
    ConfigError
        The folder has results of another config, of other images, or of other versions.
    """
    if not (folder / CONFIG).exists():
        return
    found = differences(folder, config, sources)
    if found:
        expected = (
            "a run of the same; --results DIR keeps these results, --force replaces them, and does "
            "not repeat trials that both have"
        )
        raise ConfigError(f"{folder} has results", expected, ", ".join(found))


def differences(folder: Path, config: Experiment, sources: Sequence[ImageSource]) -> list[str]:
    """Describe each difference between a run and that of a folder of results in a few words."""
    try:
        text = files.read_bytes(folder / CONFIG, MAX_CONFIG_BYTES).decode()
        before = check_config(tomllib.loads(text), str(folder / CONFIG))
        facts = json.loads(files.read_bytes(folder / ENVIRONMENT, MAX_ENVIRONMENT_BYTES))
        images = {name: each["sha256"] for name, each in facts["images"].items()}
    except (AdaptiveKMeansError, ValueError, LookupError, TypeError, AttributeError):
        return ["one of another version, or damaged records of it"]
    return [
        *_keys(_measured(before), _measured(config)),
        *_images(images, sources, config.background),
        *_versions(facts),
    ]


def _measured(config: Experiment) -> dict[str, Any]:
    """Return the keys that numbers depend on; images are compared by their pixels."""
    return config.model_dump(exclude={"name", "images", *SHOWN})


def _keys(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    changed = list(_changes("", before, now))
    return [_some(changed)] if changed else []


def _changes(path: str, before: Any, now: Any) -> Iterator[str]:
    """Yield the keys that differ, as dotted paths like those of ``--set``, with their values."""
    if before == now:
        return
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for key in {**before, **now}:
            yield from _changes(f"{path}.{key}".lstrip("."), before.get(key), now.get(key))
        return
    if isinstance(now, list) and any(isinstance(each, Mapping) for each in now):
        if isinstance(before, list) and len(before) == len(now):
            for place, pair in enumerate(zip(before, now, strict=True)):
                yield from _changes(f"{path}.{place}", *pair)
            return
        yield f"{len(now)} {path}, not {len(before or ())}"
        return
    yield f"{path} = {_short(now)}, not {_short(before)}"


def _short(value: Any) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= MAX_VALUE else f"{text[: MAX_VALUE - 1]}…"


def _images(
    before: Mapping[str, str], sources: Sequence[ImageSource], background: str | None
) -> list[str]:
    now = hash_images(sources, background)
    readable = [name for name in now if not now[name].startswith(UNREADABLE)]
    added = [name for name in readable if name not in before]
    absent = [name for name in before if name not in now]
    changed = [name for name in readable if name in before and now[name] != before[name]]
    told = (("also the images", added), ("not the images", absent), ("other pixels in", changed))
    return [f"{what} {_some(names)}" for what, names in told if names]


def _versions(facts: Mapping[str, Any]) -> list[str]:
    found = [
        f"{name.replace('_', ' ')} {now} for {facts[name]}"
        for name, now in VERSIONS.items()
        if facts.get(name, now) != now
    ]
    for name, settings in facts.get("metrics", {}).items():
        if name in METRICS and METRICS[name].settings != settings:
            found.append(f"another version of the metric {name}")
    return found


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return f"{', '.join(names[:MAX_NAMED])}{more}"
