#!/usr/bin/env python3
"""Write the reference of all options, ``docs/options.md``, from the settings classes."""

import types
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

import chaos.settings
import consumer.settings
import demo.settings
import producer.settings
from newsreel.common.settings import KafkaSettings

HEAD = """\
# Options

<!-- Written by `make options` from the settings classes: edit those. -->

Every option is a flag and an environment variable. A flag wins over a variable, and a variable over
the default. `--batch-size` of the consumer is `CONSUMER_BATCH_SIZE`; the tables name the others. An
option of the kind "flag" takes no value and has a negative form: `--late-labels` and
`--no-late-labels`. Passwords and tokens have variables only, because every user of a machine can
list the flags of its processes. `--help` of each program shows the same texts.
"""

KAFKA = """\
Producer, consumer and evaluator share these options. The demo, the fault tests, the benchmarks and
the tests read the variables. [deployment.md](deployment.md#security) has examples.
"""

RECORDS = """\
The consumer, the evaluator and `inspect` share these options. [topics.md](topics.md#your-topic) has
examples.
"""

SHARED = {*KafkaSettings.model_fields, *consumer.settings.RecordSettings.model_fields}
"""Options that have tables of their own."""

PROGRAMS: dict[str, type[BaseSettings]] = {
    "python -m consumer": consumer.settings.Settings,
    "python -m consumer evaluate": consumer.settings.EvaluateSettings,
    "python -m consumer inspect": consumer.settings.InspectSettings,
    "python -m producer": producer.settings.Settings,
    "python -m demo": demo.settings.Settings,
    "python -m chaos": chaos.settings.Settings,
}

HEADINGS: dict[str, dict[str, str]] = {
    "python -m consumer": {
        "topic": "Kafka and checkpoints",
        "learner": "Model",
        "optimizer": "Training",
        "batch_size": "Micro-batches and labels",
        "replay": "Replay",
        "late_labels": "Late labels and drift",
        "seed": "The run",
        "http_host": "HTTP",
    },
    "python -m producer": {
        "topic": "Kafka",
        "corpus": "Corpus",
        "scenario": "Stream",
        "rate": "Arrivals",
        "metrics_port": "Metrics",
    },
}
"""Heading that stands before an option, by program."""

TYPES = {
    bool: "flag",
    float: "number",
    int: "integer",
    str: "text",
    Path: "path",
    datetime: "time (ISO 8601)",
}


def values(annotation: object) -> list[str]:
    """Return what an option takes: names in code quotes, or the kind of value."""
    origin = get_origin(annotation)
    if annotation is type(None):
        return []
    if origin is Literal:
        return [f"`{choice}`" for choice in get_args(annotation)]
    if origin is Annotated:
        return values(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return [value for part in get_args(annotation) for value in values(part)]
    return [next((name for kind, name in TYPES.items() if annotation is kind), "secret")]


def default(field: FieldInfo) -> str:
    """Return the default of an option as the command line writes it."""
    if field.default_factory is not None:
        return "see text"
    if field.is_required():
        return "required"
    if field.default is None:
        return ""
    if isinstance(field.default, bool):
        return "on" if field.default else "off"
    return f"`{field.default}`"


def names(settings: type[BaseSettings], name: str, field: FieldInfo) -> tuple[str, str]:
    """Return flag and environment variable of an option; a secret has no flag."""
    kind = values(field.annotation)
    flag = "" if "secret" in kind else "`--" + name.rstrip("_").replace("_", "-") + "`"
    choices = getattr(field.validation_alias, "choices", None)
    prefix = settings.model_config.get("env_prefix", "")
    return flag, f"`{choices[-1] if choices else (prefix + name).upper()}`"


def row(settings: type[BaseSettings], name: str, field: FieldInfo) -> str:
    """Write a row of a table."""
    flag, variable = names(settings, name, field)
    kind = ", ".join(values(field.annotation))
    cells = [flag, variable, kind, default(field), str(field.description).replace("|", "\\|")]
    return "| " + " | ".join(cells) + " |"


def table(settings: type[BaseSettings], options: dict[str, FieldInfo]) -> Iterator[str]:
    """Write a table of options."""
    yield from ("| flag | variable | value | default | |", "| --- | --- | --- | --- | --- |")
    yield from (row(settings, name, field) for name, field in options.items())


def sections(program: str, settings: type[BaseSettings]) -> Iterator[str]:
    """Write the options of a program, shared ones apart, below their headings."""
    shared = SHARED if issubclass(settings, KafkaSettings) else set[str]()
    options = {name: field for name, field in settings.model_fields.items() if name not in shared}
    # HTTP options are inherited and come first; a reader looks for the program's own ones.
    order = sorted(options, key=lambda name: name.startswith("http"))
    headings = HEADINGS.get(program, {})
    section: dict[str, FieldInfo] = {}
    for name in order:
        if name in headings:
            if section:
                yield from (*table(settings, section), "")
            yield f"### {headings[name]}\n"
            section = {}
        section[name] = options[name]
    yield from (*table(settings, section), "")


def lines() -> Iterator[str]:
    """Write the page."""
    yield HEAD
    for program, settings in PROGRAMS.items():
        yield f"## `{program}`\n"
        yield from sections(program, settings)
    yield "## Records\n"
    yield RECORDS
    records = consumer.settings.RecordSettings
    own = {
        name: field
        for name, field in records.model_fields.items()
        if name not in KafkaSettings.model_fields
    }
    yield from (*table(records, own), "")
    yield "## Kafka\n"
    yield KAFKA
    yield from table(KafkaSettings, KafkaSettings.model_fields)


if __name__ == "__main__":
    print("\n".join(lines()))  # noqa: T201 - the page
