"""Substructures, alerts and scaffolds as components of a score."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import gin
import numpy as np
from rdkit import Chem, rdBase
from rdkit.Chem.FilterCatalog import FilterCatalogParams

from rl_tuner.common.errors import did_you_mean
from rl_tuner.tasks.molecule import chemistry
from rl_tuner.tasks.molecule.chemistry import Properties
from rl_tuner.tasks.molecule.component import ProbedComponent
from rl_tuner.tasks.molecule.probes import (
    AlertsProbe,
    ScaffoldProbe,
    SubstructureProbe,
    scaffold_of,
)
from rl_tuner.tasks.molecule.transforms import Step, Transform

# The desirability of a number of alerts: 1 for none.
_NONE = Step(high=0.0)
_CATALOGS = tuple(FilterCatalogParams.FilterCatalogs.names)


@gin.configurable(module="rl_tuner")
@dataclasses.dataclass(frozen=True)
class Substructure(ProbedComponent):
    """The number 1 if a molecule has a required substructure, or lacks a forbidden one, else 0.

    Attributes:
        smarts: the substructure as a SMARTS pattern.
        required: whether the substructure is required; otherwise it is forbidden.

    Raises:
        ValueError: `smarts` is not a pattern.
    """

    smarts: str = ""
    required: bool = True

    usual_name = "substructure"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_pattern("Substructure.smarts", self.smarts)

    @property
    def probe(self) -> SubstructureProbe:
        """The probe by which a worker matches the pattern."""
        return SubstructureProbe(self.smarts)

    def values(self, properties: Sequence[Properties]) -> np.ndarray:
        """Return 1 or 0."""
        found = np.minimum(super().values(properties), 1.0)
        return found if self.required else 1.0 - found


@gin.configurable(module="rl_tuner")
@dataclasses.dataclass(frozen=True)
class SubstructureCount(ProbedComponent):
    """How often a molecule has a substructure; matches with the same atoms count once.

    Attributes:
        smarts: the substructure as a SMARTS pattern.

    Raises:
        ValueError: `smarts` is not a pattern.
    """

    smarts: str = ""

    usual_name = "substructure_count"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_pattern("SubstructureCount.smarts", self.smarts)

    @property
    def probe(self) -> SubstructureProbe:
        """The probe by which a worker matches the pattern."""
        return SubstructureProbe(self.smarts)


@gin.configurable(module="rl_tuner")
@dataclasses.dataclass(frozen=True)
class Alerts(ProbedComponent):
    """The number of structural alerts of a molecule; by default only molecules without alerts are desirable.

    Attributes:
        catalogs: names of RDKit's lists, such as 'PAINS', 'BRENK', 'NIH' or 'CHEMBL_Glaxo'.
        file: path of a list of your own: one SMARTS a line, which a name may follow; lines that begin
            with # are comments.
        transform: by default `Step(high=0)`, 1 for no alert and else 0.

    Raises:
        ValueError: there are no alerts, a list is unknown, or the file cannot be read.
    """

    transform: Transform | None = _NONE
    catalogs: Sequence[str] = ()
    file: str | None = None

    usual_name = "alerts"

    def __post_init__(self) -> None:
        super().__post_init__()
        names = (self.catalogs,) if isinstance(self.catalogs, str) else tuple(self.catalogs)
        for name in names:
            if name not in _CATALOGS:
                hint = did_you_mean(str(name), _CATALOGS)
                raise ValueError(
                    f"Alerts.catalogs: RDKit has no list {name!r}{hint} (it has {', '.join(_CATALOGS)})"
                )
        object.__setattr__(self, "catalogs", names)
        patterns = () if self.file is None else _read_patterns(self.file)
        if not names and not patterns:
            raise ValueError("Alerts has no alerts: bind Alerts.catalogs = ['PAINS', 'BRENK']")
        object.__setattr__(self, "_patterns", patterns)

    @property
    def probe(self) -> AlertsProbe:
        """The probe by which a worker counts the alerts."""
        return AlertsProbe(tuple(self.catalogs), self._patterns)  # type: ignore[attr-defined]


@gin.configurable(module="rl_tuner")
@dataclasses.dataclass(frozen=True)
class Scaffold(ProbedComponent):
    """The number 1 if a molecule keeps a Bemis-Murcko scaffold, rings and their linkers, else 0.

    Attributes:
        reference: SMILES of a molecule with the scaffold; its side chains do not matter.
        generic: whether only the graph of the scaffold counts, not its elements and kinds of bonds.

    Raises:
        ValueError: `reference` is not a molecule, or it has no ring.
    """

    reference: str = ""
    generic: bool = False

    usual_name = "scaffold"

    def __post_init__(self) -> None:
        super().__post_init__()
        with rdBase.BlockLogs():
            mol = chemistry.parse(self.reference) if isinstance(self.reference, str) else None
        if mol is None:
            raise ValueError(f"Scaffold.reference must be a SMILES, not {self.reference!r}")
        scaffold = scaffold_of(mol, self.generic)
        if not scaffold:
            raise ValueError(
                f"Scaffold.reference {self.reference!r} has no ring, and so no scaffold"
            )
        object.__setattr__(self, "_scaffold", scaffold)

    @property
    def probe(self) -> ScaffoldProbe:
        """The probe by which a worker compares the scaffolds."""
        return ScaffoldProbe(self._scaffold, self.generic)  # type: ignore[attr-defined]


def _check_pattern(setting: str, smarts: str) -> None:
    with rdBase.BlockLogs():
        pattern = Chem.MolFromSmarts(smarts) if isinstance(smarts, str) else None
    if pattern is None or not pattern.GetNumAtoms():
        raise ValueError(f"{setting} must be a SMARTS, not {smarts!r}")


def _read_patterns(path: str) -> tuple[str, ...]:
    """Return the SMARTS of a file of alerts.

    Raises:
        ValueError: the file cannot be read, or a line has no SMARTS.
    """
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"Alerts.file {path!r} cannot be read: {error}") from error
    patterns = []
    for number, line in enumerate(lines, start=1):
        if line.strip() and not line.startswith("#"):
            _check_pattern(f"Alerts.file {path!r} line {number}", line.split()[0])
            patterns.append(line.split()[0])
    return tuple(patterns)
