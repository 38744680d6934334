"""Random text and tokens through readers and round trips: nothing but a rejection may come out wrong."""

from __future__ import annotations

import collections
import dataclasses
import random
import resource
import time
from collections.abc import Callable

from rdkit import RDLogger

from pipelines.melody import abc_book, readers, tunes
from rl_tuner.common.progress import Progress
from rl_tuner.datasets.writer import RejectedError
from rl_tuner.tasks.melody import encoding
from rl_tuner.tasks.molecule import chemistry, tokens

_SMILES = "CNOSPFIBrcnos()[]=#@+-%123456789/\\.H*$:"
_ABC = "ABCDEFGabcdefgxzZ^_='\",/|:[](){}<>123456789!~-& \nKLMPQTVXw%+.uvRN"
_SLOW_SECONDS = 2.0


@dataclasses.dataclass
class Outcome:
    """What random cases came to.

    Attributes:
        cases: numbers of cases by kind.
        wrong: kind, case and error of what should not happen.
        seconds: how long it took.
        megabytes: largest memory of the process.
    """

    cases: collections.Counter[str]
    wrong: list[str]
    seconds: float = 0.0
    megabytes: float = 0.0


def fuzz(count: int, seed: int = 0) -> Outcome:
    """Try `count` random cases, most of them round trips of tokens, which are the fastest."""
    # Most random strings are no molecules, which RDKit would tell of each.
    RDLogger.DisableLog("rdApp.*")
    rng = random.Random(seed)
    outcome = Outcome(collections.Counter(), [])
    start = time.monotonic()
    kinds = list(_KINDS)
    weights = [_KINDS[kind][1] for kind in kinds]
    with Progress(count, "fuzz", "cases") as progress:
        for kind in rng.choices(kinds, weights, k=count):
            case = rng.randbytes(8)
            begun = time.monotonic()
            try:
                _KINDS[kind][0](random.Random(case))
            except Exception as error:
                outcome.wrong.append(f"{kind} {case.hex()}: {type(error).__name__}: {error}")
            if time.monotonic() - begun > _SLOW_SECONDS:
                outcome.wrong.append(f"{kind} {case.hex()}: {time.monotonic() - begun:.1f} s")
            outcome.cases[kind] += 1
            progress.update(1)
    outcome.seconds = time.monotonic() - start
    outcome.megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return outcome


def _tokens_of_text(rng: random.Random) -> None:
    """Whatever the text, its tokens spell it."""
    text = "".join(rng.choices(_SMILES, k=rng.randint(0, 40)))
    for representation in ("atom", "character"):
        found = tokens.split(text, representation)
        assert tokens.join(found, representation) == text, text
    assert tokens.carbon_run(text) <= len(text)


def _classes_of_text(rng: random.Random) -> None:
    """Whatever the vocabulary, decoding undoes encoding."""
    texts = ["".join(rng.choices(_SMILES, k=rng.randint(1, 20))) for _ in range(3)]
    vocabulary = tokens.Vocabulary.of(texts, "atom")
    assert [vocabulary.decode(vocabulary.encode(text)) for text in texts] == texts


def _molecule_of_text(rng: random.Random) -> None:
    """A string is a molecule or none; the SMILES of a molecule is its own."""
    text = "".join(rng.choices("CCCCNOSc1()=#", k=rng.randint(1, 14)))
    found = chemistry.properties(text, wanted=frozenset())
    if found:
        again = chemistry.properties(found.canonical, wanted=frozenset())
        assert again and again.canonical == found.canonical, text


def _notes_of_classes(rng: random.Random) -> None:
    """Any classes are notes in order, which do not overlap and lie within the melody."""
    classes = [rng.randrange(encoding.NUM_CLASSES) for _ in range(rng.randint(0, 48))]
    last = 0
    for pitch, start, end in encoding.notes_from_classes(classes):
        assert last <= start < end <= len(classes), classes
        assert classes[start] == encoding.pitch_to_class(pitch), classes
        last = end


def _tune_of_text(rng: random.Random) -> None:
    """A tune is read, or rejected with a reason."""
    text = "".join(rng.choices(_ABC, k=rng.randint(0, 120)))
    for tune in abc_book.split_book(f"X:1\nM:6/8\nL:1/8\nK:G\n{text}\n"):
        given = tunes.Tune("fuzz", "abc", len(tune.text), text=tune.text)
        try:
            reading = readers.read_tune(given, max_bytes=2**20)
        except RejectedError:
            continue
        for sequence in reading.sequences:
            assert all(note.start_time < note.end_time for note in sequence.notes), text


_KINDS: dict[str, tuple[Callable[[random.Random], None], float]] = {
    "tokens of a text": (_tokens_of_text, 0.45),
    "classes of a text": (_classes_of_text, 0.15),
    "notes of classes": (_notes_of_classes, 0.30),
    "molecule of a text": (_molecule_of_text, 0.05),
    "tune of a text": (_tune_of_text, 0.05),
}


def case(kind: str, name: str) -> None:
    """Repeat one case, named as in `Outcome.wrong`."""
    _KINDS[kind][0](random.Random(bytes.fromhex(name)))
