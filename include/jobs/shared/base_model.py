"""The base model: where it is, and which ids its tokenizer gives."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from urllib.parse import urlsplit

from job import BadInput, aws_failure
from transformers import AutoTokenizer, PreTrainedTokenizerBase


def locate(name: str, channel: Path, scratch: Path) -> str:
    """
    Return what ``from_pretrained`` should load: the ``channel`` when the job has one, else ``name``.

    :param name: a hub name, a folder, or an S3 prefix, whose files are fetched into ``scratch``.
    """
    if channel.is_dir():
        return str(channel)
    return str(_fetch(name, scratch)) if name.startswith("s3://") else name


def _fetch(uri: str, scratch: Path) -> Path:
    import boto3  # in AWS's containers; needed for this only
    from botocore.exceptions import BotoCoreError, ClientError

    place = urlsplit(uri)
    prefix = place.path.strip("/") + "/"
    client = boto3.client("s3")
    try:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=place.netloc, Prefix=prefix)
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        # The layout is flat: files of sub-folders (other formats, exports) are not needed to load a model.
        names = [key.removeprefix(prefix) for key in keys]
        for name in (name for name in names if name and "/" not in name):
            client.download_file(place.netloc, prefix + name, str(scratch / name))
    except (BotoCoreError, ClientError) as error:
        raise aws_failure(f"the base model {uri} cannot be read", error) from error
    if not (scratch / "config.json").exists():
        raise BadInput(f"the base model {uri} has no config.json: is it in Hugging Face layout?")
    return scratch


def load_tokenizer(base_model: str) -> PreTrainedTokenizerBase:
    """Load the base model's fast tokenizer. :raises BadInput: there is none."""
    try:
        tokenizer = AutoTokenizer.from_pretrained(base_model)
    except (OSError, ValueError) as error:
        raise BadInput(f"no tokenizer for the base model {base_model!r}: {str(error).splitlines()[0]}") from error
    if not tokenizer.is_fast:
        raise BadInput(f"the base model {base_model!r} has no fast tokenizer (tokenizer.json)")
    return tokenizer


def vocabulary_hash(tokenizer: PreTrainedTokenizerBase) -> str:
    """Hash the vocabulary: equal for tokenizers with the same ids. Training compares its own with the features'."""
    return hashlib.sha256(json.dumps(sorted(tokenizer.get_vocab().items())).encode()).hexdigest()[:16]
