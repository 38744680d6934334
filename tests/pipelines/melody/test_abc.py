import re

import pytest

from pipelines.melody import abc_book, abc_fields, abc_tune, text
from pipelines.melody.score import TICKS_PER_QUARTER
from rl_tuner.datasets.writer import RejectedError

HEADER = "M:4/4\nL:1/4\nK:C"
SCALE = "C4 D4 E4 F4"
_PITCHES = dict(zip("CDEFGABcdefgab", (60, 62, 64, 65, 67, 69, 71, 72, 74, 76, 77, 79, 81, 83)))


def tune(body, header=HEADER, number=1):
    return f"X:{number}\nT:t\n{header}\n{body}\n"


def heard(book):
    """Returns every voice of every tune as "C4 z4 ^d2": the highest notes, in sixteenths."""
    data = book.encode() if isinstance(book, str) else book
    return [
        voice([(n.start, n.end, n.pitch) for n in part.notes])
        for each in abc_book.split_book(text.decode(data))
        for part in abc_tune.read_tune(each.text)
    ]


def voice(notes):
    sixteenth = TICKS_PER_QUARTER / 4
    highest = {}
    for start, end, pitch in sorted(notes, key=lambda n: n[2]):
        highest[start] = (end, pitch)
    return [
        (round(s / sixteenth, 3), round(e / sixteenth, 3), p)
        for s, (e, p) in sorted(highest.items())
    ]


def written(line):
    """Returns (start, end, pitch) of a line such as "C4 z4 ^d2"."""
    notes, now = [], 0.0
    for token in line.split():
        sign, letter, octave, length = re.fullmatch(
            r"([\^_]*)([A-Ga-gz])([',]*)([\d.]+)", token
        ).groups()
        end = now + float(length)
        if letter != "z":
            alter = sign.count("^") - sign.count("_")
            octaves = octave.count("'") - octave.count(",")
            notes.append((round(now, 3), round(end, 3), _PITCHES[letter] + alter + 12 * octaves))
        now = end
    return notes


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("C D/ E// F3/2 G3/ A/4", "C4 D2 E1 F6 G6 A1"),
        ("C,C'c'c,,", "C,4 C'4 c'4 c,,4"),
        ("C z D x2 E|", "C4 z4 D4 z8 E4"),
        ("CyDy2 Ey F|", SCALE),
        ("CDEF|Z|C", f"{SCALE} z16 C4"),
        ("CDEF|Z2|C", f"{SCALE} z32 C4"),
        ("CDEF|X|C", f"{SCALE} z16 C4"),
        ("CD Z2|C", "C4 D4 z8 C4"),  # a slip for z
        ("G,|CDEF|", f"G,4 {SCALE}"),
        ("(3C2D2E2 F|", f"C{16 / 3} D{16 / 3} E{16 / 3} F4"),
        ("(3:2:2C2D F|", f"C{16 / 3} D{8 / 3} F4"),
        ("(5CDEFG|", "C1.6 D1.6 E1.6 F1.6 G1.6"),
        ("C>D E<F|G>>A B<<c|", "C6 D2 E2 F6 G7 A1 B1 c7"),
        ("C > !trill!D z>{g}A|", "C6 D2 z6 A2"),
        ("B>-G E-<C|", "B6 G2 E2 C6"),
        ("g>f>ge|", "g6 f4 g2 e4"),
        ("[CE]>[DF] [C2E2]2|", "E6 F2 E16"),
        ("C 2 D 2 | E 3 F |", "C8 D8 E12 F4"),
        ("+CE+ D|", "E4 D4"),
        ("CDEF & C,4|C", f"{SCALE} C4"),
    ],
)
def test_lengths_and_rests(body, line):
    assert heard(tune(body)) == [written(line)]


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("^F F =F F|F4|", "^F4 ^F4 F4 F4 F16"),
        ("^F f F, z|", "^F4 ^f4 ^F,4"),
        ("^F:|F|", "^F4 ^F4 F4"),
        ("^^F __B =F B|", "^^F4 __B4 F4 __B4"),
        ("^B, ^B _C _c|", "^B,4 ^B4 _C4 _c4"),
        ("^/F F|", "F4 F4"),
        ("CDE^F-|F F|", "C4 D4 E4 ^F8 F4"),
        ("CDE^F-|F ^F|", "C4 D4 E4 ^F8 ^F4"),
        ("C4-|C4-|C D|", "C36 D4"),
        ("[CE]4-|[CE] D|", "E20 D4"),
        ("[C-E-]4|[CE] D|", "E20 D4"),
        ("C-D D-D|", "C4 D4 D8"),  # a tie between different notes is a slur
        ("(C-C) C.-C|", "C8 C8"),
        ("C-z C|", "C4 z4 C4"),
    ],
)
def test_accidentals_and_ties(body, line):
    assert heard(tune(body)) == [written(line)]


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ('"Am7"C "^abc"D "_gab"E "<a"F|', SCALE),
        ('"Am C D E F|', SCALE),
        ("{gf}C{/g}D {a}E{bc}F|", SCALE),
        ("CDEF {ga|CDEF|", f"{SCALE} {SCALE}"),
        (".C~DHETF|uCvDMEPF|", f"{SCALE} {SCALE}"),
        ("!<(!C!<)!D!-(!E!-)!F|!/!C!//!D!^!E!5!F|", f"{SCALE} {SCALE}"),
        ("+trill+C+fermata+D [!5!CE]F|", "C4 D4 E4 F4"),
        ("CD EF|! CD EF|!\nCDEF|", f"{SCALE} {SCALE} {SCALE}"),
        ("C`D`\\\nE F|", SCALE),
        ("CD[r:abc def]EF|[I:setbarnb 8]C", f"{SCALE} C4"),
        ("CDEF|\nw: la la| bad\nN: abc|\nC", f"{SCALE} C4"),
        ("%%text abcd|\nCDEF|%abcd\n% efg|", SCALE),
        ("%%begintext\nabc| def\n\ngab|\n%%endtext\nCDEF|", SCALE),
        ("%%beginps\n/a {0 0} def\n%%endps\nCDEF|", SCALE),
        ("CDEF|\nPlayed twice through by the band\nC", f"{SCALE} C4"),
        ("CDEF|\n\nA good tune, dad.", SCALE),
        ("CDEF|<br>\n</pre>\nC<br/>\n</body></html>", f"{SCALE} C4"),
        ("C&gt;D E&lt;F|", "C6 D2 E2 F6"),
    ],
)
def test_prose_is_no_music(body, line):
    assert heard(tune(body)) == [written(line)]


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("|:CD:|EF|", "C4 D4 C4 D4 E4 F4"),
        ("|:CD::EF:|", "C4 D4 C4 D4 E4 F4 E4 F4"),
        ("[|C:||:D:|]", "C4 C4 D4 D4"),
        ("|::C::|", "C4 C4 C4"),
        ("|: C |1 D :|2 E |]", "C4 D4 C4 E4"),
        ("|: C | [1 [CE] :| [2 F |]", "C4 E4 C4 F4"),
        ("|:C|[1-3 D:|[4 E|]", "C4 D4 C4 D4 C4 D4 C4 E4"),
        ("C!fine!|D!D.C.!|", "C4 D4 C4"),
        ('C"Fine"|D"  D.C. al Fine"|', "C4 D4 C4"),
        ("C|!segno!D!fine!|E!D.S.alfine!|", "C4 D4 E4 D4"),
        ("C|SD!fine!|E!D.S.!|", "C4 D4 E4 D4"),
        ("C|D!coda!|E!D.C.alcoda!|!coda!G|]", "C4 D4 E4 C4 D4 G4"),
        ("C|D O|E!dacapo!|OG|]", "C4 D4 E4 C4 D4 G4"),
        ("C|D!D.C.!|", "C4 D4"),  # without an end, dancers may start over
    ],
)
def test_the_order_of_play(body, line):
    assert heard(tune(body)) == [written(line)]


@pytest.mark.parametrize(
    ("order", "line"),
    [
        ("ABA", "C4 D4 C4"),
        ("A2B", "C4 C4 D4"),
        ("A.B.A", "C4 D4 C4"),
        ("((A2)B)2", "C4 C4 D4 C4 C4 D4"),
        ("AXB", "C4 D4"),
        ("as you like", "C4 D4"),
    ],
)
def test_the_order_of_parts(order, line):
    assert heard(tune("P:A\nC|\nP:B\nD|", f"P:{order}\n{HEADER}")) == [written(line)]
    assert heard(tune("[P:A]C|[P:B]D|", f"P:{order}\n{HEADER}")) == [written(line)]


def test_parts_of_several_voices():
    body = "P:A\nV:1\nC|\nV:2\nE|\nP:B\nV:1\nD|\nV:2\nF|"
    assert heard(tune(body, f"P:BA\n{HEADER}")) == [written("D4 C4"), written("F4 E4")]


def test_signs_in_one_voice_hold_for_all():
    body = "V:1\nC!fine!|D!D.C.!|\nV:2\nE|F|"
    assert heard(tune(body)) == [written("C4 D4 C4"), written("E4 F4 E4")]


def test_voices_are_kept_apart():
    body = "V:1\nF|[K:G]F|\nV:2\nF2|\nV:1\nF|"
    assert heard(tune(body)) == [written("F4 ^F4 ^F4"), written("F8")]
    header = "M:4/4\nL:1/4\nV:1 name=a\nV:2 clef=perc\nK:C"
    assert heard(tune("[V:1]C|[V:2]D|", header)) == [written("C4")]


@pytest.mark.parametrize(
    ("header", "line"),
    [
        ("L:1\nK:C", "C16"),
        ("L:1/1\nK:C", "C16"),
        ("M:4/4\nK:C", "C2"),
        ("M:2/4\nK:C", "C1"),
        ("M:3/4\nK:C", "C2"),
        ("M:C|\nK:C", "C2"),
        ("M:none\nK:C", "C2"),
        ("M:2+3/8\nK:C", "C1"),
        ("M:(2+3)/8\nK:C", "C1"),
    ],
)
def test_unit_lengths(header, line):
    assert heard(tune("C|", header)) == [written(line)]


def test_the_unit_length_outlives_a_change_of_metre():
    assert heard(tune("C|[M:2/4]C|[L:1/4]C|", "M:4/4\nK:C")) == [written("C2 C2 C4")]


@pytest.mark.parametrize(
    ("metre", "body", "line"),
    [
        ("6/8", "(2CD (4CDEF|", "C3 D3 C1.5 D1.5 E1.5 F1.5"),
        ("4/4", "(2CD (4CDEF|", "C3 D3 C1.5 D1.5 E1.5 F1.5"),
        ("6/8", "(5CDEFG|", "C1.2 D1.2 E1.2 F1.2 G1.2"),
        ("3/4", "C|Z|C|", "C2 z12 C2"),
    ],
)
def test_what_depends_on_the_metre(metre, body, line):
    assert heard(tune(body, f"M:{metre}\nL:1/8\nK:C")) == [written(line)]


@pytest.mark.parametrize(
    ("key", "alters"),
    [
        ("", ""),
        ("none", ""),
        ("G", "F#"),
        ("g", "F#"),
        ("Em", "F#"),
        ("em", "F#"),
        ("E minor", "F#"),
        ("G MAJOR", "F#"),
        ("GM", "F#"),
        ("AMixolydian", "F# C#"),
        ("Ddor", ""),
        ("F#m", "F# C# G#"),
        ("Bbmaj clef=treble", "Bb Eb"),
        ("Cloc", "Bb Eb Ab Db Gb"),
        ("Cb", "Bb Eb Ab Db Gb Cb Fb"),
        ("G#", "F## C# G# D# A# E# B#"),
        ("HP", "F# C#"),
        ("Hp", "F# C#"),
        ("D phr ^f", "Bb Eb F#"),
        ("D exp _b_e^f", "Bb Eb F#"),
        ("^f _b", "F# Bb"),
        ("D mix =f", "F="),
    ],
)
def test_keys(key, alters):
    values = {"##": 2, "#": 1, "b": -1, "=": 0}
    assert abc_fields.parse_key(key) == {a[0]: values[a[1:]] for a in alters.split()}


@pytest.mark.parametrize("field", ["clef=bass", "bass", "treble-8", "alto octave=1", "perc"])
def test_a_clef_leaves_the_key(field):
    assert abc_fields.parse_key(field) is None
    assert heard(tune(f"F|[K:{field}]F|", "L:1/4\nK:G")) == [written("^F4 ^F4")]


BOOK = tune("CDEF|") + "\n" + tune("GABc|", number=2)


@pytest.mark.parametrize(
    "data",
    [
        BOOK,
        BOOK.replace("\n\n", "\n"),
        BOOK.replace("\n", "\r"),
        BOOK.replace("\n", "\r\n"),
        BOOK.encode("utf-16"),
        BOOK.encode("utf-16-le"),
        b"\xfe\xff" + BOOK.encode("utf-16-be"),
        b"\xef\xbb\xbf" + BOOK.encode(),
        BOOK.replace("T:t", "T:Bourr\xe9e").encode("latin-1"),
        "My own book, dad.\n\n" + BOOK,
        BOOK.replace("X:1\n", "").replace("X:2\n", ""),
        BOOK.replace("X:1\nT:t\n", "").replace("X:2\nT:t\n", ""),
        f"<html><head><title>abc</title></head><body><pre>\n{BOOK}</pre></body></html>",
        f"%%begintext\nX:1\nabcd|\n%%endtext\n{BOOK}",
        BOOK.replace("M:4/4", "A bad dad faced a cab\nM:4/4"),
    ],
)
def test_books(data):
    assert heard(data) == [written(SCALE), written("G4 A4 B4 c4")]


def test_a_book_is_split_and_its_fields_are_shared():
    book = "% my book\nL:1/4\n\nX:1\nT:One\nK:C\nA|\n\nX:22\nT:Two \nK:C\nB|\n"
    first, second = abc_book.split_book(book)
    assert (first.number, first.title) == ("1", "One")
    assert (second.number, second.title) == ("22", "Two")
    assert heard(book) == [written("A4"), written("B4")]


@pytest.mark.parametrize(
    "body",
    ["A && B |", "|" + ":" * 50 + " A " + ":" * 50 + "|", "Z9999|"],
)
def test_what_cannot_be_read_is_rejected(body):
    with pytest.raises(RejectedError):
        heard(tune(body))


def test_nested_parts_are_not_played_for_ever():
    with pytest.raises(RejectedError, match="too long"):
        heard(tune("P:A\nC|", f"P:((((A99)99)99)99)99\n{HEADER}"))


@pytest.mark.parametrize("body", ["A>B<C", "A<VA<B", "A>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>B"])
def test_broken_rhythm_leaves_a_length_of_every_note(body):
    (notes,) = heard(tune(body))
    assert len(notes) >= 2 and all(start < end for start, end, _ in notes)
