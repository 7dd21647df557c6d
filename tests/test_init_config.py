"""Configs that write themselves: all keys of all kinds, and a run of what is written."""

import tomllib
from pathlib import Path

import pytest
from PIL import Image
from pydantic import TypeAdapter

from adaptive_kmeans.experiment import run_experiment
from adaptive_kmeans.experiment.config import check_config
from adaptive_kmeans.experiment.first_config import first_config
from adaptive_kmeans.experiment.kinds import KINDS
from adaptive_kmeans.experiment.sections import choices, description, sections

SLOW = {"coder-ablation": pytest.mark.long, "explorer-latency": pytest.mark.long}


def models(model):
    """Yield a model of a config with those of its sections."""
    yield model
    for field in model.model_fields.values():
        for inner in sections(field.annotation):
            yield from models(inner)


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_is_there_with_its_meaning_and_its_choices(kind):
    lines = first_config(kind).splitlines()
    prose = " ".join(line.removeprefix("# ") for line in lines if line.startswith("# "))
    for model in models(KINDS[kind].config):
        for name, field in model.model_fields.items():
            if sections(field.annotation):
                assert any(line.startswith(("[", "#[")) and f"{name}]" in line for line in lines)
                continue
            assert any(line.lstrip("#").startswith(f"{name} = ") for line in lines), name
            assert name in ("kind", "method") or description(field), name
            assert " ".join(description(field).splitlines()) in prose
            if len(choices(field)) > 1:
                assert ", ".join(choices(field)) in prose


@pytest.mark.parametrize("kind", KINDS)
def test_every_optional_line_sets_a_valid_value_once_uncommented(kind):
    lines = first_config(kind).splitlines()
    uncommented = [line[1:] if line[:1] == "#" and line[1:2].strip() else line for line in lines]
    assert uncommented != lines
    document = tomllib.loads("\n".join(uncommented))
    TypeAdapter(KINDS[kind].config).validate_python(document)
    assert set(document) | {"kind"} == set(KINDS[kind].config.model_fields)


@pytest.mark.parametrize("kind", [pytest.param(k, marks=SLOW.get(k, ())) for k in KINDS])
def test_what_is_written_runs_and_gives_a_table(kind, tmp_path, monkeypatch, photo):
    monkeypatch.chdir(tmp_path)
    document = tomllib.loads(first_config(kind, "mine"))
    for name in document["images"]:
        size = (260, 180) if kind == "restoration-crops" else (130, 90)  # crops are of a place
        Image.fromarray(photo).resize(size).save(f"{name}.png")
    check_config(document, kind)
    path = Path("mine.toml")
    path.write_text(first_config(kind, "mine"))
    small = None if kind == "filter-training" else ["chelsea.png", "coffee.png"]
    results = run_experiment(path, images=small, jobs=1)
    assert len(results.table)
    assert not results.failures
    assert Path("results/mine/table.csv").stat().st_size
