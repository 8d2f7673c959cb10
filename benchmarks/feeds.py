"""Ways to feed the network with augmented pictures, ours and those it could have been; input_pipeline.py times them.

Every way gives the batches of an epoch as something to iterate over. What starts once in a training (processes,
graphs, a filled cache) starts before the clock; what starts with every epoch is on it.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_melanoma import backend
from edge_melanoma.data.pictures import Picture
from edge_melanoma.fitting.augment import Augmenter
from edge_melanoma.fitting.batches import BatchMaker

Ints = NDArray[np.int64]
Batches = Callable[[int, Ints], Iterable[Any]]
"""Called with the number of the epoch and the rows (step, place in the batch) of its pictures."""

JPEG = b"\xff\xd8\xff"


@dataclass(frozen=True, kw_only=True)
class Feed:
    """One way, under the name that the table gives it."""

    name: str
    augment: str
    batches: Batches


def constant(size: int, *, seed: int) -> Feed:
    """The limit: one batch of noise, in memory already."""
    rng = np.random.default_rng(seed)

    def batches(epoch: int, rows: Ints) -> Iterable[Any]:
        batch = rng.integers(0, 256, (rows.shape[1], size, size, 3), np.uint8)
        return itertools.repeat(batch, len(rows))

    return Feed(name="one batch, again and again", augment="none", batches=batches)


def processes(maker: BatchMaker, augment: str) -> Feed:
    """Ours: processes that map the tensors."""
    return Feed(name="processes, mapped tensors (ours)", augment=augment, batches=maker.batches)


def tf_data(tensors: Path, *, augment: str, seed: int, threads: int, whole_batches: bool) -> Feed:
    """The same augmenter on the threads of tf.data, called for every picture or for every batch.

    The transforms have state, so each call takes an augmenter that no other thread has.
    """
    tf = backend.tensorflow()
    pixels = np.load(tensors, mmap_mode="r", allow_pickle=False)
    free: queue.SimpleQueue[Augmenter] = queue.SimpleQueue()
    for _ in range(threads):
        free.put(Augmenter(augment, seed=seed))

    def make(epoch: Any, place: Any, row: Any) -> NDArray[np.uint8]:
        augmenter = free.get()
        try:
            made = [
                augmenter(np.array(pixels[r]), epoch=int(epoch), place=int(p), row=int(r))
                for p, r in zip(np.atleast_1d(place), np.atleast_1d(row), strict=True)
            ]
        finally:
            free.put(augmenter)
        return np.stack(made) if np.ndim(row) else made[0]

    def batches(epoch: int, rows: Ints) -> Iterable[Any]:
        places = np.arange(rows.size).reshape(rows.shape)
        asked = (places, rows) if whole_batches else (places.reshape(-1), rows.reshape(-1))
        data = tf.data.Dataset.from_tensor_slices(asked).map(
            lambda place, row: tf.numpy_function(make, [epoch, place, row], tf.uint8), num_parallel_calls=threads
        )
        ahead: Iterable[Any] = (data if whole_batches else data.batch(rows.shape[1])).prefetch(tf.data.AUTOTUNE)
        return ahead

    called = "a batch" if whole_batches else "a picture"
    return Feed(name=f"tf.data threads, {called} a call", augment=augment, batches=batches)


def calls_at_once(threads: int) -> int:
    """How many calls of a Python function tf.data has under way at the same time, if it may have `threads`."""
    tf = backend.tensorflow()
    lock, counts = threading.Lock(), {"now": 0, "most": 0}

    def wait(place: Any) -> Any:
        with lock:
            counts["now"] += 1
            counts["most"] = max(counts["most"], counts["now"])
        time.sleep(0.02)
        with lock:
            counts["now"] -= 1
        return place

    calls = tf.data.Dataset.range(20 * threads).map(
        lambda place: tf.numpy_function(wait, [place], tf.int64), num_parallel_calls=threads
    )
    for _ in calls:
        pass
    return counts["most"]


def keras_folders(folder: Path, *, size: int, batch: int, cached: bool, seed: int) -> Feed:
    """What a tutorial does: pictures in a folder a class, decoded by TensorFlow, augmented by Keras layers."""
    keras, tf = backend.keras(), backend.tensorflow()
    with contextlib.redirect_stdout(io.StringIO()):  # it says how many files it found
        data = keras.utils.image_dataset_from_directory(
            folder, image_size=(size, size), batch_size=batch, crop_to_aspect_ratio=True, seed=seed
        )
    if cached:
        data = data.cache()
        for _ in data:  # the first epoch fills it
            pass
    layers = keras.Sequential(
        [
            keras.layers.RandomFlip("horizontal_and_vertical", seed=seed),
            keras.layers.RandomRotation(0.5, seed=seed),
            keras.layers.RandomZoom(0.2, seed=seed),
            keras.layers.RandomContrast(0.2, seed=seed),
            keras.layers.RandomBrightness(0.2, seed=seed),
        ]
    )
    shown = (
        data.repeat()
        .map(lambda pictures, _: layers(pictures, training=True), num_parallel_calls=tf.data.AUTOTUNE)
        .prefetch(tf.data.AUTOTUNE)
    )
    name = "image_dataset_from_directory, " + ("cached" if cached else "decoded every epoch")
    return Feed(name=name, augment="Keras layers", batches=lambda epoch, rows: shown.take(len(rows)))


def write_folders(pictures: Sequence[Picture], labels: Ints, classes: Sequence[str], folder: Path) -> int:
    """The pictures as JPEG files, a folder a class; a JPEG is copied as it is. Returns how many bytes they have."""
    for name in classes:
        (folder / name).mkdir()
    written = 0
    for picture, label in zip(pictures, labels, strict=True):
        content = picture.read()
        if not content.startswith(JPEG):
            stream = io.BytesIO()
            Image.open(io.BytesIO(content)).convert("RGB").save(stream, "JPEG", quality=95)
            content = stream.getvalue()
        (folder / classes[label] / f"{picture.image_id}.jpg").write_bytes(content)
        written += len(content)
    return written
