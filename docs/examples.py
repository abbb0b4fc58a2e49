"""For the site: a section "Example:" of a docstring, as Keras writes it, is one of examples."""

import re
from typing import Any

import griffe


class Examples(griffe.Extension):
    """Gives the section the name that Griffe knows."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        if obj.docstring:
            obj.docstring.value = re.sub(r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE)
