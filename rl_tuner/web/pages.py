"""Pages and their files: templates with every value escaped, one style sheet, scripts of our own."""

from __future__ import annotations

import importlib.resources
import os
import urllib.parse
from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Route

from rl_tuner.pages.templating import environment

_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
# Drawings bring their own styles, and nothing else.
PICTURE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"


def page(template: str, context: Mapping[str, Any], status: int = 200) -> HTMLResponse:
    """Return a template of this package with its values, everything escaped."""
    return HTMLResponse(environment("rl_tuner.web").get_template(template).render(context), status)


def static_routes(*names: str) -> list[Route]:
    """Return the routes of the style sheet and of some scripts of this package."""
    own = importlib.resources.files("rl_tuner.web") / "templates"
    shared = importlib.resources.files("rl_tuner.pages") / "templates" / "page.css"
    contents = {name: (own / name).read_text(encoding="utf-8") for name in ("web.css", *names)}
    contents["web.css"] = shared.read_text(encoding="utf-8") + contents["web.css"]

    async def static(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in contents:
            raise HTTPException(404)
        return Response(contents[name], media_type=_TYPES[name.rpartition(".")[2]])

    return [Route("/static/{name}", static)]


async def not_found(request: Request, error: Exception) -> Response:
    """Answer a request for what does not exist, or by a method that is not allowed."""
    status = error.status_code if isinstance(error, HTTPException) else 404
    told = {404: "There is no such page", 405: "This cannot be done here"}
    message = told.get(status, "This request cannot be answered")
    hint = "Please check the link, and copy it as a whole."
    return page("message.html", {"title": message, "message": hint, "link": ""}, status)


async def read_form(request: Request) -> dict[str, str]:
    """Return the fields of a form; of two with one name, or one that is no text, nothing is kept.

    Raises:
        HTTPException: the body is no form.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise HTTPException(415)
    try:
        text = (await request.body()).decode("ascii")
        fields = urllib.parse.parse_qsl(
            text, keep_blank_values=True, max_num_fields=20, strict_parsing=bool(text)
        )
    except ValueError as error:
        raise HTTPException(400) from error
    names = [name for name, _ in fields]
    return {name: value for name, value in fields if names.count(name) == 1}


class BlindFile(FileResponse):
    """A file whose answer tells nothing but its content: neither its name, nor when it was written."""

    def set_stat_headers(self, stat_result: os.stat_result) -> None:
        """Set the headers, which are the same for all files of one size."""
        self.headers["content-length"] = str(stat_result.st_size)
        self.headers["last-modified"] = "Thu, 01 Jan 1970 00:00:00 GMT"
        self.headers["etag"] = '"0"'
        self.headers["cache-control"] = "private, max-age=3600"
        self.headers["content-security-policy"] = PICTURE_POLICY
