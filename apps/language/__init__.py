"""Language models: text generation, autocomplete and scoring."""
