"""Templates of a package as pages: every value is escaped that is no SVG of ours, and none may be missing."""

from __future__ import annotations

import functools

import jinja2
import markupsafe


@functools.cache
def environment(package: str) -> jinja2.Environment:
    """Return the environment of the templates in a package's folder "templates"."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader(package),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["svg"] = markupsafe.Markup
    return made
