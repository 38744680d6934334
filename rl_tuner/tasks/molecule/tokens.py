"""Vocabularies of molecules: conversion between SMILES strings and sequences of classes.

| representation | a token is |
|---|---|
| atom | a bracket atom, Br, Cl, a %nn ring closure, or any other one character |
| character | one character |
| selfies | a symbol of the SELFIES string that the `selfies` package writes |

Class 0 ends a sequence, class i is the vocabulary's token i - 1. The start token, `num_classes`, and
padding, which is marked by a mask, are not classes.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Iterable
from types import ModuleType
from typing import Any

from rl_tuner.common.errors import UserError, first_line
from rl_tuner.common.extras import install_hint

REPRESENTATIONS = ("atom", "character", "selfies")
END = 0

_ATOM_TOKEN = re.compile(r"\[[^\[\]]*\]|Br|Cl|%\d\d|%\(\d+\)|.", re.DOTALL)
_CARBON_RUN = re.compile(r"\[[^\[\]]*\]|C+(?!l)")


def check_representation(representation: str) -> None:
    """Make sure that a representation is known and can be used.

    Raises:
        UserError: if the representation is unknown or its package is absent.
    """
    if representation not in REPRESENTATIONS:
        known = ", ".join(REPRESENTATIONS)
        raise UserError(f"representation must be one of {known}, not {representation!r}")
    if representation == "selfies":
        _selfies()


def split(smiles: str, representation: str) -> list[str]:
    """Return the tokens of a SMILES string, without an end token.

    Any string can be split into atoms or characters; joining the tokens restores it.

    Raises:
        UserError: if the representation is unknown or its package is absent.
        ValueError: if the molecule has no SELFIES.
    """
    if representation == "atom":
        return _ATOM_TOKEN.findall(smiles)
    if representation == "character":
        return list(smiles)
    check_representation(representation)
    selfies = _selfies()
    try:
        return list(selfies.split_selfies(selfies.encoder(smiles)))
    except selfies.EncoderError as error:
        raise ValueError(f"no SELFIES for {smiles}: {first_line(error)}") from error


def join(tokens: Iterable[str], representation: str) -> str:
    """Return the SMILES string that these tokens spell.

    Raises:
        UserError: if the representation is unknown or its package is absent.
        ValueError: if a token is not a SELFIES symbol.
    """
    text = "".join(tokens)
    if representation != "selfies":
        check_representation(representation)
        return text
    selfies = _selfies()
    try:
        return selfies.decoder(text)
    except selfies.DecoderError as error:
        raise ValueError(f"not SELFIES: {text}: {first_line(error)}") from error


def length(smiles: str, representation: str) -> int:
    """Return the number of tokens of a SMILES string, without an end token; raises as `split`."""
    return len(split(smiles, representation))


def carbon_run(smiles: str) -> int:
    """Return the length of the longest run of aliphatic carbon: consecutive atoms written as C.

    Branches, bonds, ring closures and bracket atoms end a run.
    """
    runs = _CARBON_RUN.findall(smiles)
    return max((len(run) for run in runs if run[0] == "C"), default=0)


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """The tokens of a dataset.

    Attributes:
        representation: "atom", "character" or "selfies".
        tokens: the tokens; class i + 1 is token i.

    Raises:
        UserError: if the representation is unknown or its package is absent, or a token is empty
            or listed twice.
    """

    representation: str
    tokens: tuple[str, ...]

    def __post_init__(self) -> None:
        check_representation(self.representation)
        object.__setattr__(self, "tokens", tuple(self.tokens))
        if "" in self._classes or len(self._classes) < len(self.tokens):
            raise UserError("a vocabulary's tokens must be distinct, and none empty")

    @classmethod
    def of(cls, strings: Iterable[str], representation: str) -> Vocabulary:
        """Return the vocabulary of SMILES strings, independent of their order; raises as `split`."""
        return cls.of_tokens((split(text, representation) for text in strings), representation)

    @classmethod
    def of_tokens(cls, sequences: Iterable[Iterable[str]], representation: str) -> Vocabulary:
        """Return the vocabulary of strings that are already split."""
        return cls(representation, tuple(sorted({t for tokens in sequences for t in tokens})))

    @property
    def num_classes(self) -> int:
        """Number of classes: the tokens and the end token."""
        return len(self.tokens) + 1

    @functools.cached_property
    def _classes(self) -> dict[str, int]:
        return {token: index for index, token in enumerate(self.tokens, start=1)}

    def encode(self, smiles: str) -> list[int]:
        """Return the classes of a SMILES string, the end token last.

        Raises:
            UserError: if a token is not in the vocabulary.
            ValueError: if the molecule has no SELFIES.
        """
        return self.encode_tokens(split(smiles, self.representation))

    def encode_tokens(self, tokens: Iterable[str]) -> list[int]:
        """Return the classes of a string that is already split, the end token last.

        Raises:
            UserError: if a token is not in the vocabulary.
        """
        classes = []
        for token in tokens:
            if token not in self._classes:
                raise UserError(f"token {token!r} is not in the vocabulary of the training data")
            classes.append(self._classes[token])
        return [*classes, END]

    def decode(self, classes: Iterable[int]) -> str:
        """Return the SMILES string before the first end token, or of all classes without one.

        Raises:
            ValueError: if a class is not in 0..num_classes - 1.
        """
        spelled = []
        for number in classes:
            if number == END:
                break
            if not 0 < number < self.num_classes:
                raise ValueError(f"class {number} is not in 0..{self.num_classes - 1}")
            spelled.append(self.tokens[number - 1])
        return join(spelled, self.representation)

    def to_json(self) -> dict[str, Any]:
        """Return the description that `from_json` reads."""
        return {
            "representation": self.representation,
            "vocabulary": list(self.tokens),
            "num_classes": self.num_classes,
            "end_token": END,
        }

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Vocabulary:
        """Return the vocabulary of a description made by `to_json`; other entries are ignored.

        Raises:
            UserError: if the description is incomplete or inconsistent.
        """
        missing = {"representation", "vocabulary", "num_classes", "end_token"} - content.keys()
        if missing:
            raise UserError(f"a molecule encoding lacks {', '.join(sorted(missing))}")
        vocabulary = cls(content["representation"], tuple(content["vocabulary"]))
        if (content["num_classes"], content["end_token"]) != (vocabulary.num_classes, END):
            raise UserError(
                f"a molecule encoding of {len(vocabulary.tokens)} tokens must have"
                f" {vocabulary.num_classes} classes and end token {END}, not"
                f" {content['num_classes']} and {content['end_token']}"
            )
        return vocabulary


@dataclasses.dataclass(frozen=True)
class Encoding:
    """A vocabulary and the limits of the training strings; a dataset's "encoding".

    Attributes:
        vocabulary: the vocabulary.
        longest: number of tokens of the longest training string, including the end token.
        shortest_length: number of tokens of the shortest training string, without the end token.
        longest_carbon_run: the largest `carbon_run` of a training string.
    """

    vocabulary: Vocabulary
    longest: int
    shortest_length: int
    longest_carbon_run: int

    @classmethod
    def measure(cls, vocabulary: Vocabulary, sequences: Iterable[list[int]]) -> Encoding:
        """Return the encoding of training strings, given as classes with the end token last.

        Raises:
            ValueError: if there are no strings.
        """
        sequences = list(sequences)
        lengths = [len(classes) for classes in sequences]
        runs = (carbon_run(vocabulary.decode(classes)) for classes in sequences)
        return cls(vocabulary, max(lengths), min(lengths) - 1, max(runs))

    def to_json(self) -> dict[str, Any]:
        """Return the description that `from_json` reads."""
        limits = {name: getattr(self, name) for name in self._limits()}
        return self.vocabulary.to_json() | limits

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Encoding:
        """Return the encoding of a description made by `to_json`.

        Raises:
            UserError: if the description is incomplete or inconsistent.
        """
        missing = set(cls._limits()) - content.keys()
        if missing:
            raise UserError(f"a molecule encoding lacks {', '.join(sorted(missing))}")
        limits = {name: int(content[name]) for name in cls._limits()}
        return cls(Vocabulary.from_json(content), **limits)

    @classmethod
    def _limits(cls) -> list[str]:
        return [field.name for field in dataclasses.fields(cls) if field.name != "vocabulary"]


def _selfies() -> ModuleType:
    try:
        import selfies
    except ImportError as error:
        raise UserError(f"SELFIES need the package selfies: {install_hint('selfies')}") from error
    return selfies
