"""Words to subtitles: length, lines, pauses and numbers, on made-up words."""

import itertools
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from rnnapps.apps.transcription.subtitles import subtitle_lines, subtitles

TIMED = st.lists(st.tuples(st.text("abc", min_size=1, max_size=50), st.floats(0, 2), st.floats(0.05, 3)), max_size=40)


@settings(max_examples=50, deadline=None)
@given(TIMED)
def test_no_word_is_lost_and_what_is_shown_can_be_read(timed):
    words, now = [], 0.0
    for word, pause, length in timed:
        words.append({"word": word, "start": now + pause, "end": now + pause + length})
        now = words[-1]["end"]
    found = list(subtitles(words))
    assert list(itertools.chain.from_iterable(found)) == words
    for subtitle in found:
        lines = list(subtitle_lines(1, subtitle))
        assert lines[-1] == "" and all(len(line) <= 42 for line in lines[2:])
        if len(subtitle) > 1:
            assert len(lines) <= 5 and subtitle[-1]["end"] - subtitle[0]["start"] <= 7
            assert all(other["start"] - one["end"] < 1 for one, other in itertools.pairwise(subtitle))


def test_times_are_hours_minutes_seconds_and_milliseconds():
    words = [{"word": "late", "start": 3661.0004, "end": 3661.9996}]
    assert list(subtitle_lines(12, words)) == ["12", "01:01:01,000 --> 01:01:02,000", "late", ""]
    assert re.fullmatch(
        r"00:00:00,250 --> 00:00:00,500", list(subtitle_lines(1, [words[0] | {"start": 0.25, "end": 0.5}]))[1]
    )
