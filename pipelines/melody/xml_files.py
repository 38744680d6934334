"""Parsing of MusicXML files: compressed or plain, in any encoding, partwise or timewise."""

import io
import re
import zipfile
from xml.etree import ElementTree

from pipelines.melody import text
from rl_tuner.datasets.writer import RejectedError

_ROOTS = ("score-partwise", "score-timewise")
_MANIFEST = "META-INF/container.xml"
_NO_CHARACTER = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_DECLARED = re.compile(rb"<\?xml[^>]*?encoding\s*=\s*[\"']([\w.-]+)")
_BARE_AMPERSAND = re.compile(r"&(?!#?\w+;)")
_AFTER_END = re.compile(r"(?s)(</(?:\w+:)?score-(?:partwise|timewise)\s*>).*")
_XMLNS = re.compile(r"\sxmlns(?::\w+)?\s*=\s*(\"[^\"]*\"|'[^']*')")


def read_root(data: bytes, max_bytes: int) -> ElementTree.Element:
    """Return the root of a partwise score.

    Raises:
        RejectedError: if the file does not contain a score, or could exhaust the memory.
    """
    if data.startswith(b"PK"):
        data = _score_in(data, max_bytes)
    root = _parse(data)
    if root.tag == "score-timewise":
        return _by_part(root)
    if root.tag != "score-partwise":
        raise RejectedError("unreadable musicxml", f"<{root.tag[:40]}> instead of a score")
    return root


def _parse(data: bytes) -> ElementTree.Element:
    declared = _DECLARED.search(data[:200])
    document = text.decode(data, declared[1].decode("ascii", "replace") if declared else "")
    if "<!ENTITY" in document:
        raise RejectedError("unreadable musicxml", "declares XML entities")
    document = _NO_CHARACTER.sub("", document[max(document.find("<"), 0) :])
    document = _BARE_AMPERSAND.sub("&amp;", _AFTER_END.sub(r"\1", document))
    # Some programs add a namespace, which would hide every element.
    document = _XMLNS.sub("", document)
    return ElementTree.fromstring(document)


def _score_in(data: bytes, max_bytes: int) -> bytes:
    """Return the score of a compressed file: the one in its manifest, else the first one found."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = [info.filename for info in archive.infolist() if not info.is_dir()]
        candidates = [
            name
            for name in names
            if not name.startswith(("META-INF/", "__MACOSX/"))
            and name.lower().endswith((".xml", ".musicxml"))
        ]
        manifest = next((name for name in names if name.lower() == _MANIFEST.lower()), None)
        if manifest:
            contents = _member(archive, manifest, max_bytes).decode("utf-8", "replace")
            named = re.findall(r"full-path\s*=\s*[\"']([^\"']+)", contents)
            candidates = [name for name in named if name in names] + candidates
        for name in candidates:
            member = _member(archive, name, max_bytes)
            plain = member.replace(b"\0", b"")
            if any(f"<{root}".encode() in plain for root in _ROOTS):
                return member
    raise RejectedError("unreadable musicxml", "no score in the archive")


def _member(archive: zipfile.ZipFile, name: str, max_bytes: int) -> bytes:
    if archive.getinfo(name).file_size > max_bytes:
        raise RejectedError("too large", "uncompressed")
    return archive.read(name)


def _by_part(root: ElementTree.Element) -> ElementTree.Element:
    """Convert a timewise score, of measures with parts, into a partwise one."""
    score = ElementTree.Element("score-partwise")
    score.extend(child for child in root if child.tag != "measure")
    parts: dict[str, ElementTree.Element] = {}
    for measure in root.iter("measure"):
        for content in measure.iter("part"):
            identity = content.get("id", "")
            if identity not in parts:
                parts[identity] = ElementTree.SubElement(score, "part", id=identity)
            part_measure = ElementTree.SubElement(parts[identity], "measure", measure.attrib)
            part_measure.extend(content)
    return score
