"""Melodies: encoding, rules, reward, metrics and rendering."""
