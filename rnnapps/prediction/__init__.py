"""Answers for whole files: rows in, rows out, rejects and resume; the same on Apache Beam. Imports no TensorFlow."""
