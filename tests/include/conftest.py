"""Tiny base models, and reviews that a tiny model can learn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from jobs_kit import cleaned, review, run, write_csv
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from training_kit import train
from transformers import (
    BertConfig,
    BertModel,
    BertTokenizer,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaModel,
)

SIZES: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
PLAIN = [
    *("the", "a", "dress", "top", "size", "color", "i", "it", "wore"),
    *("ordered", "with", "store", "work", "red", "fit"),
]
TELLING = {
    1: ["awful", "cheap", "returned", "terrible"],
    2: ["awful", "cheap", "returned", "disappointed"],
    3: ["okay", "average", "fence", "so-so"],
    4: ["love", "perfect", "comfortable", "nice"],
    5: ["love", "perfect", "comfortable", "gorgeous"],
}


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """For models as small as these, threads that wait for one another cost more than they help, in children too."""
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        yield


@pytest.fixture(scope="session")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one raw file of reviews in which a few words tell the sentiment."""
    random = Random(5)
    rows = []
    for index in range(800):
        rating = random.choices([1, 2, 3, 4, 5], [1, 1, 2, 3, 3])[0]
        words = random.choices(PLAIN, k=random.randint(4, 20)) + random.choices(TELLING[rating], k=3)
        random.shuffle(words)
        # The number makes each text a text of its own.
        rows.append(review(f"{' '.join(words)} {index}", rating, index=index, title="Dress" if index % 10 == 0 else ""))
    return write_csv(tmp_path_factory.mktemp("made_up") / "reviews.csv", rows).parent


@pytest.fixture(scope="session")
def table(made_up: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cleaned table of the made-up reviews."""
    return cleaned(made_up, tmp_path_factory.mktemp("cleaned"))


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of 2 layers, not trained, with a WordPiece vocabulary of the made-up reviews."""
    folder = tmp_path_factory.mktemp("bert")
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    # Not trained: a trainer numbers words of the same count in another order each time, and with their numbers the
    # model's first weights change.
    characters = [chr(code) for code in range(33, 127)]
    words = sorted({*PLAIN, *(word for telling in TELLING.values() for word in telling)} - {*characters})
    pieces = [*special, *characters, *(f"##{character}" for character in characters), *words]
    tokenizer = Tokenizer(models.WordPiece({piece: n for n, piece in enumerate(pieces)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    fast = BertTokenizer(tokenizer_object=tokenizer, model_max_length=64)
    fast.save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(vocab_size=len(fast), max_position_embeddings=64, pad_token_id=0, **SIZES)
    BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_roberta(made_up: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A RoBERTa of 2 layers, not trained, with a byte-level BPE of the made-up reviews."""
    folder = tmp_path_factory.mktemp("roberta")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=700, special_tokens=special, initial_alphabet=alphabet)
    tokenizer.train([str(made_up / "reviews.csv")], trainer)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=64,
        bos_token="<s>",
        eos_token="</s>",
        cls_token="<s>",
        sep_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        mask_token="<mask>",
    )
    fast.save_pretrained(folder)
    torch.manual_seed(0)
    config = RobertaConfig(vocab_size=len(fast), max_position_embeddings=66, pad_token_id=1, type_vocab_size=1, **SIZES)
    RobertaModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def features(table: Path, tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The features job's output for the made-up reviews."""
    folder = tmp_path_factory.mktemp("features")
    assert run("features", input=table, output=folder, **{"base-model": tiny_bert, "max-seq-length": 48}) == 0
    return folder


@pytest.fixture(scope="session")
def trained(features: Path, tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained tiny model: ``model/``, ``data/history.json`` and ``checkpoints/``."""
    folder = tmp_path_factory.mktemp("trained")
    assert train(features, tiny_bert, folder, epochs=8) == 0
    return folder
