"""Outputs that the page shows as HTML of its own: coloured words, tables and notices. Every text is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

STYLE = """
.gradio-container { width: 100% !important; max-width: 1080px !important; margin: 0 auto !important; }
.words { line-height: 2.1; overflow-wrap: anywhere; white-space: pre-wrap; font-size: 1.05rem; }
.words mark { color: inherit; border-radius: 4px; padding: 2px 1px; }
.words mark.against { border-bottom: 2px dotted #d1495b; }
.prose .label { margin-top: 0 !important; font-size: 0.85rem; opacity: 0.8; margin: 0 0 0.5rem; }
.figure { gap: 0 !important; }
.choices { gap: 8px !important; }
.examples { font-size: 0.85rem; opacity: 0.8; margin: 0; }
.notices:not(:has(.notice)) { display: none !important; }
.key { font-size: 0.85rem; opacity: 0.85; margin-top: 0.6rem; }
.key mark { color: inherit; border-radius: 4px; padding: 1px 6px; }
.rows { overflow-x: auto; }
.rows table { border-collapse: collapse; width: 100%; border: 0 !important; }
.rows th, .rows td { text-align: left; padding: 4px 10px 4px 0 !important; border: 0 !important; }
.rows tr { border-bottom: 1px solid #8884 !important; border-width: 0 0 1px !important; }
.rows td { overflow-wrap: break-word; }
.notice { border-left: 4px solid #d1495b; padding: 0.5rem 0.8rem; margin: 0; overflow-wrap: anywhere; }
.heading h1 { font-size: 1.5rem; font-weight: 600; margin: 0.6rem 0 0.2rem; overflow-wrap: anywhere; }
.heading p { margin: 0; overflow-wrap: anywhere; }
.example { white-space: normal !important; text-align: left !important; justify-content: flex-start !important; }
button:focus-visible { outline: 3px solid #2563eb !important; outline-offset: 2px; }
"""
_FOR, _AGAINST = "46, 125, 80", "209, 73, 91"  # red, green, blue
_FAINTEST = 0.1  # weights below it get no colour


def coloured_words(words: Sequence[tuple[str, float]]) -> str:
    """Pieces of a text on the colour of their weights, from -1 to 1, and what the colours mean.

    Example:
        >>> coloured_words([("<a> ", 0.0), ("fine ", 0.5)]).partition("fine")[0]
        '<div class="words">&lt;a&gt; <mark class="for" style="background: rgba(46, 125, 80, 0.35)" title="+0.50">'
    """
    marked = "".join(_marked(piece, weight) for piece, weight in words)
    key = (
        f'<p class="key"><mark style="background: rgba({_FOR}, 0.5)">for</mark> and '
        f'<mark class="against" style="background: rgba({_AGAINST}, 0.5)">against</mark> the answer</p>'
    )
    return f'<div class="words">{marked}</div>{key}' if words else ""


def _marked(piece: str, weight: float) -> str:
    if abs(weight) < _FAINTEST:
        return escape(piece)
    side, colour = ("for", _FOR) if weight > 0 else ("against", _AGAINST)
    background = f"rgba({colour}, {0.7 * min(abs(weight), 1):.2f})"
    before, words, after = piece.partition(piece.strip())
    marked = f'<mark class="{side}" style="background: {background}" title="{weight:+.2f}">{escape(words)}</mark>'
    return before + marked + after


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table with a heading for each column; nothing where there are no rows."""
    if not rows:
        return ""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in columns)
    body = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="rows" tabindex="0"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def labelled(label: str, content: str) -> str:
    """Content below its label."""
    return f'<p class="label">{escape(label)}</p>{content}'


def notice(message: str) -> str:
    """A sentence that says what went wrong; nothing if all went well."""
    return f'<p class="notice" role="alert">{escape(message)}</p>' if message else ""


def heading(title: str, summary: str) -> str:
    """The title of a page, and the sentences below it."""
    return f"<h1>{escape(title)}</h1><p>{escape(summary)}</p>"
