"""Music: tunes in several voices, step by step."""
