"""The folder of a study: what is compared, the stimuli as files, and the tokens that open its pages."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import secrets
from collections.abc import Sequence

from rl_tuner.common.errors import UserError

STUDY_FILE, STIMULI, DATABASE_FILE = "study.json", "stimuli", "ratings.sqlite"
LINKS_FILE, TOKEN_FILE = "links.txt", "admin_token.txt"
ANALYSIS, RATINGS_FILE = "analysis", "ratings.csv"
_VERSION = 1
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._+-]{0,39}")
# What raters compare, one and several.
WORDS = {"wav": ("melody", "melodies"), "svg": ("drawing", "drawings"), "txt": ("text", "texts")}
_SECONDS_OF_COMPARISON = {"wav": 25, "svg": 10, "txt": 15}
CONSENT = """You will compare pairs of {things} made by computer programs, and say each time which one you \
like better. There are no right answers. It takes about {minutes} minutes; you may stop at any time and \
go on later with the same link.

Your answers, and when you gave them, are stored under a random number. Neither your name nor your \
address is stored, there are no cookies, and nothing is sent to anybody else. By starting, you agree that \
your answers are used and published for research."""


@dataclasses.dataclass(frozen=True)
class Stimulus:
    """One sequence of one model.

    Attributes:
        id: a random name, which tells nothing.
        model: name of its model.
        text: the sequence as text.
    """

    id: str
    model: str
    text: str


@dataclasses.dataclass(frozen=True)
class Study:
    """What is compared, and how.

    Attributes:
        folder: the study's folder.
        id: a random name, by which ratings know their study.
        title: heading of the pages.
        question: what the raters are asked.
        consent: text of the first page; paragraphs are separated by blank lines.
        kind: kind of the sequences, such as "melody".
        shows: how a stimulus is shown: "wav", "svg" or "txt", which is also the suffix of its file.
        models: folder of the run of each model.
        comparisons: comparisons of each rater.
        checks: comparisons of a stimulus with itself beside them.
        seed: seed of stimuli and schedules.
        stimuli: all stimuli.
    """

    folder: str
    id: str
    title: str
    question: str
    consent: str
    kind: str
    shows: str
    models: dict[str, str]
    comparisons: int
    checks: int
    seed: int
    stimuli: tuple[Stimulus, ...]

    def by_model(self) -> dict[str, list[str]]:
        """Return the ids of the stimuli of each model."""
        return {name: [s.id for s in self.stimuli if s.model == name] for name in self.models}

    def path(self, stimulus: str) -> str:
        """Return the path of a stimulus."""
        return os.path.join(self.folder, STIMULI, f"{stimulus}.{self.shows}")

    def to_json(self) -> str:
        """Return the text of study.json."""
        content = dataclasses.asdict(self)
        content.pop("folder")
        return json.dumps({"version": _VERSION, **content}, indent=1) + "\n"


def exists(folder: str) -> bool:
    """Return whether a folder contains a study."""
    return os.path.isfile(os.path.join(folder, STUDY_FILE))


def read(folder: str) -> Study:
    """Return the study of a folder.

    Raises:
        UserError: there is none, or it is damaged.
    """
    path = os.path.join(folder, STUDY_FILE)
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
        if content.pop("version") != _VERSION:
            raise ValueError("it was made by another version of this program")
        stimuli = tuple(Stimulus(**one) for one in content.pop("stimuli"))
        study = Study(folder=folder, stimuli=stimuli, **content)
    except FileNotFoundError:
        raise UserError(
            f"{folder} contains no study (no {STUDY_FILE}); give --models to make one"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} cannot be read ({error}); make the study again") from error
    missing = [s.id for s in study.stimuli if not os.path.isfile(study.path(s.id))]
    if missing:
        raise UserError(f"{study.path(missing[0])} is missing; make the study again")
    return study


def models_of(texts: Sequence[str]) -> dict[str, str]:
    """Return the folder of each model from texts such as "psi:runs/psi_music".

    Raises:
        UserError: a text has no name or no folder, a name is odd or given twice, or there is only one.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, colon, folder = text.partition(":")
        if not colon or not folder:
            raise UserError(f"--models: {text!r} is not NAME:DIR, such as psi:runs/psi_music")
        if not _NAME.fullmatch(name):
            raise UserError(
                f"--models: the name {name!r} must be 1 to 40 letters, digits, spaces and ._+-"
            )
        if name in found:
            raise UserError(f"--models: the name {name} is given twice; choose another")
        found[name] = folder
    if len(found) < 2:
        raise UserError("--models: a study compares at least two models, such as prior:A,psi:A")
    return found


def admin_token(folder: str) -> str:
    """Return the token of the admin page, which is made when it is first needed.

    Raises:
        OSError: it cannot be read or written.
    """
    path = os.path.join(folder, TOKEN_FILE)
    if not os.path.isfile(path):
        write_secret(path, f"{secrets.token_urlsafe(24)}\n")
    with open(path, encoding="utf-8") as file:
        return file.read().strip()


def default_consent(shows: str, comparisons: int) -> str:
    """Return the text to which raters agree, if the study has none of its own.

    Args:
        shows: how a stimulus is shown, see `Study.shows`.
        comparisons: comparisons of each rater.
    """
    seconds = _SECONDS_OF_COMPARISON[shows] * comparisons
    return CONSENT.format(things=WORDS[shows][1], minutes=max(1, round(seconds / 60)))


def write_secret(path: str, text: str, *, append: bool = False) -> None:
    """Write a file that only its owner can read.

    Raises:
        OSError: it cannot be written.
    """
    mode = os.O_APPEND if append else os.O_TRUNC
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | mode, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
