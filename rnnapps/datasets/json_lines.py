"""JSON lines: an object on each line."""

from __future__ import annotations

import json
from typing import Any

SUFFIXES = (".jsonl", ".json", ".ndjson")


def parsed(text: str) -> tuple[dict[str, Any] | None, str]:
    """The object on a line, or what is wrong with it.

    Example:
        >>> parsed('{"text": "good"}')
        ({'text': 'good'}, '')
        >>> parsed("[1]")
        (None, 'not a JSON object')
    """
    try:
        value = json.loads(text, object_pairs_hook=_without_repeats)
        if "\\ud" in text or "\\uD" in text:  # perhaps half of a surrogate pair, which UTF-8 cannot hold
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        return None, f"not JSON ({error})"
    return (value, "") if isinstance(value, dict) else (None, "not a JSON object")


def not_lines(head: str) -> str:
    """What to say of a file that is JSON but not JSON lines; "" if it may be JSON lines.

    Args:
        head: The beginning of the file.

    Example:
        >>> not_lines('[{"text": "good"}, {"text": "bad"}]')
        'the file is a JSON array; write one object per line (jq -c ".[]" does so)'
    """
    head = head.lstrip()
    first, _, rest = head.partition("\n")
    try:
        alone = json.loads(first)
    except (ValueError, RecursionError):
        alone = None
    if head.startswith("[") and (alone is None or not rest.strip()):
        return 'the file is a JSON array; write one object per line (jq -c ".[]" does so)'
    if head.startswith("{") and alone is None:
        try:
            _, end = json.JSONDecoder().raw_decode(head)
        except (ValueError, RecursionError):
            return ""
        if end > len(first):
            return 'a JSON object takes several lines; write one object per line (jq -c "." does so)'
    return ""


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)!r} appears twice")
    return values
