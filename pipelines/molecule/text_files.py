"""Reading of text files of molecules with any compression and encoding."""

import gzip
import io
import zlib

from rl_tuner.datasets.writer import RejectedError

_GZIP_MAGIC = b"\x1f\x8b"
_BYTE_ORDER_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_PROBED_BYTES = 4096


def read_lines(path: str, max_bytes: int) -> list[str]:
    r"""Return the lines of a text file, each ended by \n except perhaps the last.

    Gzip is recognised by its content: a download may lose its suffix .gz, and a browser may decompress
    a file but keep the suffix.

    Args:
        path: The file.
        max_bytes: Size, uncompressed, above which the file is rejected.

    Raises:
        RejectedError: if the file is empty, too large, damaged or not a text file.
        OSError: if the file cannot be read.
    """
    data = _read_bytes(path, max_bytes)
    if not data.strip():
        raise RejectedError("empty file")
    encoding = _encoding(data)
    # The text was converted to Windows line ends twice.
    if b"\r\r\n" in data:
        data = data.replace(b"\r\r\n", b"\n")
    return list(io.TextIOWrapper(io.BytesIO(data), encoding=encoding, errors="replace"))


def _read_bytes(path: str, max_bytes: int) -> bytes:
    with open(path, "rb") as file:
        is_packed = file.read(2) == _GZIP_MAGIC
        file.seek(0)
        try:
            data = (gzip.GzipFile(fileobj=file) if is_packed else file).read(max_bytes + 1)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise RejectedError("unreadable gzip", str(error)) from error
    if len(data) > max_bytes:
        raise RejectedError("too large", f"more than {max_bytes} bytes")
    return data


def _encoding(data: bytes) -> str:
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return encoding
    probe = data[:_PROBED_BYTES]
    if b"\0" in probe:
        # UTF-16 without a byte order mark: every other byte of plain text is zero.
        for first, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
            if probe[first::2].strip(b"\0") == b"" and b"\0" not in probe[1 - first :: 2]:
                return encoding
        raise RejectedError("not a text file")
    return "utf-8" if _can_decode(data, "utf-8") else "latin-1"


def _can_decode(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True
