"""Reading and writing of TFRecord files without TensorFlow, whose import takes seconds.

A record is: length (uint64), masked CRC-32C of the length, the data, masked CRC-32C of the data,
all little-endian.
"""

import os
import struct
from collections.abc import Iterable, Iterator

_HEADER = struct.Struct("<QI")
_FOOTER = struct.Struct("<I")


class CorruptRecordError(ValueError):
    """A file that is not a TFRecord file, or is damaged or incomplete."""


def write_records(path: str, records: Iterable[bytes]) -> None:
    """Write a TFRecord file."""
    with open(path, "wb") as file:
        for record in records:
            length = struct.pack("<Q", len(record))
            file.write(length + _FOOTER.pack(_masked_crc(length)))
            file.write(record + _FOOTER.pack(_masked_crc(record)))


def record_spans(path: str) -> Iterator[tuple[int, int]]:
    """Yield (offset, length) of every record's data.

    Raises:
        CorruptRecordError: at the first record whose frame is damaged.
    """
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        offset = 0
        while offset < size:
            file.seek(offset)
            length = _length(file.read(_HEADER.size))
            offset += _HEADER.size
            if offset + length + _FOOTER.size > size:
                raise CorruptRecordError("the last record is cut off")
            yield offset, length
            offset += length + _FOOTER.size


def read_record(path: str, offset: int) -> bytes:
    """Return the data of a record, given its offset from `record_spans`.

    Raises:
        CorruptRecordError: if the data do not match their checksum.
    """
    with open(path, "rb") as file:
        file.seek(offset - _HEADER.size)
        data = file.read(_length(file.read(_HEADER.size)))
        checksum = file.read(_FOOTER.size)
    if len(checksum) < _FOOTER.size or _masked_crc(data) != _FOOTER.unpack(checksum)[0]:
        raise CorruptRecordError("a record does not match its checksum")
    return data


def _length(header: bytes) -> int:
    if len(header) < _HEADER.size:
        raise CorruptRecordError("a record's header is cut off")
    length, checksum = _HEADER.unpack(header)
    if _masked_crc(header[:8]) != checksum:
        raise CorruptRecordError("not a TFRecord file, or damaged")
    return length


def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


_CRC_TABLE = _crc_table()


def _masked_crc(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ _CRC_TABLE[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
