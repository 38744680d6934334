"""Reading of the beginning of a molecule that is to be continued."""

from __future__ import annotations

from typing import Any

from rdkit import Chem, rdBase

from rl_tuner.common.errors import UserError
from rl_tuner.tasks.molecule import tokens
from rl_tuner.tasks.molecule.tokens import Encoding, Vocabulary


def read_primer(path: str, vocabulary: Vocabulary, horizon: int | None = None) -> list[int]:
    """Return the classes of the first string in a file of SMILES.

    Args:
        path: the file.
        vocabulary: the vocabulary of the model.
        horizon: length of the longest string in tokens; None does not check the length.

    Raises:
        UserError: the file cannot be read, or does not begin with such a string.
    """
    try:
        with open(path, encoding="utf-8") as file:
            words = file.read().split()
    except UnicodeDecodeError as error:
        raise UserError(
            f"primer {path} is not a text file; give one that begins with a SMILES string"
        ) from error
    except OSError as error:
        raise UserError(f"primer {path} cannot be read: {error.strerror}") from error
    if not words:
        raise UserError(f"primer {path} contains no SMILES; give a file that begins with one")
    return _read(f"primer {path}: {words[0]!r}", words[0], vocabulary, horizon)


def read_prompt(text: str, vocabulary: Vocabulary, horizon: int | None = None) -> list[int]:
    """Return the classes of the beginning of a SMILES string, such as "c1ccc2".

    Raises:
        UserError: the text contains what the vocabulary does not, or has a wrong length.
    """
    return _read(f"prompt {text!r}", text, vocabulary, horizon)


def check(metadata: dict[str, Any], primer: str | None, prompt: str | None) -> None:
    """Read a primer or a prompt only for its errors; see `rl_tuner.tasks.opening.check`."""
    vocabulary = Encoding.from_json(metadata.get("encoding") or {}).vocabulary
    if primer:
        read_primer(primer, vocabulary)
    if prompt:
        read_prompt(prompt, vocabulary)


def _read(name: str, text: str, vocabulary: Vocabulary, horizon: int | None) -> list[int]:
    try:
        classes = vocabulary.encode(text)[:-1]
    except (UserError, ValueError) as error:
        raise UserError(f"{name}: {error}") from error
    if not classes or (horizon is not None and len(classes) >= horizon):
        most = f"1 to {horizon - 1} tokens" if horizon is not None else "at least 1 token"
        raise UserError(f"{name} must have {most}, not {len(classes)}")
    if vocabulary.representation != "selfies" and (why := uncompletable(text)):
        raise UserError(f"{name} cannot be completed to a molecule: {why}")
    return classes


def uncompletable(text: str) -> str | None:
    """Return why no SMILES that begins with `text` is a molecule; None if one may be.

    Open rings and branches are closed with placeholder atoms, which fit everywhere. What is still wrong
    then, no other continuation can mend.
    """
    if text.count("[") != text.count("]"):
        return None
    depth = 0
    rings: set[str] = set()
    for token in tokens.split(text, "atom"):
        depth += (token == "(") - (token == ")")
        if depth < 0:
            return "it closes a branch that it does not open"
        if token.isdigit() or token.startswith("%"):
            rings ^= {token}
    ending = "*" if text[-1] in "(-=#/\\:$" else ""
    whole = text + ending + ")" * depth + "".join(f".**{ring}" for ring in sorted(rings))
    with rdBase.BlockLogs():
        mol = Chem.MolFromSmiles(whole, sanitize=False)
        if mol is None:
            return "it is not the beginning of a SMILES"
        try:
            mol.UpdatePropertyCache(strict=True)
        except Chem.AtomValenceException as error:
            return f"an atom has too many bonds ({str(error).strip()})"
    return None
