"""The servers' configurations: one template each, shared by every target; only addresses and sizes are filled in."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

FOLDER = Path(__file__).parent

_TEMPLATES = Environment(
    loader=FileSystemLoader(FOLDER), undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False
)


def render(template: str, **values: object) -> str:
    """A template of `deploy/`, e.g. `servers/redis.conf`. A value that it wants and does not get is an error."""
    return _TEMPLATES.get_template(template).render(**values)
