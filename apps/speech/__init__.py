"""Speech: from a recording to the word or the sound in it."""
