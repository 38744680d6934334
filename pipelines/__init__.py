"""Raw files (MIDI, ABC, MusicXML, SMILES) to TFRecords of integer sequences."""
