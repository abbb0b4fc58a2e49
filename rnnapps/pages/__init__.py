"""Pages for trying a model in a browser: what a page declares, and the Gradio server that shows it (extra `try`)."""

from rnnapps.pages.page import (
    ChoiceInput,
    ColouredWords,
    Download,
    FileInput,
    NumberInput,
    Page,
    Part,
    Picture,
    Probabilities,
    SoundInput,
    SoundOutput,
    Table,
    TextInput,
    TextOutput,
    VideoOutput,
)

__all__ = [
    "ChoiceInput",
    "ColouredWords",
    "Download",
    "FileInput",
    "NumberInput",
    "Page",
    "Part",
    "Picture",
    "Probabilities",
    "SoundInput",
    "SoundOutput",
    "Table",
    "TextInput",
    "TextOutput",
    "VideoOutput",
]
