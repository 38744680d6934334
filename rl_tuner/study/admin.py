"""The page of whoever runs the study: counts while it is open, results and ratings once it is closed."""

from __future__ import annotations

import csv
import hashlib
import hmac
import io
import os
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from rl_tuner.study.folder import LINKS_FILE, Study, write_secret
from rl_tuner.study.ratings import COLUMNS, rows_of
from rl_tuner.study.store import Store
from rl_tuner.web import pages

_COOKIE = "admin"
_MOST_LINKS = 1_000


def routes(study: Study, store: Store, token: str, address: str) -> list[Route]:
    """Return the routes of the admin page; see `app.make_app`."""
    admin = _Admin(study, store, token, address)
    return [
        Route("/admin", admin.show),
        Route("/admin/enter", admin.enter, methods=["POST"]),
        Route("/admin/close", admin.close, methods=["POST"]),
        Route("/admin/links", admin.links, methods=["POST"]),
        Route("/admin/ratings.csv", admin.ratings),
    ]


class _Admin:
    def __init__(self, study: Study, store: Store, token: str, address: str) -> None:
        self.study, self.store, self.token, self.address = study, store, token, address

    async def show(self, request: Request) -> Response:
        if not self._knows(request):
            return pages.page("enter.html", {"title": "Administration", "wrong": False})
        return pages.page("admin.html", await run_in_threadpool(self._context, []))

    async def enter(self, request: Request) -> Response:
        form = await pages.read_form(request)
        if not _same(form.get("token", ""), self.token):
            return pages.page("enter.html", {"title": "Administration", "wrong": True}, 403)
        answer = RedirectResponse("/admin", 303)
        answer.set_cookie(
            _COOKIE, self._digest("cookie"), path="/admin", httponly=True, samesite="strict"
        )
        return answer

    async def close(self, request: Request) -> Response:
        await self._form(request)
        await run_in_threadpool(self.store.close)
        return RedirectResponse("/admin", 303)

    async def links(self, request: Request) -> Response:
        count = (await self._form(request)).get("count", "")
        if not (count.isascii() and count.isdigit() and 1 <= int(count) <= _MOST_LINKS):
            raise HTTPException(400)
        made = await run_in_threadpool(add_links, self.study, self.store, int(count), self.address)
        return pages.page("admin.html", await run_in_threadpool(self._context, made))

    async def ratings(self, request: Request) -> Response:
        if not self._knows(request):
            raise HTTPException(403)
        if await run_in_threadpool(self.store.closed_at) is None:
            raise HTTPException(403)
        text = await run_in_threadpool(csv_text, self.study, self.store)
        headers = {"content-disposition": 'attachment; filename="ratings.csv"'}
        return Response(text, media_type="text/csv", headers=headers)

    def _context(self, links: list[str]) -> dict[str, Any]:
        closed = self.store.closed_at()
        wins: dict[str, int] = {}
        if closed:
            wins = dict.fromkeys(self.study.models, 0)
            for row in rows_of(self.study, self.store):
                if row["preferred"]:
                    wins[row["preferred"]] += 1
        return {
            "title": "Administration",
            "counts": self.store.counts(),
            "closed": closed,
            "wins": wins,
            "links": links,
            "form_key": self._digest("form"),
        }

    async def _form(self, request: Request) -> dict[str, str]:
        """Return the fields of a form of this page.

        Raises:
            HTTPException: it was not sent from this page by its owner.
        """
        form = await pages.read_form(request)
        if not self._knows(request) or not _same(form.get("key", ""), self._digest("form")):
            raise HTTPException(403)
        return form

    def _knows(self, request: Request) -> bool:
        return _same(request.cookies.get(_COOKIE, ""), self._digest("cookie"))

    def _digest(self, purpose: str) -> str:
        return hmac.new(self.token.encode(), purpose.encode(), hashlib.sha256).hexdigest()


def add_links(study: Study, store: Store, count: int, address: str) -> list[str]:
    """Make links for new raters, add them to the study's file of links, and return them."""
    links = [f"{address}/r/{token}" for token in store.add_links(count)]
    path = os.path.join(study.folder, LINKS_FILE)
    write_secret(path, "".join(f"{link}\n" for link in links), append=True)
    return links


def csv_text(study: Study, store: Store) -> str:
    """Return every rating as CSV, see `ratings.COLUMNS`."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows(rows_of(study, store))
    return text.getvalue()


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
