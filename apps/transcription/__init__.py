"""Transcription: from recordings to text."""
