"""What the molecule pipeline can be asked for."""

import dataclasses

from pipelines.settings import DatasetSettings, setting
from rl_tuner.common.errors import UserError
from rl_tuner.tasks.molecule import tokens

SPLITTINGS = ("random", "scaffold")
ORGANIC_ELEMENTS = ("H", "B", "C", "N", "O", "F", "Si", "P", "S", "Cl", "Br", "I")


@dataclasses.dataclass(frozen=True, kw_only=True)
class MoleculeSettings(DatasetSettings):
    """The settings of `build_molecule_dataset`.

    Salts are stripped by default and charges kept: a counter-ion is a matter of the bottle that the
    molecule came in, while a charge may belong to the molecule, and collections made for docking,
    such as ZINC, have chosen theirs with care.

    Raises:
        UserError: if a value is invalid.
    """

    column: str = setting(
        "",
        "The column of SMILES in .csv and .tsv files, by its name or, without a header, its number;"
        " by default the one called smiles or much like it.",
    )
    representation: str = setting(
        "atom",
        "What a token is: an atom or a bond, one character, or a SELFIES symbol.",
        choices=tokens.REPRESENTATIONS,
    )
    strip_salts: bool = setting(
        True,
        "Keep only the fragment that the substance is named for: not a usual counter-ion or solvent,"
        " organic, with most heavy atoms.",
    )
    neutralise: bool = setting(
        False, "Take charges away where adding or removing hydrogen does it."
    )
    keep_stereo: bool = setting(True, "Keep stereochemistry.")
    keep_isotopes: bool = setting(True, "Keep isotopes: [2H] and [13C] stay what they are.")
    merge_tautomers: bool = setting(
        False, "Write tautomers as one molecule, RDKit's canonical tautomer; slow."
    )
    min_length: int = setting(
        1, "Reject molecules of fewer tokens, the end token not counted.", least=1
    )
    max_length: int = setting(
        120, "Reject molecules of more tokens; longer random spellings are left out.", least=1
    )
    min_heavy_atoms: int = setting(1, "Reject molecules of fewer heavy atoms.", least=0)
    max_heavy_atoms: int = setting(
        0, "Reject molecules of more heavy atoms; 0 for no limit.", least=0
    )
    elements: tuple[str, ...] = setting(ORGANIC_ELEMENTS, "Reject molecules with other elements.")
    min_token_count: int = setting(
        1,
        "Minimum number of training molecules in which a token must occur. Training molecules that"
        " contain a rarer token are rejected; random spellings that contain one are left out.",
        least=1,
    )
    augment: int = setting(
        0, "Random spellings of each training molecule beside the canonical one.", least=0
    )
    seed: int = setting(0, "Seed of the random spellings (augment).", least=0)
    split: str = setting(
        "random",
        "How to split: 'random' assigns each molecule independently; 'scaffold' keeps all molecules"
        " with the same Bemis-Murcko scaffold in one split.",
        choices=SPLITTINGS,
    )
    property_histograms: bool = setting(
        True, "Describe the training molecules' properties: nearly half of the work."
    )
    timeout_seconds: float = setting(30.0, "The time limit of one molecule.", above=0)
    max_file_mb: float = setting(1024.0, "Reject files that are larger, once unpacked.", above=0)
    worker_memory_mb: int = setting(
        4096, "The address space of a worker in MiB; 0 for no limit.", least=0, cosmetic=True
    )

    def __post_init__(self) -> None:
        """Check what depends on several settings, or on the periodic table."""
        super().__post_init__()
        given = {self.elements} if isinstance(self.elements, str) else set(self.elements)
        object.__setattr__(self, "elements", tuple(sorted(given)))
        tokens.check_representation(self.representation)
        for what in ("length", "heavy_atoms"):
            least, most = getattr(self, f"min_{what}"), getattr(self, f"max_{what}")
            if 0 < most < least:
                raise UserError(f"min_{what} = {least} and max_{what} = {most} leave no molecule")
        _check_elements(self.elements)


def _check_elements(elements: tuple[str, ...]) -> None:
    from rdkit import Chem

    table = Chem.GetPeriodicTable()
    known = {table.GetElementSymbol(number) for number in range(1, 119)}
    if unknown := set(elements) - known:
        wrong = ", ".join(sorted(unknown))
        raise UserError(f"elements must be symbols such as C or Cl, not {wrong}")
    if not elements:
        raise UserError("elements must be symbols such as C or Cl, not nothing")
