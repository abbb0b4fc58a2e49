"""What is asked of an export in a process that has TensorFlow and neither Keras nor rnnapps.

The parts import each other relatively and nothing else of ours: that process knows this folder alone.
"""
