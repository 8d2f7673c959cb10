"""Judge many pictures: some are decoded while another is in the model, and a bad one does not stop the rest.

Threads, not processes: Pillow and the engine let others run while they compute, and a process would cost as much as
a hundred predictions on a small device.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge_melanoma.errors import DataError
from edge_melanoma.names import bytes_of
from edge_melanoma.parallel import usable_cores
from edge_melanoma.prediction.given import Given
from edge_melanoma.runtime.predictor import Look, Prediction, Predictor

if TYPE_CHECKING:
    from concurrent.futures import Future

AHEAD = 2  # pictures decoded in advance, for each worker


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What is said of one picture: a prediction, or why there is none."""

    picture: str
    prediction: Prediction | None = None
    error: str | None = None

    def to_json(self, model: dict[str, Any]) -> dict[str, Any]:
        """The line that `predict --json` prints; keys are the same but for a name that is no text."""
        found = self.prediction
        return {
            "picture": self.picture,
            **bytes_of(self.picture, key="picture"),
            "melanoma_probability": found and found.probability,
            "decision": found and found.decision,
            "reasons": [reason.words for reason in found.reasons] if found else [],
            "reason_codes": [reason.code for reason in found.reasons] if found else [],
            "scores": dict(found.scores) if found else {},
            "error": self.error,
            "model": model,
        }


def run(predictor: Predictor, pictures: Sequence[Given], *, workers: int | None = None) -> Iterator[Answer]:
    """An answer for each picture, in their order, each as soon as it is known."""
    workers = workers or usable_cores()
    if len(pictures) == 1 or workers == 1:
        yield from (_answer(predictor, given, _look(predictor, given)) for given in pictures)
        return
    from concurrent.futures import ThreadPoolExecutor  # which a single picture need not pay for

    with ThreadPoolExecutor(min(workers, len(pictures)), thread_name_prefix="decode") as pool:
        waiting: deque[tuple[Given, Future[Look | str]]] = deque()
        try:
            for given in pictures:
                waiting.append((given, pool.submit(_look, predictor, given)))
                if len(waiting) > AHEAD * workers:
                    yield _next(predictor, waiting)
            while waiting:
                yield _next(predictor, waiting)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _next(predictor: Predictor, waiting: deque[tuple[Given, Future[Look | str]]]) -> Answer:
    given, found = waiting.popleft()
    return _answer(predictor, given, found.result())


def _look(predictor: Predictor, given: Given) -> Look | str:
    """The picture as the model sees it, or what is wrong with it."""
    if given.problem or given.source is None:
        return given.problem or "is not there"
    try:
        return predictor.look(given.source, name=given.name)
    except DataError as error:
        return str(error).removeprefix(given.name).lstrip(":, ")


def _answer(predictor: Predictor, given: Given, found: Look | str) -> Answer:
    if isinstance(found, str):
        return Answer(picture=given.name, error=found)
    return Answer(picture=given.name, prediction=predictor.decide(predictor.infer(found.tensor), found))
