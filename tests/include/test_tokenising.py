"""Tokenising word by word gives the ids of whole texts, whatever is in them."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from jobs_kit import load
from transformers import AutoTokenizer

ODD = [
    "",
    " ",
    "   two   spaces   ",
    "tab\tand\nnew line\r\n and\u00a0no-break",
    "[SEP] in [MASK] the text [CLS]",
    "it's \"quoted\", isn't it?! (yes...)",
    "Ünïcödé naïve Å\u030a e\u0301 \u0301 alone",
    "שלום עולם مرحبا 😀👍🏽 你好 世界",
    "zero\u200bwidth \x1c control \x00 nul",
    "x" * 300,
    "a " * 200,
]


def test_words_give_the_ids_of_whole_texts(tiny_bert: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_bert)
    random = Random(3)
    characters = [
        *"abcdefgh'.,!-",
        " ",
        "  ",
        "\t",
        "\n",
        "é",
        "\u0301",
        "字",
        "😀",
        "ß",
        "İ",
        "\u200d",
        "\x85",
        "dress",
        "[SEP]",
    ]
    texts = ODD + ["".join(random.choices(characters, k=random.randint(0, 120))) for _ in range(2000)]
    expected = [tokenizer.encode(text, truncation=True, max_length=48) for text in texts]
    ids_of = load("features", "tokenising").token_ids(tokenizer, 48)
    assert type(ids_of).__name__ == "Words"
    assert [ids_of([text]).to_pylist()[0] for text in ODD] == expected[: len(ODD)]
    assert ids_of(texts).to_pylist() == expected
    assert ids_of([]).to_pylist() == []


def test_more_words_than_are_remembered_change_nothing(tiny_bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = load("features", "tokenising")
    monkeypatch.setattr(module, "MOST_WORDS", 3)
    tokenizer = AutoTokenizer.from_pretrained(tiny_bert)
    ids_of = module.token_ids(tokenizer, 48)
    texts = ["the dress i wore", "i ordered a top with the dress", "awful cheap fit", "the dress i wore"]
    for text in texts:
        assert ids_of([text]).to_pylist() == [tokenizer.encode(text)]


def test_a_byte_level_tokenizer_gets_whole_texts(tiny_roberta: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_roberta)
    ids_of = load("features", "tokenising").token_ids(tokenizer, 48)
    assert type(ids_of).__name__ == "WholeTexts"
    texts = [text for text in ODD if text]
    assert ids_of(texts).to_pylist() == [tokenizer.encode(text, truncation=True, max_length=48) for text in texts]
