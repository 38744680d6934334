"""Scores of every kind to note-seq NoteSequences, whole or not at all.

note-seq and music21 are imported where they are used: commands must start fast, and music21 is
an optional extra.
"""

import functools
import zipfile
from typing import TYPE_CHECKING

from pipelines import errors
from pipelines.melody import abc_text, tunes
from rl_tuner.datasets import tfrecords

if TYPE_CHECKING:
    import note_seq

MUSIC21_HINT = 'pip install "sequence-tutor[corpus]"'
_QPM = 120.0
_VELOCITY = 100


def read_tune(tune: tunes.Tune, *, max_bytes: int) -> "note_seq.NoteSequence":
    """Returns the notes of a tune, one instrument per part and voice.

    Raises:
        RejectedError: if the tune is too large or cannot be read wholly.
    """
    readers = {
        "midi": _read_midi,
        "abc": _read_abc,
        "musicxml": _read_musicxml,
        "notesequence": _read_notesequence,
    }
    if tune.size > max_bytes:
        raise errors.RejectedError("too large", f"{tune.size} bytes")
    try:
        return readers[tune.format](tune, max_bytes)
    except errors.RejectedError:
        raise
    except MemoryError as error:
        raise errors.RejectedError("out of memory") from error
    except Exception as error:
        message = " ".join(f"{type(error).__name__}: {error}".split())
        raise errors.RejectedError(f"unreadable {tune.format}", message[:200]) from error


def _read_midi(tune: tunes.Tune, max_bytes: int) -> "note_seq.NoteSequence":
    import note_seq

    del max_bytes
    with open(tune.path, "rb") as file:
        return note_seq.midi_to_note_sequence(file.read())


def _read_notesequence(tune: tunes.Tune, max_bytes: int) -> "note_seq.NoteSequence":
    import note_seq

    del max_bytes
    record = tfrecords.read_record(tune.path, tune.offset)
    return note_seq.NoteSequence.FromString(record)


def _read_musicxml(tune: tunes.Tune, max_bytes: int) -> "note_seq.NoteSequence":
    from note_seq import musicxml_parser, musicxml_reader

    _check_xml(tune.path, max_bytes)
    document = musicxml_parser.MusicXMLDocument(tune.path)
    sequence = musicxml_reader.musicxml_to_sequence_proto(document)
    xml_notes = [
        (index, note)
        for index, part in enumerate(document.parts)
        for measure in part.measures
        for note in measure.notes
        if not note.is_rest
    ]
    _tie_musicxml_notes(sequence, xml_notes)
    return sequence


def _tie_musicxml_notes(sequence: "note_seq.NoteSequence", xml_notes: list) -> None:
    """Joins tied notes, drops grace notes and gives each voice of a part its own instrument."""
    instruments: dict[tuple, int] = {}
    open_ties: dict[tuple, object] = {}
    kept = []
    for note, (part, xml_note) in zip(sequence.notes, xml_notes, strict=True):
        if note.end_time <= note.start_time:
            continue
        key = (part, xml_note.voice)
        note.instrument = instruments.setdefault(key, len(instruments))
        ties = {tie.get("type") for tie in xml_note.xml_note.findall("tie")}
        tied = open_ties.pop((key, note.pitch), None) if "stop" in ties else None
        if tied is None:
            kept.append(note)
            tied = note
        else:
            tied.end_time = note.end_time
        if "start" in ties:
            open_ties[key, note.pitch] = tied
    kept = [type(note).FromString(note.SerializeToString()) for note in kept]
    del sequence.notes[:]
    sequence.notes.extend(kept)


def _check_xml(path: str, max_bytes: int) -> None:
    """Refuses what could blow up in memory: entity declarations and zip bombs."""
    if path.lower().endswith(".mxl"):
        with zipfile.ZipFile(path) as archive:
            if sum(info.file_size for info in archive.infolist()) > max_bytes:
                raise errors.RejectedError("too large", "unpacked")
            texts = [archive.read(name) for name in archive.namelist()]
    else:
        with open(path, "rb") as file:
            texts = [file.read()]
    # A zero byte between letters is how UTF-16 could hide a declaration.
    if any(b"<!ENTITY" in text.replace(b"\0", b"") for text in texts):
        raise errors.RejectedError("unreadable musicxml", "declares XML entities")


def _read_abc(tune: tunes.Tune, max_bytes: int) -> "note_seq.NoteSequence":
    import note_seq

    voices = abc_text.plain_voices(tune.text)
    sequence = note_seq.NoteSequence()
    for instrument, voice in enumerate(voices):
        if len(voice) > max_bytes:
            raise errors.RejectedError("too large", "with its repeats written out")
        part = _read_abc_voice(voice)
        for note in part.notes:
            note.instrument = instrument
        sequence.notes.extend(part.notes)
        if not sequence.time_signatures:
            sequence.time_signatures.extend(part.time_signatures)
    return sequence


def _read_abc_voice(voice: str) -> "note_seq.NoteSequence":
    """Reads plain ABC with note-seq, which is fast, or else with music21, which knows more."""
    from note_seq import abc_parser

    # note-seq passes over ties and misreads double dots (A>>B) without a word.
    if not any(mark in voice for mark in ("-", ">>", "<<")):
        try:
            return abc_parser.ABCTune(voice.splitlines()).note_sequence
        except (abc_parser.ABCParseError, KeyError, ValueError):
            pass
    try:
        from music21 import abcFormat
    except ImportError as error:
        raise errors.RejectedError("needs music21", MUSIC21_HINT) from error
    handler = abcFormat.ABCHandler(abcVersion=(2, 1, 0))
    handler.process(voice)
    return _from_music21_tokens(handler.tokens)


def _from_music21_tokens(tokens: list) -> "note_seq.NoteSequence":
    """Takes the notes from music21's parsed tokens; building its streams is 20 times slower."""
    import note_seq
    from music21 import abcFormat

    sequence = note_seq.NoteSequence()
    seconds_per_quarter = 60.0 / _QPM
    position = 0  # in quarters
    sounding: dict[int, note_seq.NoteSequence.Note] = {}  # tied notes that may go on
    for token in tokens:
        if isinstance(token, abcFormat.ABCMetadata) and token.isMeter():
            meter = token.getTimeSignatureParameters()
            if meter:
                sequence.time_signatures.add(
                    time=float(position) * seconds_per_quarter,
                    numerator=meter[0],
                    denominator=meter[1],
                )
        if not isinstance(token, abcFormat.ABCNote) or token.inGrace:
            continue
        quarters = token.quarterLength
        if token.activeTuplet:
            quarters = quarters * token.activeTuplet.tupletMultiplier()
        start = float(position) * seconds_per_quarter
        position += quarters
        end = float(position) * seconds_per_quarter
        names = [n.pitchName for n in getattr(token, "subTokens", [token]) if n.pitchName]
        tied = sounding if token.tie in ("stop", "continue") else {}
        sounding = {}
        for pitch in map(_midi_pitch, names):
            note = tied.get(pitch) or sequence.notes.add(
                pitch=pitch, velocity=_VELOCITY, start_time=start
            )
            note.end_time = end
            sounding[pitch] = note
    return sequence


@functools.cache
def _midi_pitch(name: str) -> int:
    from music21 import pitch

    return pitch.Pitch(name).midi
