"""One folder a task; each is a command line on top of `rnnapps`."""
