import io
import zipfile

import pytest

from pipelines.melody import musicxml, xml_files
from pipelines.melody.score import TICKS_PER_QUARTER
from rl_tuner.datasets.writer import RejectedError

MAX_BYTES = 10**6
BARS = ["C4 D4 E4 F4", "G4 A4 B4 C5", "D5 C5 B4 A4", "E4 G4 C5 E5", "A4 F4 D4 B3"]
COMMON = (
    "<attributes><divisions>4</divisions><key><fifths>0</fifths></key>"
    "<time><beats>4</beats><beat-type>4</beat-type></time></attributes>"
)
_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_ALTERS = {"#": 1, "b": -1}


def note(name, duration=4, more="", before=""):
    """Returns a note such as "F#4"; R is a rest."""
    if name == "R":
        body = "<rest/>"
    else:
        alter = f"<alter>{_ALTERS[name[1]]}</alter>" if name[1] in _ALTERS else ""
        body = f"<pitch><step>{name[0]}</step>{alter}<octave>{name[-1]}</octave></pitch>"
    return f"<note>{before}{body}<duration>{duration}</duration>{more}</note>"


def notes(names, duration=4, more=""):
    return "".join(note(name, duration, more) for name in names.split())


def measure(content, attributes=""):
    return f"<measure>{attributes}{content}</measure>"


def bars(*changes):
    """Returns the five bars; (bar, text before its notes, text after) changes them."""
    before = {number: text for number, text, _ in changes}
    after = {number: text for number, _, text in changes}
    return "".join(
        measure(before.get(i, "") + notes(names) + after.get(i, ""), COMMON if i == 0 else "")
        for i, names in enumerate(BARS)
    )


def score(*parts, head=""):
    listed = "".join(
        f'<score-part id="P{i}"><part-name>n</part-name></score-part>' for i, _ in enumerate(parts)
    )
    contents = "".join(f'<part id="P{i}">{part}</part>' for i, part in enumerate(parts))
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>{head}<score-partwise version="3.1">'
        f"<part-list>{listed}</part-list>{contents}</score-partwise>"
    )


def heard(document):
    """Returns (start, end, pitch) in quarters of each line of each part."""
    data = document.encode() if isinstance(document, str) else document
    parts, counts = musicxml.read_parts(xml_files.read_root(data, MAX_BYTES))
    lines = []
    for part in parts:
        found = {}
        for n in part.notes:
            quarters = [round(t / TICKS_PER_QUARTER, 3) for t in (n.start, n.end)]
            found.setdefault(n.line, []).append((*quarters, n.pitch))
        lines += found.values()
    return lines, counts


def pitch(name):
    return 12 * (int(name[-1]) + 1) + _STEPS[name[0]] + _ALTERS.get(name[1], 0)


def played(*order):
    names = [name for i in order for name in BARS[i].split()]
    return [(i, i + 1, pitch(name)) for i, name in enumerate(names)]


ALL = played(0, 1, 2, 3, 4)
PLAIN = score(bars())


def archive(*files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in files:
            opened.writestr(name, content)
    return buffer.getvalue()


def manifest(*paths):
    files = "".join(f'<rootfile full-path="{path}"/>' for path in paths)
    return "META-INF/container.xml", f"<container><rootfiles>{files}</rootfiles></container>"


def by_time():
    measures = "".join(
        f'<measure number="{i}"><part id="P1">{COMMON if i == 0 else ""}{notes(names)}</part></measure>'
        for i, names in enumerate(BARS)
    )
    return f"<score-timewise><part-list/>{measures}</score-timewise>"


@pytest.mark.parametrize(
    "document",
    [
        PLAIN,
        "\n  " + PLAIN,
        PLAIN + "\n\0junk",
        PLAIN.replace("<score-partwise", '<score-partwise xmlns="http://example.org/m"'),
        PLAIN.replace("<part-name>n", "<part-name>A & B \1"),
        score(bars(), head='<!DOCTYPE score-partwise PUBLIC "-//Recordare" "partwise.dtd">'),
        PLAIN.replace("UTF-8", "UTF-16").encode("utf-16"),
        PLAIN.encode("utf-16"),
        PLAIN.replace("UTF-8", "UTF-16").encode("utf-16-be"),
        PLAIN.replace("UTF-8", "ISO-8859-1").replace("<part-name>n", "<part-name>\xe9").encode("latin-1"),
        PLAIN.replace("<part-name>n", "<part-name>\xe9").encode("latin-1"),
        by_time(),
        archive(manifest("a/s.xml"), ("a/s.xml", PLAIN)),
        archive(("s.musicxml", PLAIN)),
        archive(manifest("nowhere.xml"), ("s.xml", PLAIN)),
        archive(manifest("s.pdf", "s.xml"), ("s.pdf", "%PDF"), ("s.xml", PLAIN)),
        archive(("__MACOSX/._s.xml", b"\0\5\x16\7"), ("s.xml", PLAIN)),
        archive(manifest("s.xml"), ("s.xml", PLAIN.replace("UTF-8", "UTF-16").encode("utf-16"))),
    ],
)  # fmt: skip
def test_files_of_every_kind(document):
    assert heard(document)[0] == [ALL]


@pytest.mark.parametrize(
    "changed",
    [
        score(bars((1, "<harmony><kind>bogus</kind></harmony>", ""))),
        score(bars((1, "<harmony><root><root-step>H</root-step></root><kind/></harmony>", ""))),
        PLAIN.replace("<fifths>0", "<fifths>99"),
        PLAIN.replace("<fifths>0", "<fifths>x"),
        PLAIN.replace("<beats>4", "<beats>x"),
        PLAIN.replace("<beat-type>4", "<beat-type>3.5"),
        PLAIN.replace("<beats>4</beats><beat-type>4</beat-type>", "<senza-misura/>"),
        PLAIN.replace("<duration>4<", "<duration>4.0<"),
        PLAIN.replace("<step>C<", "<step>c<"),
        score(bars((2, '<direction><sound tempo="0"/></direction>', '<sound tempo="300"/>'))),
        score(
            bars((2, "<note><grace/><pitch><step>A</step><octave>5</octave></pitch></note>", ""))
        ),
    ],
)
def test_one_odd_element_costs_nothing(changed):
    assert heard(changed)[0] == [ALL]


@pytest.mark.parametrize(
    ("beats", "metre"),
    [
        ("<beats>3+2</beats><beat-type>8</beat-type>", (5, 8)),
        (
            "<beats>3</beats><beat-type>8</beat-type><beats>2</beats><beat-type>4</beat-type>",
            (7, 8),
        ),
        ("<beats>4</beats><beat-type>4</beat-type>", (4, 4)),
    ],
)
def test_metres(beats, metre):
    document = PLAIN.replace("<beats>4</beats><beat-type>4</beat-type>", beats)
    parts, _ = musicxml.read_parts(xml_files.read_root(document.encode(), MAX_BYTES))
    assert parts[0].metres == [(0, metre)]


def barline(where, content):
    return f'<barline location="{where}">{content}</barline>'


def ending(numbers, kind="start"):
    return f'<ending number="{numbers}" type="{kind}"/>'


def sound(what):
    return (
        f"<direction><direction-type><words>x</words></direction-type><sound {what}/></direction>"
    )


def words(what):
    return f"<direction><direction-type>{what}</direction-type></direction>"


OPEN = barline("left", '<repeat direction="forward"/>')
CLOSE = '<repeat direction="backward"/>'
LAST = barline("right", CLOSE)
FINE, CAPO = "<words>Fine</words>", "<words>D.C. al Fine</words>"
AL_SEGNO = '<direction><sound dalsegno="segno"/></direction>'


@pytest.mark.parametrize(
    ("changes", "order"),
    [
        ([(1, "", LAST)], (0, 1, 0, 1, 2, 3, 4)),
        ([(1, OPEN, barline("right", '<repeat direction="backward" times="3"/>'))], (0, 1, 1, 1, 2, 3, 4)),
        (
            [
                (0, OPEN, ""),
                (1, barline("left", ending("1")), barline("right", ending("1", "stop") + CLOSE)),
                (2, barline("left", ending("2")), barline("right", ending("2", "discontinue"))),
            ],
            (0, 1, 0, 2, 3, 4),
        ),
        (
            [
                (0, OPEN, ""),
                (1, barline("left", ending("1, 2")), barline("right", ending("1, 2", "stop") + CLOSE)),
                (2, barline("left", ending("3")), barline("right", ending("3", "stop"))),
            ],
            (0, 1, 0, 1, 0, 2, 3, 4),
        ),
        ([(1, "", sound('fine="yes"')), (4, "", sound('dacapo="yes"'))], (0, 1, 2, 3, 4, 0, 1)),
        ([(1, words(FINE), ""), (4, words(CAPO), "")], (0, 1, 2, 3, 4, 0, 1)),
        (
            [
                (1, words("<segno/>"), ""),
                (2, "", words(FINE)),
                (3, "", words("<words>D.S. al Fine</words>")),
            ],
            (0, 1, 2, 3, 1, 2),
        ),
        (
            [
                (1, sound('segno="s"'), sound('tocoda="c"')),
                (3, "", AL_SEGNO),
                (4, sound('coda="c"'), ""),
            ],
            (0, 1, 2, 3, 1, 4),
        ),
    ],
)  # fmt: skip
def test_the_order_of_play(changes, order):
    assert heard(score(bars(*changes)))[0] == [played(*order)]


def test_signs_in_one_part_hold_for_all():
    assert heard(score(bars((1, "", LAST)), bars()))[0] == [played(0, 1, 0, 1, 2, 3, 4)] * 2


@pytest.mark.parametrize(
    ("measures", "line"),
    [
        # a pickup, a bar that a repeat sign cuts in two, a short last bar
        (
            measure(note("G4"), COMMON)
            + measure(notes("C4 D4") + LAST)
            + measure(notes("E4 F4 G4")),
            "G4 C4 D4 G4 C4 D4 E4 F4 G4",
        ),
        (measure(notes("B#3 Cb4 E#4 Fb4"), COMMON), "C4 B3 F4 E4"),
        (
            measure(notes("C4 D4"), COMMON)
            + measure(notes("E4 F4", 8), "<attributes><divisions>8</divisions></attributes>"),
            "C4 D4 E4 F4",
        ),
    ],
)
def test_measures_as_written(measures, line):
    expected = [(i, i + 1, pitch(name)) for i, name in enumerate(line.split())]
    assert heard(score(measures))[0] == [expected]


def test_chords_rests_and_gaps():
    content = (
        note("E4")
        + note("C4", before="<chord/>")
        + note("R")
        + "<forward><duration>4</duration></forward>"
    )
    found, _ = heard(score(measure(content + note("G4"), COMMON)))
    assert found == [[(0, 1, 64), (0, 1, 60), (3, 4, 67)]]


def tie(kind, voice=1):
    return f'<tie type="{kind}"/><voice>{voice}</voice>'


def test_a_tie_may_change_the_voice():
    first = measure(note("C4", 16, tie("start")), COMMON)
    second = measure(note("C4", 8, tie("stop", 2)) + note("D4", 8, "<voice>1</voice>"))
    assert heard(score(first + second))[0] == [[(0, 6, 60), (6, 8, 62)]]


def test_voices_that_sound_together_are_kept_apart():
    voice = [notes("C4 D4 E4 F4", 4, f"<voice>{i}</voice>") for i in (1, 2)]
    both = voice[0] + "<backup><duration>16</duration></backup>" + voice[1]
    assert heard(score(measure(both, COMMON)))[0] == [played(0), played(0)]


def test_a_transposing_instrument_sounds_as_it_does():
    transpose = "<transpose><chromatic>-2</chromatic><octave-change>-1</octave-change></transpose>"
    changed = PLAIN.replace("</attributes>", f"{transpose}</attributes>")
    assert heard(changed)[0] == [[(start, end, p - 14) for start, end, p in ALL]]


def test_what_is_left_out_is_counted():
    unpitched = "<note><unpitched/><duration>4</duration></note>"
    cue = note("C6", before="<cue/>")
    found, counts = heard(score(measure(note("C4") + unpitched + cue + note("D4"), COMMON)))
    assert found == [[(0, 1, 60), (3, 4, 62)]]
    assert counts == {musicxml.DRUMS: 1, musicxml.CUE: 1}
    drums = score(bars(), bars()).replace(
        '<score-part id="P1"><part-name>n</part-name>',
        '<score-part id="P1"><midi-instrument><midi-channel>10</midi-channel></midi-instrument>',
    )
    assert heard(drums) == ([ALL], {musicxml.DRUMS: 20})
    clef = "<attributes><clef><sign>percussion</sign></clef></attributes>"
    assert heard(score(bars(), bars((0, clef, "")))) == ([ALL], {musicxml.DRUMS: 20})


@pytest.mark.parametrize(
    ("document", "detail"),
    [
        ("<!DOCTYPE s [<!ENTITY a 'b'>]>" + PLAIN, "entities"),
        (("<!DOCTYPE s [<!ENTITY a 'b'>]>" + PLAIN).encode("utf-16"), "entities"),
        ("<html/>", "html"),
        (archive(("readme.txt", "x"), ("s.xml", "<html/>")), "no score"),
        (archive(("s.xml", "0" * (MAX_BYTES + 1))), "uncompressed"),
    ],
)
def test_what_is_no_score_is_rejected(document, detail):
    with pytest.raises(RejectedError, match=detail):
        heard(document)
