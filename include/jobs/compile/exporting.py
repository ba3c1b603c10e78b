"""
A classifier in PyTorch -> ONNX, and ONNX in eight bits.

ONNX and its runtime are imported where they are needed: the container may lack them until the job has installed them.
"""

from __future__ import annotations

import logging
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from job import BadInput
from transformers import AutoModelForSequenceClassification
from transformers.utils import logging as transformers_logging

#: of ONNX: what every ONNX Runtime of the last years reads.
OPSET = 17
INPUTS, OUTPUT = ("input_ids", "attention_mask"), "logits"


@dataclass(frozen=True)
class Quantisation:
    """
    How weights become eight bits; activations do while the model runs.

    :param per_channel: a scale for each column of a weight, in place of one for all.
    :param reduce_range: seven bits, for processors without VNNI, whose sums of eight bits overflow.
    """

    per_channel: bool
    reduce_range: bool


QUANTISATIONS = tuple(Quantisation(channel, reduced) for reduced in (False, True) for channel in (True, False))


class _Logits(torch.nn.Module):
    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.model(input_ids=input_ids, attention_mask=attention_mask).logits
        return logits


def export(folder: Path, path: Path) -> None:
    """
    Write the model of ``folder`` as ONNX with rows and lengths of any number.

    :raises BadInput: there is no classifier in Hugging Face layout in it.
    """
    import onnx

    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        model = AutoModelForSequenceClassification.from_pretrained(folder, attn_implementation="eager")
    except (OSError, ValueError, RuntimeError) as error:
        raise BadInput(f"the archive's model cannot be loaded: {str(error).splitlines()[0]}") from error
    # Two rows of different lengths: what is 1 in the example would be taken for a constant.
    ids = torch.full((2, 6), model.config.pad_token_id or 0)
    ids[0], ids[1, :4] = torch.arange(3, 9), torch.arange(3, 7)
    mask = torch.tensor([[1] * 6, [1] * 4 + [0] * 2])
    axes = {0: "rows", 1: "length"}
    with warnings.catch_warnings():
        # The exporter that torch recommends in place of this one needs onnxscript, and three packages more.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _Logits(model.float()).eval(),
            (ids, mask),
            str(path),
            input_names=list(INPUTS),
            output_names=[OUTPUT],
            dynamic_axes={**dict.fromkeys(INPUTS, axes), OUTPUT: {0: "rows"}},
            opset_version=OPSET,
            dynamo=False,
        )
    onnx.checker.check_model(str(path))


def quantise(model: Path, path: Path, quantisation: Quantisation) -> None:
    """Write the ONNX ``model`` with weights of eight bits."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    # The preparation that it asks for needs shapes that are known: ours are of any length.
    logging.disable(logging.WARNING)
    try:
        quantize_dynamic(model, path, weight_type=QuantType.QInt8, **asdict(quantisation))
    finally:
        logging.disable(logging.NOTSET)
