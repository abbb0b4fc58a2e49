"""Answers for whole files: rows in, rows out, with rejects and resuming; also on Apache Beam. Imports no TensorFlow."""
