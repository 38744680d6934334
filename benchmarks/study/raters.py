"""Raters as fast as one likes: they open their link, agree, listen and answer over HTTP."""

from __future__ import annotations

import http.client
import re
import time
import urllib.parse
from collections.abc import Callable

import numpy as np

_NONCE = re.compile(r'name="nonce" value="([^"]+)"')
_SOUND = re.compile(r'src="(/s/[^"]+)"')
_FORM = {"content-type": "application/x-www-form-urlencoded"}


class Rater:
    """One rater with one connection.

    Args:
        link: the rater's link.
        seed: seed of the answers.
        think: mean seconds between two answers.

    Attributes:
        acknowledged: nonce -> rating of every answer that the server has acknowledged.
        seconds: how long the server took, by kind of request.
    """

    def __init__(self, link: str, seed: int, think: float = 0.0) -> None:
        found = urllib.parse.urlparse(link)
        self._host, self._path = found.netloc, found.path
        self._rng, self._think = np.random.default_rng(seed), think
        self._connection: http.client.HTTPConnection | None = None
        self.acknowledged: dict[str, int] = {}
        self.seconds: dict[str, list[float]] = {"page": [], "answer": [], "sound": []}

    def rate(self, count: int, hears: bool = True) -> None:
        """Give `count` answers, or fewer if there are fewer comparisons.

        Raises:
            OSError, http.client.HTTPException: the server is gone.
        """
        _, text = self._timed("page", "GET", self._path)
        if "/agree" in text:
            self._ask("POST", f"{self._path}/agree", "agree=yes")
            _, text = self._timed("page", "GET", self._path)
        for _ in range(count):
            nonce = _NONCE.search(text)
            if nonce is None:
                return
            for sound in _SOUND.findall(text) if hears else ():
                self._timed("sound", "GET", sound)
            time.sleep(self._think * 2 * self._rng.random())
            rating = int(self._rng.integers(1, 6))
            body = urllib.parse.urlencode({"nonce": nonce[1], "rating": rating})
            status, _ = self._timed("answer", "POST", f"{self._path}/rate", body)
            if status != 303:
                raise RuntimeError(f"an answer was refused with status {status}")
            self.acknowledged[nonce[1]] = rating
            _, text = self._timed("page", "GET", self._path)

    def rate_until(self, is_over: Callable[[], bool]) -> None:
        """Answer without a pause; when the server is gone, try again until it is back."""
        while not is_over():
            try:
                self.rate(10**9, hears=False)
                return
            except (OSError, http.client.HTTPException):
                self.leave()
                time.sleep(0.02)

    def leave(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _timed(self, kind: str, method: str, path: str, body: str | None = None) -> tuple[int, str]:
        begin = time.perf_counter()
        answer = self._ask(method, path, body)
        self.seconds[kind].append(time.perf_counter() - begin)
        return answer

    def _ask(self, method: str, path: str, body: str | None = None) -> tuple[int, str]:
        if self._connection is None:
            self._connection = http.client.HTTPConnection(self._host, timeout=30)
        self._connection.request(method, path, body, _FORM if body else {})
        answer = self._connection.getresponse()
        return answer.status, answer.read().decode("latin-1")
