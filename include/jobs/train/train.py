"""
Training job: token ids -> a fine-tuned classifier of three sentiments.

Channels ``train`` and ``validation`` are splits of the features job; a channel ``base_model`` goes before the
hyperparameter of that name. The epoch with the best validation accuracy is the one that is saved, in Hugging Face
layout with ``code/inference.py``, which an endpoint serves.

Before the first epoch a linear model on tokens and pairs of tokens is fitted to all reviews of the training split
(``terms.py``; seconds). Its logits have a share of ``--ngrams`` in those that an epoch is judged by, and in the
archive's answers; the encoder's have the rest. The encoder is trained by itself.

Batches hold reviews of like length and are padded to their longest, on a GPU to a multiple of 8; arithmetic is bf16
where that is faster. With several instances torchrun starts one process each: a batch is shared out, so that the result
does not depend on their number. After each epoch, every five minutes, and on SIGTERM, a checkpoint is written, from
which the same job goes on.

Each epoch ends with the line that the metric regexes read: ``val_loss: 0.76 - val_acc: 70.92%``. Exit status 2, and one
sentence, when the input cannot be used; 143 after SIGTERM.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import checkpoints
import model as models
import numpy as np
import terms
import torch
from base_model import load_tokenizer, locate, vocabulary_hash
from checkpoints import Progress
from cluster import Cluster, width_multiple
from data import (
    BALANCES,
    CLASSES,
    Batch,
    Examples,
    bucketed,
    by_length,
    class_shares,
    class_weights,
    epoch_rows,
    learned_shares,
    read_split,
)
from job import run
from model_input import TEXTS
from ngrams import Ngrams
from precision import gains_by_bf16
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel

STOPPED = 143
SECONDS_BETWEEN_LINES = 10
SECONDS_BETWEEN_CHECKPOINTS = 300
EVALUATION_BATCH = 64
# Settings that may differ between a training and the one that goes on from its checkpoint.
INCIDENTAL = {"train", "validation", "base_model_channel", "model_dir", "output_data_dir", "checkpoints", "reason"}


class Stopped(Exception):
    """SIGTERM came, and the checkpoint is written."""


class Trainer:
    """One training: model, data and where it stands."""

    def __init__(self, options: argparse.Namespace, cluster: Cluster, base_model: str) -> None:
        self.options, self.cluster = options, cluster
        self.tokenizer = load_tokenizer(base_model)
        vocabulary = vocabulary_hash(self.tokenizer)
        self.padding, self.multiple = self.tokenizer.pad_token_id or 0, width_multiple(cluster.device)
        longest = options.max_seq_length
        models.check_length(self.tokenizer, longest)
        made_of = (longest, vocabulary, options.text)
        self.train = read_split(options.train, *made_of, limit=options.max_train_rows, seed=options.seed)
        self.validation = read_split(options.validation, *made_of)
        self.model = models.load(base_model, cluster.device)
        # For the code that serves the model.
        self.model.config.review_text = options.text
        # For the job that evaluates it.
        self.model.config.class_shares = class_shares(self.train.labels)
        self.model.config.learned_shares = learned_shares(self.train.labels, options.balance)
        models.freeze(self.model, options.freeze)
        self.forward = DistributedDataParallel(self.model) if cluster.size > 1 else self.model
        self.head_rate = options.head_learning_rate or 20 * options.learning_rate
        groups = models.parameter_groups(self.model, options.learning_rate, self.head_rate, options.weight_decay)
        self.optimizer = torch.optim.AdamW(groups, fused=True)
        self.total = sum(len(self.batches(epoch)) for epoch in range(options.epochs))
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, self.rate)
        weights = class_weights(self.train.labels) if options.balance == "class_weights" else np.ones(CLASSES)
        self.weights = torch.tensor(weights, dtype=torch.float32, device=cluster.device)
        self.ngrams = self.fit_ngrams()
        self.bf16 = options.precision == "bf16" or (options.precision == "auto" and gains_by_bf16(cluster.device))
        self.progress = Progress()
        self.stopping = False
        self.saved_at = time.monotonic()

    def fit_ngrams(self) -> Ngrams | None:
        """Fit the linear model that answers beside the encoder: alike in every process."""
        options, labels = self.options, self.train.labels
        if not options.ngrams:
            return None
        weights = np.ones(CLASSES) if options.balance == "none" else class_weights(labels)
        return terms.fit(self.train, weights, options.ngrams, options.seed)

    def batches(self, epoch: int) -> list[np.ndarray]:
        """Return the batches of an epoch, the same in every process: rows of the training split."""
        options = self.options
        rows = epoch_rows(self.train.labels, options.balance, options.max_epoch_rows, epoch, options.seed)
        return bucketed(self.train, rows, options.train_batch_size, options.seed + epoch)

    def rate(self, step: int) -> float:
        """Return the share of the learning rate at ``step``: from 0 up during warm-up, then down to 0, both linear."""
        warm_up = max(1, int(self.total * self.options.warmup_ratio))
        return min((step + 1) / warm_up, max(0.0, (self.total - step) / max(1, self.total - warm_up)))

    def arithmetic(self) -> AbstractContextManager[Any]:
        """Compute in bf16 where that is faster."""
        return torch.autocast(self.cluster.device.type, torch.bfloat16, enabled=self.bf16)

    def fit(self) -> None:
        """Train all epochs that are left. :raises Stopped: SIGTERM came."""
        self.resume()
        while self.progress.epoch < self.options.epochs:
            self.epoch()
            self.judge()
            self.progress.epoch, self.progress.step = self.progress.epoch + 1, 0
            self.checkpoint()

    def epoch(self) -> None:
        """Train what is left of the current epoch."""
        self.forward.train()
        batches = self.batches(self.progress.epoch)
        meter = Meter(self.progress.step, len(batches))
        for rows in batches[self.progress.step :]:
            loss = self.step(self.part(rows))
            self.progress.step += 1
            if meter.add(len(rows), loss) and self.cluster.leads:
                rate = self.schedule.get_last_lr()[0]
                print(f"epoch {self.progress.epoch + 1}/{self.options.epochs} {meter} lr {rate:.1e}", flush=True)
            self.stop_or_save()

    def part(self, rows: np.ndarray) -> Batch:
        """Return this process's part of a batch; of one smaller than the cluster each still gets a row."""
        rows = np.resize(rows, max(len(rows), self.cluster.size))
        return self.batch(self.train, rows[self.cluster.rank :: self.cluster.size])

    def batch(self, examples: Examples, rows: np.ndarray) -> Batch:
        """Return these rows as a batch on the device that computes."""
        return examples.batch(rows, self.padding, self.multiple).to(self.cluster.device)

    def step(self, batch: Batch) -> torch.Tensor:
        """Take one step of the optimizer, and return the loss, not yet read."""
        with self.arithmetic():
            logits = self.forward(input_ids=batch.input_ids, attention_mask=batch.attention_mask).logits
        loss = cross_entropy(
            logits.float(), batch.labels, weight=self.weights, label_smoothing=self.options.label_smoothing
        )
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.schedule.step()
        self.optimizer.zero_grad()
        return loss.detach()

    def judge(self) -> None:
        """Evaluate on the validation split, say so, and keep the model when it is the best so far."""
        figures = {"epoch": self.progress.epoch + 1, **self.evaluate(self.validation)}
        self.progress.history.append(figures)
        best = self.progress.best
        if not best or figures["val_acc"] > best["figures"]["val_acc"]:
            self.progress.best = {"figures": figures, "model": models.learned(self.model)}
        if self.cluster.leads:
            print(f"epoch {figures['epoch']}/{self.options.epochs} {line(figures)}", flush=True)

    @torch.inference_mode()
    def evaluate(self, examples: Examples) -> dict[str, float]:
        """Return loss, accuracy and macro F1 on ``examples``, each process doing its share."""
        self.model.eval()
        counts = torch.zeros(CLASSES, CLASSES, dtype=torch.float64)
        loss = torch.zeros(1, dtype=torch.float64)
        for number, rows in enumerate(by_length(examples, EVALUATION_BATCH)):
            if number % self.cluster.size != self.cluster.rank:
                continue
            batch = self.batch(examples, rows)
            with self.arithmetic():
                logits = self.model(input_ids=batch.input_ids, attention_mask=batch.attention_mask).logits.float()
            if self.ngrams:
                beside = torch.from_numpy(self.ngrams([examples.row(row) for row in rows]))
                logits = self.ngrams.encoder * logits + beside.to(logits.device)
            loss += cross_entropy(logits, batch.labels, reduction="sum").cpu()
            at = (batch.labels * CLASSES + logits.argmax(1)).cpu()
            counts += torch.bincount(at, minlength=CLASSES**2).reshape(CLASSES, CLASSES)
        counts, loss = self.cluster.sum(counts), self.cluster.sum(loss)
        right = counts.diag()
        f1 = 2 * right / (counts.sum(0) + counts.sum(1)).clamp(min=1)
        present = counts.sum(1) > 0
        return {
            "val_loss": float(loss / counts.sum()),
            "val_acc": float(right.sum() / counts.sum()),
            "val_f1": float(f1[present].mean()),
        }

    def settings(self) -> dict[str, Any]:
        """Return what tells this training from others: hyperparameters and data."""
        given = {key: value for key, value in vars(self.options).items() if key not in INCIDENTAL}
        return {**given, "rows": len(self.train), "tokens": int(self.train.lengths.sum())}

    def checkpoint(self) -> None:
        """Write one, in the process that leads."""
        self.saved_at = time.monotonic()
        if self.cluster.leads:
            parts = {
                "model": models.learned(self.model),
                "optimizer": self.optimizer.state_dict(),
                "schedule": self.schedule.state_dict(),
            }
            checkpoints.write(self.options.checkpoints, self.settings(), self.progress, parts)

    def resume(self) -> None:
        """Go on from the checkpoint, when there is one of this training."""
        state = checkpoints.read(self.options.checkpoints, self.settings())
        if state is None:
            return
        self.progress = Progress(**state["progress"])
        models.restore(self.model, state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        torch.set_rng_state(state["random"])
        print(f"going on from the checkpoint: epoch {self.progress.epoch + 1}, step {self.progress.step}", flush=True)

    def stop_or_save(self) -> None:
        """Save a checkpoint after a step when it is time. :raises Stopped: SIGTERM came, here or elsewhere."""
        if self.cluster.any(self.stopping):
            self.checkpoint()
            raise Stopped
        if time.monotonic() - self.saved_at > SECONDS_BETWEEN_CHECKPOINTS:
            self.checkpoint()

    def save(self) -> None:
        """Write the best model and the history, in the process that leads."""
        best = self.progress.best
        if self.cluster.leads and best:
            models.restore(self.model, best["model"])
            models.save(self.model, self.tokenizer, self.options.max_seq_length, self.options.model_dir)
            if self.ngrams:
                self.ngrams.save(self.options.model_dir)
            self.options.output_data_dir.mkdir(parents=True, exist_ok=True)
            history = json.dumps({"epochs": self.progress.history, "best": best["figures"]}, indent=2)
            (self.options.output_data_dir / "history.json").write_text(history + "\n")
            # The last value is what SageMaker reports: it must be that of the model which was saved.
            print(f"kept epoch {best['figures']['epoch']}: {line(best['figures'])}", flush=True)


class Meter:
    """Speed and loss since the last line; reads the loss from the device only when a line is due."""

    def __init__(self, done: int, total: int) -> None:
        self.done, self.total, self.examples = done, total, 0
        self.losses: list[torch.Tensor] = []
        self.began = time.monotonic()
        self.text = ""

    def add(self, examples: int, loss: torch.Tensor) -> bool:
        """Count a step; True when a line is due."""
        self.done, self.examples = self.done + 1, self.examples + examples
        self.losses.append(loss)
        seconds = time.monotonic() - self.began
        if seconds < SECONDS_BETWEEN_LINES and self.done < self.total:
            return False
        mean = float(torch.stack(self.losses).mean())
        self.text = f"step {self.done}/{self.total} loss {mean:.4f} {self.examples / seconds:.1f} examples/s"
        self.began, self.examples, self.losses = time.monotonic(), 0, []
        return True

    def __str__(self) -> str:
        return self.text


def line(figures: dict[str, float]) -> str:
    """Return the line that the metric regexes read."""
    accuracy, f1 = 100 * figures["val_acc"], figures["val_f1"]
    return f"val_loss: {figures['val_loss']:.4f} - val_acc: {accuracy:.2f}% - val_f1: {f1:.4f}"


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Parse hyperparameters, and the container's paths as SageMaker tells them."""
    parser = argparse.ArgumentParser(description="token ids -> a fine-tuned classifier")
    add, env = parser.add_argument, os.environ.get
    add("--base_model", default="roberta-base", help="hub name, folder or S3 prefix in Hugging Face layout")
    add("--epochs", type=_positive, default=3)
    add("--learning_rate", type=float, default=1e-4)
    add("--head_learning_rate", type=float, default=0.0, help="0: 20 times the learning rate")
    add("--train_batch_size", type=_positive, default=32, help="reviews a step, over all instances")
    add("--max_seq_length", type=_positive, default=128)
    add("--text", choices=TEXTS, default="title_body", help="what the features job made of a review")
    add("--warmup_ratio", type=float, default=0.1)
    add("--weight_decay", type=float, default=0.01)
    add("--label_smoothing", type=float, default=0.0)
    add("--balance", choices=BALANCES, default="undersample")
    add("--max_epoch_rows", type=int, default=7500, help="oversample: reviews an epoch at most; 0: no limit")
    add("--max_train_rows", type=int, default=0, help="the most reviews to use; 0: all")
    add("--ngrams", type=_share, default=0.4, help="share of the linear model on token pairs; 0: none")
    add("--freeze", choices=models.FREEZE, default="embeddings")
    add("--precision", choices=("auto", "bf16", "fp32"), default="auto")
    add("--seed", type=int, default=42)
    add("--train", type=Path, default=Path(env("SM_CHANNEL_TRAIN", "/opt/ml/input/data/train")))
    add("--validation", type=Path, default=Path(env("SM_CHANNEL_VALIDATION", "/opt/ml/input/data/validation")))
    base = env("SM_CHANNEL_BASE_MODEL", "/opt/ml/input/data/base_model")
    add("--base_model_channel", type=Path, default=Path(base))
    add("--model_dir", type=Path, default=Path(env("SM_MODEL_DIR", "/opt/ml/model")))
    add("--output_data_dir", type=Path, default=Path(env("SM_OUTPUT_DATA_DIR", "/opt/ml/output/data")))
    add("--checkpoints", type=Path, default=Path("/opt/ml/checkpoints"))
    add("--reason", type=Path, default=Path("/opt/ml/output/failure"))
    return parser.parse_args(arguments)


def _share(text: str) -> float:
    number = float(text)
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return number


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return number


def train(options: argparse.Namespace) -> int:
    """Train and save; the exit status."""
    cluster = Cluster.join()
    torch.manual_seed(options.seed + cluster.rank)
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(options, cluster, locate(options.base_model, options.base_model_channel, Path(folder)))

    def stop(*_: Any) -> None:
        trainer.stopping = True

    signal.signal(signal.SIGTERM, stop)
    if cluster.leads:
        print(
            f"{len(trainer.train)} reviews, {trainer.total} steps on {cluster.size} x {cluster.device.type}"
            f" in {'bf16' if trainer.bf16 else 'fp32'}, {options.balance}",
            flush=True,
        )
    try:
        trainer.fit()
    except Stopped:
        print("stopped: the checkpoint is written", flush=True)
        trainer.save()
        return STOPPED
    trainer.save()
    cluster.wait()
    cluster.leave()
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Run the job; the exit status."""
    options = parse(arguments)
    return run("train", lambda: train(options), options.reason)


if __name__ == "__main__":
    sys.exit(main())
