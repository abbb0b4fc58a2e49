"""The suffixes of recordings that libsndfile reads. Imports nothing, since command lines need them."""

SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au")
