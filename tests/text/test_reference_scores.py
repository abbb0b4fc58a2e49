"""BLEU and chrF with several references, beside calls of sacreBLEU by hand."""

import pytest
import sacrebleu

from rnnapps.text.reference_scores import bleu, chrf

TEXTS = ["the cat sat on the mat", "a dog ran down the long road", "nobody came to the small party"]
FIRST = ["the cat sat on a mat", "the dog ran along the long road", "nobody came to the party"]
SECOND = ["there is a cat on the mat", None, "no one came to the small party"]


def test_scores_are_those_of_sacrebleu():
    one = [[reference] for reference in FIRST]
    assert bleu(TEXTS, one, "video").score == sacrebleu.corpus_bleu(TEXTS, [FIRST]).score
    assert chrf(TEXTS, one, "video").score == sacrebleu.corpus_chrf(TEXTS, [FIRST]).score
    several = [[text for text in texts if text] for texts in zip(FIRST, SECOND, strict=True)]
    score, signature = bleu(TEXTS, several, "video")
    assert score == sacrebleu.corpus_bleu(TEXTS, [FIRST, SECOND]).score > bleu(TEXTS, one, "video").score
    assert "tok:13a" in signature and "case:mixed" in signature


def test_what_is_the_reference_word_for_word_is_best():
    assert bleu(TEXTS, [[text, "x"] for text in TEXTS], "video").score == pytest.approx(100)
