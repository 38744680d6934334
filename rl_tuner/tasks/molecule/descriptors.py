"""Descriptors by name, and the molecular formula, as components of a score."""

from __future__ import annotations

import dataclasses
import re

import gin
from rdkit import Chem

from rl_tuner.common.errors import did_you_mean
from rl_tuner.tasks.molecule.component import ProbedComponent
from rl_tuner.tasks.molecule.probes import DescriptorProbe, FormulaProbe, descriptor_functions

_FORMULA = re.compile(r"(?:[A-Z][a-z]?[0-9]*)+")
_ELEMENT = re.compile(r"([A-Z][a-z]?)([0-9]*)")
MEANS = ("geometric", "arithmetic")


@gin.configurable(module="rl_tuner")
@dataclasses.dataclass(frozen=True)
class Descriptor(ProbedComponent):
    """One of RDKit's descriptors, such as TPSA or NumRotatableBonds, by its name in `rdkit.Chem.Descriptors`.

    Attributes:
        descriptor: name of the descriptor; empty takes it from `name`: `Descriptor(name="TPSA")`.

    Raises:
        ValueError: RDKit has no such descriptor.
    """

    descriptor: str = ""

    def __post_init__(self) -> None:
        if not self.descriptor:
            object.__setattr__(self, "descriptor", self.name)
        known = descriptor_functions()
        if self.descriptor not in known:
            hint = did_you_mean(str(self.descriptor), known) or "; such as 'TPSA'"
            raise ValueError(
                f"Descriptor.descriptor: RDKit has no descriptor {self.descriptor!r}{hint}"
            )
        super().__post_init__()

    def _name(self) -> str:
        return self.descriptor

    @property
    def probe(self) -> DescriptorProbe:
        """The probe by which a worker computes the descriptor."""
        return DescriptorProbe(self.descriptor)


@gin.configurable(module="rl_tuner")
@dataclasses.dataclass(frozen=True)
class Formula(ProbedComponent):
    """How close a molecule is to a molecular formula, 0 .. 1; 1 for its isomers.

    As in GuacaMol (Brown et al. 2019): the mean of exp(-(n_e - m_e)^2 / 2) over the elements e of the
    formula, and exp(-(n - m)^2 / 8) for all atoms, where n counts the molecule's atoms with its hydrogens
    and m those of the formula.

    Attributes:
        formula: the formula, such as "C9H10N2O2PF2Cl".
        mean: "geometric" or "arithmetic".

    Raises:
        ValueError: `formula` is not a formula, or `mean` is unknown.
    """

    formula: str = ""
    mean: str = "geometric"

    def __post_init__(self) -> None:
        if not isinstance(self.formula, str) or not _FORMULA.fullmatch(self.formula):
            raise ValueError(
                f"Formula.formula must be a molecular formula such as 'C9H8O4', not {self.formula!r}"
            )
        for element in _counts(self.formula):
            try:
                Chem.GetPeriodicTable().GetAtomicNumber(element)
            except RuntimeError as error:
                raise ValueError(
                    f"Formula.formula {self.formula!r}: {element!r} is not an element"
                ) from error
        if self.mean not in MEANS:
            raise ValueError(f"Formula.mean must be 'geometric' or 'arithmetic', not {self.mean!r}")
        super().__post_init__()

    def _name(self) -> str:
        return self.formula

    @property
    def probe(self) -> FormulaProbe:
        """The probe by which a worker compares the formulas."""
        return FormulaProbe(tuple(_counts(self.formula).items()), self.mean == "geometric")


def _counts(formula: str) -> dict[str, int]:
    """Return the number of atoms of each element of a formula."""
    counts: dict[str, int] = {}
    for element, number in _ELEMENT.findall(formula):
        counts[element] = counts.get(element, 0) + int(number or 1)
    return counts
