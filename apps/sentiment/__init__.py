"""Sentiment analysis: from a text to a label."""
