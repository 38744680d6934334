"""One page for oneself: make sequences, hear and see them, keep them."""

from __future__ import annotations

import json
import math
import os
import secrets
import time
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from rl_tuner.common.errors import UserError
from rl_tuner.play.maker import MODELS, MOST, Made, Maker, Opening
from rl_tuner.web import pages
from rl_tuner.web.guard import Guard

# The largest primer, with some room.
_MAX_BODY = 4 * 2**20
_LARGEST_SEED = 2**31 - 1
_PRIMERS = (".mid", ".midi", ".abc", ".musicxml", ".xml", ".mxl", ".krn", ".smi", ".txt")
_TYPES = {
    "mid": "audio/midi",
    "musicxml": "application/vnd.recordare.musicxml+xml",
    "abc": "text/vnd.abc",
    "wav": "audio/wav",
    "svg": "image/svg+xml",
    "png": "image/png",
    "smi": "chemical/x-daylight-smiles",
    "sdf": "chemical/x-mdl-sdfile",
    "txt": "text/plain",
}
# A page of another site cannot add a header to its requests, so it can make nothing here.
_OWN = "x-play"


def make_app(maker: Maker, title: str, hosts: list[str]) -> ASGIApp:
    """Return the web application.

    Args:
        maker: makes the sequences.
        title: heading of the page.
        hosts: names under which the server may be called; "*" for any.
    """
    play = _Play(maker, title)
    routes = [
        Route("/", play.home),
        Route("/make", play.make, methods=["POST"]),
        Route("/primer", play.primer, methods=["POST"]),
        Route("/i/{name}", play.item),
        *pages.static_routes("play.js"),
    ]
    handlers: dict[Any, Any] = dict.fromkeys((400, 403, 404, 405, 413), pages.not_found)
    handlers[UserError] = _told
    guards = [Middleware(TrustedHostMiddleware, allowed_hosts=hosts)]
    app = Starlette(routes=routes, exception_handlers=handlers, middleware=guards)
    return Guard(app, _MAX_BODY)


class _Play:
    def __init__(self, maker: Maker, title: str) -> None:
        self.maker, self.title = maker, title
        self.primers: dict[str, Opening] = {}

    async def home(self, request: Request) -> Response:
        task = self.maker.task
        frame = getattr(task, "frame", None)
        context = {
            "title": self.title,
            "kind": task.kind,
            "is_melody": frame is not None,
            "models": MODELS,
            "most": MOST,
            "suffixes": self.maker.suffixes,
            "grid": frame and json.dumps(_grid(frame.grid, getattr(task, "qpm", 120.0))),
        }
        return pages.page("play.html", context)

    async def make(self, request: Request) -> Response:
        asked = await _asked(request)
        begin = time.perf_counter()
        count = _whole(asked, "count", 1, MOST)
        seed = _whole(asked, "seed", 0, _LARGEST_SEED, secrets.randbelow(_LARGEST_SEED))
        temperature = asked.get("temperature", 1.0)
        is_number = isinstance(temperature, (int, float)) and not isinstance(temperature, bool)
        if not is_number or not 0.05 <= temperature <= 5:
            raise UserError(f"the temperature must be between 0.05 and 5, not {temperature!r}")
        model = asked.get("model", MODELS[0])
        if model not in MODELS:
            raise UserError(f"the model must be one of {', '.join(MODELS)}, not {model!r}")
        made = await run_in_threadpool(
            lambda: self.maker.make(count, float(temperature), seed, model, self._opening(asked))
        )
        seconds = time.perf_counter() - begin
        items = [_described(one) for one in made]
        return JSONResponse({"items": items, "seed": seed, "milliseconds": 1_000 * seconds})

    async def primer(self, request: Request) -> Response:
        _check_own(request)
        suffix = request.query_params.get("suffix", "").lower()
        if suffix not in _PRIMERS:
            raise UserError(f"a primer is one of {', '.join(_PRIMERS)}, not {suffix!r}")
        content = await request.body()
        opening, told = await run_in_threadpool(self.maker.opening_of_file, content, suffix)
        name = secrets.token_hex(8)
        while len(self.primers) >= 100:
            self.primers.pop(next(iter(self.primers)))
        self.primers[name] = opening
        return JSONResponse({"id": name, "told": told})

    async def item(self, request: Request) -> Response:
        name, _, suffix = request.path_params["name"].partition(".")
        made = self.maker.find(name)
        if made is None:
            raise HTTPException(404)
        headers = {"content-security-policy": pages.PICTURE_POLICY}
        if suffix == "drawing":
            text = made.exhibit.picture
            return Response(text, media_type=_TYPES["svg"], headers=headers)
        content = await run_in_threadpool(self.maker.file, name, suffix)
        if content is None:
            raise HTTPException(404)
        if request.query_params.get("keep"):
            kind = self.maker.task.kind
            headers["content-disposition"] = f'attachment; filename="{kind}_{name}.{suffix}"'
        return Response(content, media_type=_TYPES[suffix], headers=headers)

    def _opening(self, asked: dict[str, Any]) -> Opening | None:
        """Return the beginning that is asked for, if there is one.

        Raises:
            UserError: it cannot be used.
        """
        if name := asked.get("primer"):
            if not isinstance(name, str) or name not in self.primers:
                raise UserError("the primer is not known any more; drop the file again")
            return self.primers[name]
        if notes := asked.get("notes"):
            return self.maker.opening_of_notes(_notes(notes))
        text = asked.get("prompt") or ""
        if not isinstance(text, str) or len(text) > 1_000:
            raise UserError("a beginning is a text of at most 1000 characters")
        return self.maker.opening_of_text(text.strip()) if text.strip() else None


async def _asked(request: Request) -> dict[str, Any]:
    """Return the JSON object of a request.

    Raises:
        HTTPException: it does not come from this page, or is none.
    """
    _check_own(request)
    try:
        asked = json.loads(await request.body())
    except ValueError as error:
        raise HTTPException(400) from error
    if not isinstance(asked, dict):
        raise HTTPException(400)
    return asked


def _check_own(request: Request) -> None:
    if _OWN not in request.headers:
        raise HTTPException(403)


def _whole(
    asked: dict[str, Any], name: str, least: int, most: int, default: int | None = None
) -> int:
    value = asked.get(name)
    if value is None and default is not None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise UserError(f"{name} must be a whole number from {least} to {most}, not {value!r}")
    return value


def _notes(notes: Any) -> list[tuple[int, int]]:
    """Return pitches and lengths.

    Raises:
        UserError: they are not pairs of whole numbers in range.
    """
    good = isinstance(notes, list) and all(
        isinstance(note, list)
        and [type(part) for part in note] == [int, int]
        and 0 <= note[0] <= 127
        and 1 <= note[1] <= 64
        for note in notes
    )
    if not good:
        raise UserError("notes must be pairs of a pitch and a length of 1 to 64 steps")
    return [(pitch, steps) for pitch, steps in notes]


def _described(one: Made) -> dict[str, Any]:
    exhibit = one.exhibit
    # A drawing with styles of its own is a file; the page's rules for styles forbid them inside it.
    inline = exhibit.picture if exhibit.places else ""
    earned = sorted(one.earned.items(), key=lambda pair: -abs(pair[1]))
    return {
        "id": one.id,
        "text": exhibit.text,
        "valid": exhibit.valid,
        "roll": inline,
        "drawing": bool(exhibit.picture) and not inline,
        "seconds": exhibit.seconds,
        "facts": exhibit.facts,
        "reward": one.reward if math.isfinite(one.reward) else None,
        "earned": earned[:6],
    }


def _grid(grid: Any, qpm: float) -> dict[str, Any]:
    return {
        "low": grid.min_pitch,
        "high": grid.max_pitch,
        "stepsPerQuarter": grid.steps_per_quarter,
        "secondsPerStep": 60 / qpm / grid.steps_per_quarter,
    }


async def _told(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 422)


def title_of(run_dir: str) -> str:
    """Return the heading of a run's page."""
    return f"Play {os.path.basename(os.path.abspath(run_dir))}"
