"""Video: what happens in a clip, as a class or as a sentence."""
