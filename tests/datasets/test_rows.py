"""The reader of rows: what it reads, and what a damaged file costs."""

import csv
import gzip
import io
import itertools
import json
import sys

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rnnapps.datasets import DataError, lines
from rnnapps.datasets.lines import START
from rnnapps.datasets.rows import open_rows, rows_of

NUL_IS_TEXT = sys.version_info >= (3, 11)  # Python's csv module refuses it before
QUICK = settings(max_examples=80, deadline=None)


def rows(content, columns="text", name="in.csv", quoting="standard"):
    """The rows of a file with this content."""
    content = content.encode() if isinstance(content, str) else content
    return list(rows_of(io.BytesIO(content), name, columns, quoting=quoting))


def texts(content, column="text", **kwargs):
    return [row.values[column] for row in rows(content, **kwargs) if row.values is not None]


def bad(content, **kwargs):
    return {row.line: row.problem for row in rows(content, **kwargs) if row.values is None}


def written(table, delimiter, line_end, quoting=csv.QUOTE_MINIMAL):
    file = io.StringIO()
    csv.writer(file, delimiter=delimiter, lineterminator=line_end, quoting=quoting).writerows(table)
    return file.getvalue()


fields = st.text(
    st.one_of(st.sampled_from(' ",\t\n\r;aé"'), st.characters(exclude_categories=["Cs"])).filter(
        lambda character: NUL_IS_TEXT or character != "\0"
    ),
    max_size=12,
)
tables = st.integers(1, 4).flatmap(lambda width: st.lists(st.lists(fields, min_size=width, max_size=width), max_size=8))
dialects = st.tuples(st.sampled_from([",", "\t"]), st.sampled_from(["\n", "\r\n"]), st.booleans())


def names_of(width):
    return [f"column {number}" for number in range(width)]


@QUICK
@given(tables, dialects, st.booleans())
def test_any_table_that_csv_writes_comes_back(table, dialect, byte_order_mark):
    delimiter, line_end, quote_all = dialect
    # Python before 3.13 leaves this without quotes, so that it looks like the end of the line.
    assume(quote_all or line_end != "\n" or not any(row[-1].endswith("\r") for row in table))
    width = len(table[0]) if table else 1
    quoting = csv.QUOTE_ALL if quote_all else csv.QUOTE_MINIMAL
    content = written([names_of(width), *table], delimiter, line_end, quoting)
    name = "in.csv" if delimiter == "," else "in.tsv"
    content = content.encode("utf-8-sig" if byte_order_mark else "utf-8")
    assume(content.count(0) * 3 <= len(content))  # with more NUL bytes it is taken for UTF-16
    assert [list(row.values.values()) for row in rows(content, "column 0", name)] == table


@QUICK
@given(st.lists(st.lists(fields.filter(lambda text: "\n" not in text), min_size=2, max_size=2), min_size=1, max_size=8))
def test_an_old_macintosh_table_comes_back(table):
    content = written([names_of(2), *table], ",", "\r", csv.QUOTE_ALL).encode()
    assume(content.count(0) * 3 <= len(content))
    assert [list(row.values.values()) for row in rows(content, "column 0")] == table


JUNK = st.sampled_from(
    ['"', '"x', 'x"', '"x" y,z', 'a,"b', 'a,"b" c', '""", x', "\xff".encode("latin-1"), "one", "one,two,three", '"" "']
)


@QUICK
@given(st.lists(st.sampled_from(["plain", "two, words", 'a "quote" within', "größe"]), max_size=12), st.data())
def test_a_damaged_line_costs_at_most_itself(contents, data):
    """Whatever one line holds, all rows of other lines come back."""
    place = data.draw(st.integers(0, len(contents)))
    junk = data.draw(JUNK)
    good = [written([[text, "label"]], ",", "\n").encode() for text in contents]
    line = (junk if isinstance(junk, bytes) else junk.encode()) + b"\n"
    found = rows(b"text,label\n" + b"".join([*good[:place], line, *good[place:]]))
    read = [row.values["text"] for row in found if row.values is not None and row.line != place + 2]
    assert read == contents
    assert len(found) <= len(contents) + 1


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("rows")


@QUICK
@given(
    pieces=st.lists(st.one_of(JUNK, st.sampled_from(["a,b", '"two\nlines",b', "", "ü,b", "\r"])), max_size=12),
    data=st.data(),
)
def test_reading_from_any_place_gives_the_same_rows(folder, pieces, data):
    end = data.draw(st.sampled_from([b"\n", b"\r\n", b"\r"]))
    content = end.join([b"text,label", *(piece if isinstance(piece, bytes) else piece.encode() for piece in pieces)])
    path = folder / "in.csv"
    path.write_bytes(content)
    try:
        opened = open_rows(path, "text")
    except DataError as error:  # of many lines with foreign bytes, which other tests are about
        assume("the file is not UTF-8" not in str(error))
        raise
    whole = list(opened.after(START))
    for number, row in enumerate(whole):
        again = list(opened.after(row.end))
        assert [found[:4] for found in again] == [found[:4] for found in whole[number + 1 :]]


def test_a_quote_that_is_never_closed_costs_its_line_and_says_so():
    quotes = ['"' * (number == 60) for number in range(600)]
    content = "text\tlabel\n" + "".join(f"{quote}text {number}\tpos\n" for number, quote in enumerate(quotes))
    assert texts(content, name="in.tsv") == [f"text {n}" for n in range(600) if n != 60]
    (problem,) = bad(content, name="in.tsv").values()
    assert "a quoted field is never closed; 1 line is skipped and reading continues at line 63" in problem
    assert "--quoting none" in problem
    assert len(texts(content, name="in.tsv", quoting="none")) == 600


@pytest.mark.parametrize(
    "content, good, lost",
    [
        ('text\tlabel\nA\tp\n"Second\tn\nThird "one"\tp\nD\tn\n', ["A", 'Third "one"', "D"], [3]),
        ('text\tlabel\nA\tp\n"Lorem Ipsum" dolor\tn\nC\tp\n', ["A", "C"], [3]),
        ('label\ttext\np\t"open\nn\tB\np\tC\n', ["B", "C"], [2]),
        ('text\tlabel\n"first\tp\nB\tn\n', ["B"], [2]),
        ('text\tlabel\nA\tp\n"last\tp', ["A"], [3]),
        ('text\tlabel\n"a" x\tp\n"b" y\tp\nC\tp\n', ["C"], [2, 3]),
    ],
)
def test_a_stray_quote_costs_no_neighbour(content, good, lost):
    assert texts(content, name="in.tsv") == good
    assert list(bad(content, name="in.tsv")) == lost
    comma = content.replace("\t", ",")
    assert texts(comma) == good and list(bad(comma)) == lost


def swallowing(first, last, *, label_first, delimiter):
    """600 rows in which a quote opens in one and closes in another."""
    table = []
    for number in range(600):
        text = '"' * (number == first) + f"some text {number}" + '"' * (number == last)
        label = ("pos", "neg")[number % 2]
        table.append(delimiter.join((label, text) if label_first else (text, label)))
    header = delimiter.join(("label", "text") if label_first else ("text", "label"))
    return "\n".join([header, *table]) + "\n"


@pytest.mark.parametrize("first, last", [(60, 560), (60, 61), (0, 599), (598, 599)])
@pytest.mark.parametrize("label_first", [True, False])
@pytest.mark.parametrize("name, delimiter", [("in.tsv", "\t"), ("in.csv", ",")])
def test_rows_within_a_quoted_field_are_warned_of(first, last, label_first, name, delimiter):
    content = swallowing(first, last, label_first=label_first, delimiter=delimiter)
    found = rows(content, name=name)
    (warning,) = [row.warning for row in found if row.warning]
    assert f"lines {first + 2} to {last + 2} are one row" in warning and "--quoting none" in warning
    assert len(rows(content, name=name, quoting="none")) == 600


def test_honest_texts_of_several_lines_are_not_warned_of():
    texts = ["Well, it\nwas good", "One, two\nthree, four\nfive, six", "a\n\nb", "No, never,\nnot at all", "x,\ny,\nz,"]
    table = [[texts[number % 5], ("good", "bad")[number % 2], str(number)] for number in range(50)]
    for columns in itertools.permutations(range(3)):
        content = written([[row[column] for column in columns] for row in [["text", "label", "id"], *table]], ",", "\n")
        found = rows(content)
        assert len(found) == 50 and not any(row.warning for row in found)
        two = written(
            [[row[column] for column in columns if column < 2] for row in [["text", "label", ""], *table]], ",", "\n"
        )
        assert not any(row.warning for row in rows(two))


@pytest.mark.parametrize("name", ["in.csv", "in.tsv", "in.jsonl", "in.txt"])
@pytest.mark.parametrize("end", ["\r", "\r\n", "\n"])
def test_all_line_ends_are_read_in_all_formats(name, end):
    lines = {
        "in.csv": ["text,label", "Good,pos", '"two, words",neg'],
        "in.tsv": ["text\tlabel", "Good\tpos", "two, words\tneg"],
        "in.jsonl": ['{"text": "Good"}', '{"text": "two, words"}'],
        "in.txt": ["Good", "two, words"],
    }[name]
    for last in ("", end):
        found = rows(end.join(lines) + last, name=name)
        assert [row.values["text"] for row in found] == ["Good", "two, words"]
        assert [row.line for row in found] == list(range(len(lines) - 1, len(lines) + 1))


def test_a_carriage_return_within_a_field_is_text_where_lines_end_otherwise():
    assert texts("text,label\na\rb,pos\nc,neg\n") == ["a\rb", "c"]
    assert texts('text,label\r\n"a\rb",pos\r\nc,neg\r\n') == ["a\rb", "c"]


@pytest.mark.parametrize("name", ["in.csv", "in.tsv"])
def test_a_column_that_is_there_twice_is_named(name):
    delimiter = "," if name == "in.csv" else "\t"
    with pytest.raises(DataError, match="two columns of the header are called 'label'; rename one"):
        rows(delimiter.join(["text", "label", " label"]) + "\n", name=name)
    with pytest.raises(DataError, match="two columns of the header have no name"):
        rows(delimiter.join(["text", "", ""]) + "\n", name=name)
    assert bad('{"text": "a", "text": "b"}\n{"text": "c"}', name="in.jsonl") == {
        1: "not JSON (the key 'text' appears twice)"
    }


def test_objects_without_a_column_are_rows_of_others_that_have_it():
    content = '{"id": 1}\n{"text": "Good", "label": 1}\n{"text": "Bad"}\n'
    assert [row.values for row in rows(content, ("text", "label"), "in.jsonl")] == [
        {"id": 1},
        {"text": "Good", "label": 1},
        {"text": "Bad"},
    ]
    with pytest.raises(DataError, match="there is no column 'stars'; the columns are 'id', 'text', 'label'"):
        rows(content, ("text", "stars"), "in.jsonl")


@pytest.mark.parametrize(
    "name, content, message",
    [
        (
            "in.json",
            '[\n  {\n "text": "Good"},\n  {"text": "Bad"}\n]\n',
            "the file is a JSON array; write one object per line",
        ),
        ("in.jsonl", '[{"text": "Good"}, {"text": "Bad"}]', "the file is a JSON array"),
        ("in.json", '\n  [{"text": "Good"},\n{"text": "Bad"}]', "the file is a JSON array"),
        ("in.json", '{\n  "text": "Good"\n}\n{\n  "text": "Bad"\n}\n', "a JSON object takes several lines"),
        ("in.csv", "text;label\nGood;pos\n", "separated by semicolons, not by commas; write the file with commas"),
        ("in.csv", "text\tlabel\nGood\tpos\n", "separated by tabs, not by commas; rename it to end in .tsv"),
        ("in.tsv", "text,label\nGood,pos\n", "separated by commas, not by tabs; rename it to end in .csv"),
        ("in.csv", "text|label\nGood|pos\n", "separated by vertical bars"),
        ("in.csv", "text;label;a, b\nGood;pos;1\n", "separated by semicolons"),
        (
            "in.csv",
            "text,label\nCafé was good,pos\nBad,neg\n".encode("cp1252"),
            "line 2 has the byte 0xe9, which is 'é'",
        ),
        ("in.jsonl", '{"text": "Café", "label": 1}\n'.encode("latin-1"), "the file is not UTF-8: line 1"),
        ("in.tsv", ("text\tlabel\n" + "plain\tpos\n" * 90 + "schön\tpos\n" * 9).encode("cp1252"), "not UTF-8: line 92"),
        ("in.csv", "text,label\nдобро,pos\nзло,neg\n".encode("cp1251"), "the file is not UTF-8"),
        ("in.csv", "text,label\n良い,pos\n悪い,neg\n".encode("shift_jis"), "the file is not UTF-8"),
        ("in.csv", "text,label\nGood,pos\n".encode("utf-16"), "the file is UTF-16; save it as UTF-8"),
        ("in.csv", gzip.compress(b"text,label\nGood,pos\n", mtime=0), "the file is compressed (gzip); unpack it first"),
        ("in.csv", "text,label\nGood,pos\n".encode("utf-16-le"), "the file is UTF-16; save it as UTF-8"),
        ("in.csv", "", "no header: the file is empty"),
        ("in.csv", '"text,label\nGood,pos\n', "in.csv:1: the header cannot be read: a quoted field is never closed"),
    ],
)
def test_a_file_of_another_format_is_told_so_with_the_fix(name, content, message):
    with pytest.raises(DataError) as error:
        rows(content, ("text", "label"), name)
    assert message in str(error.value) and str(error.value).startswith(name)
    assert "\n" not in str(error.value)


def test_single_rows_that_are_not_utf_8_are_bad_rows():
    content = "text,label\n" + "größe,pos\n" * 3
    content = content.encode() + b'caf\xe9,pos\n"two\nlin\xe9s",neg\nfine,pos\n'
    assert texts(content)[-1] == "fine"
    assert bad(content) == {
        5: "not UTF-8 (byte 0xe9, which is 'é' in Windows-1252)",
        6: "not UTF-8 (byte 0xe9, which is 'é' in Windows-1252)",
    }


def test_a_record_too_long_for_memory_is_a_bad_row(monkeypatch):
    monkeypatch.setattr(lines, "LONGEST_LINE", 1000)
    content = (
        "text,label\na,pos\n"
        + '"'
        + "x" * 400
        + "\n"
        + ("y" * 400 + "\n") * 3
        + '",pos\n'
        + "z" * 2000
        + ",pos\nb,neg\n"
    )
    assert [text for text in texts(content) if len(text) < 9] == ["a", "b"]
    assert {3: "longer than 0 MiB", 8: "longer than 0 MiB"}.items() <= bad(content).items()


def test_quoting_none_takes_quotes_as_they_are():
    content = 'text\tlabel\n"Hi," she said\tpos\n\nan " inch\tneg\nthree\tfields\there\n'
    found = rows(content, name="in.tsv", quoting="none")
    assert [row.values and row.values["text"] for row in found] == ['"Hi," she said', 'an " inch', None]
    assert [row.line for row in found] == [2, 4, 5]


def test_several_columns_may_be_asked_for(tmp_path):
    (path := tmp_path / "in.csv").write_text("a,b,c\n1,2,3\n")
    opened = open_rows(path, ("c", "a"))
    assert (opened.inputs, opened.columns) == (("c", "a"), ("a", "b", "c"))
    assert [row.values for row in opened.after(START)] == [{"a": "1", "b": "2", "c": "3"}]
    with pytest.raises(DataError, match="no column 'd'; the columns are 'a', 'b', 'c': name one with --d-column"):
        open_rows(path, ("a", "d"), {"a": "--a-column", "d": "--d-column"})
    with pytest.raises(DataError, match=r"a file with several columns must end in \.csv"):
        open_rows(path.rename(tmp_path / "in.txt"), ("a", "b"))


def test_json_keeps_its_types_and_refuses_what_is_none():
    content = "\n".join(
        [
            '{"text": "a", "n": [1, {"b": null}]}',
            "null",
            "[1]",
            '{"text": "\\ud800"}',
            '{"text": "\\ud83c\\udfac"}',
            "{",
        ]
    )
    found = rows(content, name="in.jsonl")
    assert found[0].values == {"text": "a", "n": [1, {"b": None}]}
    assert found[4].values == {"text": "🎬"}
    assert [row.line for row in found if row.values is None] == [2, 3, 4, 6]
    assert json.loads(json.dumps(found[0].values)) == found[0].values
