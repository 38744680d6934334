"""Decoding of text files in any encoding that notation programs write."""

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
    r"""Return a file's text with \n as line ends.

    The encoding is determined by a byte order mark, else by zero bytes between letters, else by the
    declaration in the file; otherwise it is UTF-8 or, if that fails, Latin-1, which fits every byte.
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
