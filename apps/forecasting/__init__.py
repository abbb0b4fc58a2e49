"""Probabilistic forecasts of many time series."""
