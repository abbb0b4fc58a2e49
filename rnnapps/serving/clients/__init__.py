"""Clients of TensorFlow Serving over REST and gRPC, without TensorFlow in the process."""
