"""Fixtures that several rooms' tests share."""

from tests.serving.served_model import model_folder, server, url  # noqa: F401
