"""Settings of the molecule pipeline."""

import dataclasses

from pipelines.settings import SpreadSettings, setting
from rl_tuner.common.errors import UserError
from rl_tuner.tasks.molecule import tokens

SPLITTINGS = ("random", "scaffold")
ORGANIC_ELEMENTS = ("H", "B", "C", "N", "O", "F", "Si", "P", "S", "Cl", "Br", "I")


@dataclasses.dataclass(frozen=True, kw_only=True)
class MoleculeSettings(SpreadSettings):
    """The settings of `build_molecule_dataset`.

    By default salts are stripped, but charges are kept: a counter-ion is a property of the substance
    rather than of the molecule, while a charge may belong to the molecule, and collections made for
    docking, such as ZINC, have chosen their charges with care.

    Raises:
        UserError: if a value is invalid.
    """

    column: str = setting(
        "",
        "Name of the column of SMILES in .csv and .tsv files or, without a header, its number; by"
        " default a column named smiles or similar.",
    )
    representation: str = setting(
        "atom",
        "Kind of the tokens: 'atom' splits a SMILES string into atoms, bonds and other symbols,"
        " 'character' into characters; 'selfies' uses SELFIES symbols.",
        choices=tokens.REPRESENTATIONS,
    )
    strip_salts: bool = setting(
        True,
        "Keep only the main fragment: organic, not a usual counter-ion or solvent, with the most heavy"
        " atoms.",
    )
    neutralise: bool = setting(
        False, "Remove charges if adding or removing hydrogen can neutralise them."
    )
    keep_stereo: bool = setting(True, "Keep stereochemistry.")
    keep_isotopes: bool = setting(True, "Keep isotopes such as [2H] and [13C].")
    merge_tautomers: bool = setting(
        False, "Replace each molecule by RDKit's canonical tautomer; slow."
    )
    min_length: int = setting(
        1, "Minimum number of tokens of a molecule, without the end token.", least=1
    )
    max_length: int = setting(
        120,
        "Maximum number of tokens of a molecule, without the end token; longer random spellings are"
        " dropped.",
        least=1,
    )
    min_heavy_atoms: int = setting(1, "Minimum number of heavy atoms of a molecule.", least=0)
    max_heavy_atoms: int = setting(
        0, "Maximum number of heavy atoms of a molecule; 0 for no limit.", least=0
    )
    elements: tuple[str, ...] = setting(ORGANIC_ELEMENTS, "Reject molecules with other elements.")
    min_token_count: int = setting(
        1,
        "Minimum number of training molecules in which a token must occur. Training molecules that"
        " contain a rarer token are rejected; random spellings that contain one are dropped.",
        least=1,
    )
    augment: int = setting(
        0,
        "Number of random spellings of each training molecule in addition to the canonical one.",
        least=0,
    )
    seed: int = setting(0, "Seed of the random spellings (augment).", least=0)
    split: str = setting(
        "random",
        "How to split: 'random' assigns each molecule independently; 'scaffold' keeps all molecules"
        " with the same Bemis-Murcko scaffold in one split.",
        choices=SPLITTINGS,
    )
    property_histograms: bool = setting(
        True,
        "Add histograms of the training molecules' properties to dataset.json; this takes nearly half"
        " of the time.",
    )
    timeout_seconds: float = setting(30.0, "Time limit of one molecule, in seconds.", above=0)
    max_file_mb: float = setting(1024.0, "Maximum uncompressed size of a file, in MiB.", above=0)
    worker_memory_mb: int = setting(
        4096,
        "Limit on the address space of a worker, in MiB; 0 for no limit.",
        least=0,
        cosmetic=True,
    )

    def __post_init__(self) -> None:
        """Check combinations of settings, and the elements."""
        super().__post_init__()
        given = {self.elements} if isinstance(self.elements, str) else set(self.elements)
        object.__setattr__(self, "elements", tuple(sorted(given)))
        tokens.check_representation(self.representation)
        for what in ("length", "heavy_atoms"):
            least, most = getattr(self, f"min_{what}"), getattr(self, f"max_{what}")
            if 0 < most < least:
                raise UserError(f"min_{what} must be at most max_{what}, not {least} > {most}")
        _check_elements(self.elements)


def _check_elements(elements: tuple[str, ...]) -> None:
    from rdkit import Chem

    table = Chem.GetPeriodicTable()
    known = {table.GetElementSymbol(number) for number in range(1, 119)}
    if unknown := set(elements) - known:
        wrong = ", ".join(sorted(unknown))
        raise UserError(f"elements must be symbols such as C or Cl, not {wrong}")
    if not elements:
        raise UserError("elements must contain at least one symbol, such as C or Cl")
