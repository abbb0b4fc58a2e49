import datetime
import hashlib
import itertools
import random
import sys

import babel.dates
import pytest

from rnnapps.datasets import PairSource, load_splits
from rnnapps.datasets.embedded import expression_words
from rnnapps.datasets.embedded.expression_phrases import groups
from rnnapps.datasets.embedded.expressions import LANGUAGES, Expressions, generate
from rnnapps.errors import UserError


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("tfds")


PAIRS = {  # SHA-256 of the first 2,000 pairs: figures in the README are worth something only if these never change
    "de": "8a3a2f6038a0e2e2769e28ac0aa41db20382786cf78da5f6d27c27f5b685684f",
    "fr": "efe86da17995743a9d6e4ba99ae364450e8688041f5442dc2b67bc20c1959bb1",
    "es": "7801f1340f631918956f0a6d605735aa39468407dcaf8f672540f91669831626",
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_pairs_never_change(language):
    lines = (f"{source}\t{target}\n" for source, target in itertools.islice(generate(language), 2_000))
    assert hashlib.sha256("".join(lines).encode()).hexdigest() == PAIRS[language]


def test_the_splits_share_no_source(data_dir):
    parts = list(load_splits(PairSource(dataset="expressions", data_dir=data_dir)).values())
    assert [len(pairs.sources) for pairs in parts] == [18_000, 1_000, 1_000]
    assert len({source for pairs in parts for source in pairs.sources}) == 20_000
    assert all(pairs.languages == ("en", "de") and not pairs.rejected for pairs in parts)
    known = dict(itertools.islice(generate("de"), 20_000))
    for pairs in parts:
        for source, target in zip(pairs.sources, pairs.targets, strict=True):
            assert known[source.decode()] == target.decode()


def test_it_is_made_once(data_dir, monkeypatch):
    load_splits(PairSource(dataset="expressions", data_dir=data_dir), ["test"])
    monkeypatch.setattr(Expressions, "_split_generators", lambda *_: pytest.fail("made again"))
    assert len(load_splits(PairSource(dataset="expressions/en-de", data_dir=data_dir), ["test"])["test"]) == 1_000


def test_no_source_has_two_translations():
    draw, known = random.Random(1), {}
    for _ in range(5_000):
        group = draw.choice(groups())
        phrase, thing = draw.choice(group.phrases), group.draw(draw)
        told = [text.format(**thing(language)) for text, language in zip(phrase, ("en", *LANGUAGES), strict=True)]
        assert known.setdefault(told[0], told) == told
        assert not any(space in text for text in told for space in ("\xa0", "\u202f", "  ", "{"))


def test_the_same_seed_gives_the_same_english_in_all_languages():
    english = [[source for source, _ in itertools.islice(generate(code, seed=4), 300)] for code in LANGUAGES]
    assert english[0] == english[1] == english[2]
    assert list(itertools.islice(generate("fr", seed=4), 300)) == list(itertools.islice(generate("fr", seed=4), 300))
    assert english[0] != [source for source, _ in itertools.islice(generate("de", seed=5), 300)]


def test_numbers_and_dates_of_the_test_split_are_mostly_new(data_dir):
    splits = load_splits(PairSource(dataset="expressions", data_dir=data_dir), ["train", "test"])
    known = set(splits["train"].targets)
    assert sum(target in known for target in splits["test"].targets) < 100


@pytest.mark.parametrize("language", ["en", *LANGUAGES])
def test_days_are_those_of_cldr(language):
    for date in (datetime.date(1987, 12, 21), datetime.date(2031, 3, 9)):
        assert expression_words.day(date, language, year=True) == babel.dates.format_date(date, "long", language)
        comma = " " if language == "fr" else ", "
        full = expression_words.day(date, language, year=True, weekday=comma)
        assert full == babel.dates.format_date(date, "full", language)


@pytest.mark.parametrize(
    "told, expected",
    [
        (expression_words.cardinal(21_021, "es"), "veintiún mil veintiuno"),
        (expression_words.cardinal(451_544, "es"), "cuatrocientos cincuenta y un mil quinientos cuarenta y cuatro"),
        (expression_words.cardinal(80_080, "fr"), "quatre-vingt mille quatre-vingts"),
        (expression_words.cardinal(2.5, "es"), "dos coma cinco"),
        (expression_words.counted(521, "es", feminine=True), "quinientas veintiuna"),
        (expression_words.counted(31, "es", feminine=False), "treinta y un"),
        (expression_words.counted(21, "fr", feminine=True), "vingt et une"),
        (expression_words.counted(71, "fr", feminine=True), "soixante et onze"),
        (expression_words.counted(1, "de", feminine=True), "eine"),
        (expression_words.ordinal(80, "fr", feminine=False), "quatre-vingtième"),
        (expression_words.ordinal(3, "es", feminine=False), "tercer"),
        (expression_words.ordinal_figures(13, "es", feminine=False), "13.º"),
        (expression_words.figures(1234.5, "es"), "1234,5"),
        (expression_words.figures(12345, "es"), "12.345"),
        (expression_words.figures(12345, "fr"), "12 345"),
        (expression_words.price(1234.5, "USD", "de"), "1.234,50 $"),
        (expression_words.price(20, "GBP", "en"), "£20"),
        (expression_words.measure_words(21, "duration-hour", "es"), "veintiuna horas"),
        (expression_words.day(datetime.date(2031, 3, 1), "fr", year=False), "1er mars"),
    ],
)
def test_a_careful_writer_would_agree(told, expected):
    assert told == expected


def test_a_missing_package_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "num2words", None)
    with pytest.raises(UserError, match=r'needs the package num2words: pip install "rnnapps\[demo\]"'):
        next(generate("de"))
