"""The hyperparameters: AWS's names, defaults and ranges."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from localaws.images.blazingtext.errors import AlgorithmError

SUPERVISED = "supervised"
WORD2VEC = ("skipgram", "cbow", "batch_skipgram")

Parse = Callable[[str], Any]


class _Wrong(ValueError):
    """The text is no such value; the message says what would be."""


def _integer(least: int, what: str) -> Parse:
    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError as error:
            raise _Wrong(what) from error
        # fastText keeps them as C ints.
        if not least <= value < 2**31:
            raise _Wrong(what)
        return value

    return parse


def _real(most: float, what: str) -> Parse:
    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError as error:
            raise _Wrong(what) from error
        if not (math.isfinite(value) and 0 < value < most):
            raise _Wrong(what)
        return value

    return parse


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise _Wrong("True or False")
    return text.lower() == "true"


_POSITIVE = _integer(1, "a positive integer")
_COUNT = _integer(0, "a non-negative integer")
_RATE = _real(math.inf, "a positive number")

_COMMON: dict[str, tuple[Any, Parse]] = {
    "buckets": (2_000_000, _POSITIVE),
    "epochs": (5, _POSITIVE),
    "learning_rate": (0.05, _RATE),
    "min_count": (5, _COUNT),
    "vector_dim": (100, _POSITIVE),
}
_SUPERVISED: dict[str, tuple[Any, Parse]] = {
    **_COMMON,
    "early_stopping": (False, _boolean),
    "min_epochs": (5, _POSITIVE),
    "patience": (4, _POSITIVE),
    "word_ngrams": (2, _POSITIVE),
}
_WORD2VEC: dict[str, tuple[Any, Parse]] = {
    **_COMMON,
    "batch_size": (11, _POSITIVE),
    "evaluation": (False, _boolean),
    "max_char": (6, _POSITIVE),
    "min_char": (3, _POSITIVE),
    "negative_samples": (5, _POSITIVE),
    "sampling_threshold": (0.0001, _real(1, "a fraction between 0 and 1")),
    "subwords": (False, _boolean),
    "window_size": (5, _POSITIVE),
}


@dataclass(frozen=True)
class Parameters:
    """
    What a job is to do.

    :param mode: ``supervised`` or one of :data:`WORD2VEC`.
    :param values: all of that mode's hyperparameters, in their own types.
    """

    mode: str
    values: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    @classmethod
    def parse(cls, texts: Mapping[str, str]) -> Parameters:
        """
        From the job's HyperParameters.

        :raises AlgorithmError: one is missing, unknown to the mode, out of range or not implemented.
        """
        mode = texts.get("mode")
        if mode is None:
            raise AlgorithmError(f"the hyperparameter mode is missing: {_modes()}")
        if mode != SUPERVISED and mode not in WORD2VEC:
            raise AlgorithmError(f"the hyperparameter mode is {mode!r}: it must be {_modes()}")
        known = _SUPERVISED if mode == SUPERVISED else _WORD2VEC
        values = {name: default for name, (default, _) in known.items()}
        for name, text in texts.items():
            # The platform's own, such as the tuning job's _tuning_objective_metric, are not the algorithm's.
            if name == "mode" or name.startswith("_"):
                continue
            if name not in known:
                raise AlgorithmError(
                    f"{name} is not a hyperparameter of the mode {mode}, which has {', '.join(sorted(known))}"
                )
            try:
                values[name] = known[name][1](text)
            except _Wrong as wrong:
                raise AlgorithmError(f"the hyperparameter {name} is {text!r}: it must be {wrong}") from wrong
        parameters = cls(mode, values)
        parameters._check()
        return parameters

    def _check(self) -> None:
        if self.mode == SUPERVISED:
            return
        if self["evaluation"]:
            raise AlgorithmError("evaluation, on the WordSimilarity-353 set, is not implemented by localaws")
        if self["subwords"] and self["min_char"] > self["max_char"]:
            raise AlgorithmError(f"min_char {self['min_char']} is greater than max_char {self['max_char']}")


def _modes() -> str:
    return f"{SUPERVISED}, {', '.join(WORD2VEC[:-1])} or {WORD2VEC[-1]}"
