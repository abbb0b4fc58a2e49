"""The check of an export in a process that has TensorFlow but neither Keras nor rnnapps.

The modules import only each other, relatively: that process cannot import anything else of this package.
"""
