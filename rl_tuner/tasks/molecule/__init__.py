"""Molecules: strings such as SMILES, rewarded for the properties of their molecules."""
