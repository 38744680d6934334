"""Bytes of a file to text: whatever encoding a notation program wrote."""

import codecs
import re

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def decode(data: bytes, declared: str = "") -> str:
    """Return a file's text with plain line ends.

    A byte order mark is believed first, then zero bytes between letters, then what the file
    declares; after that, what is not UTF-8 is Latin-1, which fits every byte.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _plain(data[len(mark) :].decode(encoding, errors="replace"))
    if data[1:2] == b"\0" and data[:1] != b"\0":
        return _plain(data.decode("utf-16-le", errors="replace"))
    if data[:1] == b"\0" and data[1:2] != b"\0":
        return _plain(data.decode("utf-16-be", errors="replace"))
    for encoding in (declared, "utf-8"):
        try:
            return _plain(data.decode(encoding or "utf-8"))
        except (LookupError, UnicodeError):
            continue
    return _plain(data.decode("latin-1"))


def _plain(text: str) -> str:
    return re.sub(r"\r\n?|[\v\f\u2028\u2029]", "\n", text)
