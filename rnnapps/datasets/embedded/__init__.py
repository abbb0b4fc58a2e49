"""Data sets made on this machine, or read from an installed package: no download."""
