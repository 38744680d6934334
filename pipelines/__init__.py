"""Pipelines that convert raw files (MIDI, ABC, MusicXML, SMILES) into TFRecords of integer sequences."""
