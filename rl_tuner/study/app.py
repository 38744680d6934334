"""The pages of a study for its raters: consent, comparisons, thanks."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from rl_tuner.study import admin
from rl_tuner.study.design import Comparison, schedule
from rl_tuner.study.folder import WORDS, Study
from rl_tuner.study.store import Answer, State, Store
from rl_tuner.web import pages
from rl_tuner.web.guard import Guard

# A form has a number and a rating; nothing that a rater sends is larger.
_MAX_BODY = 16_384
_TOKEN = re.compile(r"[A-Za-z0-9_-]{8,64}")
_TYPES = {"wav": "audio/wav", "svg": "image/svg+xml"}
CHOICES = (
    "{first}, clearly",
    "{first}, slightly",
    "No preference",
    "{second}, slightly",
    "{second}, clearly",
)


def make_app(study: Study, store: Store, token: str, address: str = "") -> ASGIApp:
    """Return the web application of a study.

    Args:
        study: the study with its stimuli.
        store: its ratings.
        token: token of the admin page.
        address: address of the server, which begins the links that the admin page makes.
    """
    rater = _Raters(study, store)
    routes = [
        Route("/", rater.home),
        Route("/r/{token}", rater.show),
        Route("/r/{token}/agree", rater.agree, methods=["POST"]),
        Route("/r/{token}/rate", rater.rate, methods=["POST"]),
        Route("/s/{asset}", rater.stimulus),
        *admin.routes(study, store, token, address),
        *pages.static_routes("study.js"),
    ]
    handlers: dict[Any, Any] = dict.fromkeys((400, 403, 404, 405, 413, 415), pages.not_found)
    return Guard(Starlette(routes=routes, exception_handlers=handlers), _MAX_BODY)


class _Raters:
    def __init__(self, study: Study, store: Store) -> None:
        self.study, self.store = study, store

    async def home(self, request: Request) -> Response:
        message = "To take part, open the link that you were given."
        return self._message(self.study.title, message)

    async def show(self, request: Request) -> Response:
        token = _token(request)
        state = await run_in_threadpool(self.store.state, token)
        if state is None:
            raise HTTPException(404)
        if state.closed:
            return self._closed()
        if not state.agreed:
            return self._consent(token)
        if state.next is None:
            return pages.page("thanks.html", {"title": "Thank you", "done": state.done})
        return self._comparison(token, state)

    async def agree(self, request: Request) -> Response:
        token = _token(request)
        form = await pages.read_form(request)
        if form != {"agree": "yes"}:
            raise HTTPException(400)
        if not await run_in_threadpool(self.store.agree, token, self._schedule):
            raise HTTPException(404)
        return RedirectResponse(f"/r/{token}", 303)

    async def rate(self, request: Request) -> Response:
        token = _token(request)
        form = await pages.read_form(request)
        rating, nonce = form.get("rating", ""), form.get("nonce", "")
        if form.keys() != {"rating", "nonce"} or rating not in ("1", "2", "3", "4", "5"):
            raise HTTPException(400)
        if not _TOKEN.fullmatch(nonce):
            raise HTTPException(400)
        answer = await run_in_threadpool(self.store.rate, token, nonce, int(rating))
        if answer is Answer.RECORDED:
            return RedirectResponse(f"/r/{token}", 303)
        if answer is Answer.CLOSED:
            return self._closed()
        if answer is Answer.ALREADY:
            message = "This answer was recorded before. It counts once, as it was first given."
            return self._message("Recorded already", message, f"/r/{token}", 409)
        raise HTTPException(404)

    async def stimulus(self, request: Request) -> Response:
        asset = request.path_params["asset"]
        found = None
        if _TOKEN.fullmatch(asset):
            found = await run_in_threadpool(self.store.stimulus, asset)
        if found is None or self.study.shows not in _TYPES:
            raise HTTPException(404)
        return pages.BlindFile(self.study.path(found), media_type=_TYPES[self.study.shows])

    def _schedule(self, number: int) -> Sequence[Comparison]:
        study = self.study
        return schedule(study.by_model(), number, study.comparisons, study.checks, study.seed)

    def _consent(self, token: str) -> Response:
        paragraphs = [part.strip() for part in re.split(r"\n\s*\n", self.study.consent)]
        context = {"title": self.study.title, "paragraphs": paragraphs, "token": token}
        return pages.page("consent.html", context)

    def _comparison(self, token: str, state: State) -> Response:
        study, word = self.study, WORDS[self.study.shows][0]
        names = f"{word.capitalize()} A", f"{word.capitalize()} B"
        shown = [
            {
                "name": names[0],
                "asset": state.next.first_asset,
                "text": self._text(state.next.first),
            },
            {
                "name": names[1],
                "asset": state.next.second_asset,
                "text": self._text(state.next.second),
            },
        ]
        context = {
            "title": study.title,
            "question": study.question,
            "token": token,
            "nonce": state.next.nonce,
            "number": state.done + 1,
            "total": state.total,
            "shows": study.shows,
            "shown": shown,
            "choices": [c.format(first="A", second="B") for c in CHOICES],
        }
        return pages.page("comparison.html", context)

    def _text(self, stimulus: str) -> str:
        return self._texts[stimulus]

    @functools.cached_property
    def _texts(self) -> dict[str, str]:
        return {one.id: one.text for one in self.study.stimuli}

    def _closed(self) -> Response:
        return self._message("The study is closed", "Thank you for your interest.", status=410)

    def _message(self, title: str, message: str, link: str = "", status: int = 200) -> Response:
        return pages.page(
            "message.html", {"title": title, "message": message, "link": link}, status
        )


def _token(request: Request) -> str:
    token = request.path_params["token"]
    if not _TOKEN.fullmatch(token):
        raise HTTPException(404)
    return str(token)
