"""The topics that results are published at."""

from __future__ import annotations

import string

FIELDS = ("pipeline", "label")


def topic_of(template: str, pipeline: str, label: str) -> str:
    """``eiq-demo/{pipeline}/{label}`` with both filled in, each as one level."""
    return template.format(pipeline=_level(pipeline or "main"), label=_level(label))


def _level(text: str) -> str:
    return "".join("_" if c in "/+#$" or not c.isprintable() else c for c in text[:200]) or "_"


def check_topic(template: str, key: str, fields: tuple[str, ...]) -> None:
    """Raises ValueError where ``key`` cannot be a topic, or holds other fields than these."""
    can = f"{key} can hold {' and '.join('{' + field + '}' for field in fields)}" if fields else f"{key} has no fields"
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        raise ValueError(f"{key} has a brace without its other one; {can}") from error
    for text, field, form, conversion in parts:
        if any(c in "+#" or not c.isprintable() for c in text):
            raise ValueError(f"{key} holds +, # or a control character, which are for subscribers alone; leave it out")
        if field is not None and (field not in fields or form or conversion):
            raise ValueError(f"got {{{field}}} in {key}; {can}")
    if template.startswith("$"):
        raise ValueError(f"{key} begins with $, which is the broker's own; begin it with another letter")
    if len(template.encode()) > 10_000:
        raise ValueError(f"{key} is longer than 10,000 bytes; shorten it")
