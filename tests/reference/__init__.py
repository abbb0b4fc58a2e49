"""The recurrent networks' equations in NumPy float64, forwards and backwards through time, to test against."""
