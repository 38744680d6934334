"""Molecules: SMILES strings, rewarded for the properties of what they spell."""
