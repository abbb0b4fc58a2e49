"""Translation: an attention encoder-decoder over subwords, with beam search inside the export."""
