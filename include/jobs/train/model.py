"""The classifier: loading it for training, what is trained at which rate, saving it for serving."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch
from data import CLASSES
from job import BadInput
from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging

LABELS = {0: "-1", 1: "0", 2: "1"}
SERVING = ("inference.py", "classifier.py", "microbatch.py", "model_input.py", "ngrams.py", "precision.py")
FREEZE = ("none", "embeddings", "encoder")

# The masks of this dropout cost a fifth of a training step on a CPU; the hidden layers keep theirs.
ATTENTION_DROPOUTS = ("attention_probs_dropout_prob", "attention_dropout")


def load(base_model: str, device: torch.device) -> PreTrainedModel:
    """Load the base model with a new head for three classes. :raises BadInput: it cannot be loaded."""
    logging.set_verbosity_error()  # else it warns that the head is new
    logging.disable_progress_bar()
    try:
        config = AutoConfig.from_pretrained(base_model)
        config.num_labels = CLASSES
        config.id2label, config.label2id = LABELS, {label: number for number, label in LABELS.items()}
        for name in ATTENTION_DROPOUTS:
            if hasattr(config, name):
                setattr(config, name, 0.0)
        # On the CPU (MiniLM, 32 x 72 tokens, bf16), without this dropout: 55 examples/s against 42 with "sdpa".
        attention = "eager" if device.type == "cpu" else "sdpa"
        model: PreTrainedModel = AutoModelForSequenceClassification.from_pretrained(
            base_model, config=config, attn_implementation=attention
        )
    except (OSError, ValueError) as error:
        raise BadInput(f"the base model {base_model!r} cannot be loaded: {str(error).splitlines()[0]}") from error
    model.float().to(device)
    return model


def check_length(tokenizer: PreTrainedTokenizerBase, longest: int) -> None:
    """Check that the model has a position for each token. :raises BadInput: reviews would be longer."""
    if longest > tokenizer.model_max_length:
        raise BadInput(f"max_seq_length {longest} is more than the {tokenizer.model_max_length} of the base model")


def freeze(model: PreTrainedModel, part: str) -> None:
    """Leave a part as it is: the ``embeddings``, the whole ``encoder`` (only the head learns), or ``none``."""
    for name, parameter in model.base_model.named_parameters():
        if part == "encoder" or (part == "embeddings" and name.startswith("embeddings.")):
            parameter.requires_grad_(False)


def parameter_groups(model: PreTrainedModel, rate: float, head_rate: float, decay: float) -> list[dict[str, Any]]:
    """Return groups for the optimizer: encoder and head at their rates, no weight decay on biases and norms."""
    groups: dict[tuple[bool, bool], list[torch.nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            head = not name.startswith(f"{model.base_model_prefix}.")
            groups.setdefault((head, parameter.ndim > 1), []).append(parameter)
    return [
        {"params": members, "lr": head_rate if head else rate, "weight_decay": decay if matrix else 0.0}
        for (head, matrix), members in groups.items()
    ]


def learned(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    """Return a copy of what training changes."""
    return {
        name: parameter.detach().cpu().clone()
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    }


def restore(model: PreTrainedModel, state: dict[str, torch.Tensor]) -> None:
    """Put back what :func:`learned` copied."""
    parameters = dict(model.named_parameters())
    with torch.no_grad():
        for name, value in state.items():
            parameters[name].copy_(value)


def save(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, longest: int, folder: Path) -> None:
    """Write ``folder``: the model in Hugging Face layout, and ``code/`` with what serves it."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.model_max_length = longest
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    code = folder / "code"
    code.mkdir(exist_ok=True)
    for name in SERVING:
        shutil.copyfile(Path(__file__).parent / name, code / name)
