"""The log-probability of what cannot be."""

IMPOSSIBLE = -1e30  # not -inf, whose differences are not numbers
