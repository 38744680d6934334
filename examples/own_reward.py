"""A molecule reward of your own: many sp3 carbons, and drug-like. Run with examples/own_reward.gin."""

from rdkit import Chem
from rdkit.Chem import QED, rdMolDescriptors


def score(smiles: list[str]) -> list[float]:
    """Return the reward of each valid molecule, above 0, which is the reward of an invalid string."""
    molecules = [Chem.MolFromSmiles(one) for one in smiles]
    return [5 + 5 * rdMolDescriptors.CalcFractionCSP3(m) + 5 * QED.qed(m) for m in molecules]
