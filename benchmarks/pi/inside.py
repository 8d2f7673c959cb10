"""What is asked of the device beyond the command line, run on it and, to compare, on this machine: JSON out.

    vectors GOLDEN_JSON        tensors of the golden pictures, by hash
    outputs BUNDLE FOLDER      what the model returns for pictures, and what is decided
    infer MODEL COUNT          nothing but that many inferences

Run: python -m edge_melanoma.benchmarks.pi.inside vectors tests/golden/golden.json
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from edge_melanoma.bundle import open_bundle, read_bundle
from edge_melanoma.bundle.archive import has_archive
from edge_melanoma.picture import PictureError
from edge_melanoma.preprocess import PreprocessContract
from edge_melanoma.runtime import Model, engine


def vectors(golden: str) -> dict[str, Any]:
    """The SHA-256 of the tensor of every golden vector, and the reason for which a picture is refused."""
    pictures, asked = Path(golden).parent / "pictures", json.loads(Path(golden).read_text(encoding="utf-8"))
    wanted = [(pictures / one["picture"], PreprocessContract.from_json(one["contract"])) for one in asked["vectors"]]
    small = PreprocessContract(width=32, height=32)
    return {
        "tensors": [_hash_of(picture, contract) for picture, contract in wanted],
        "refusals": [_refusal_of(pictures / one["picture"], small) for one in asked["refusals"]],
    }


def _hash_of(picture: Path, contract: PreprocessContract) -> str:
    return hashlib.sha256(contract.to_tensor(picture).tobytes()).hexdigest()


def _refusal_of(picture: Path, contract: PreprocessContract) -> str | None:
    try:
        contract.to_tensor(picture)
    except PictureError as error:
        return error.reason
    return None


def outputs(bundle: str, folder: str) -> dict[str, Any]:
    """For every picture that is taken the model's own numbers (its type, not yet logits), the logits, the decision."""
    opened = open_bundle(Path(bundle))
    model = Model(opened.model, threads=1, name=opened.name)
    found = {}
    for picture in sorted(Path(folder).iterdir()):
        try:
            raw = model.raw(opened.contract.to_tensor(picture)[None])
        except PictureError:
            continue
        logits = model.output.logits(raw)
        (decision,) = opened.rule.decisions(opened.rule.probability(logits))
        found[picture.name] = {"raw": raw[0].tolist(), "logits": logits[0].tolist(), "decision": decision}
    return {"format": opened.manifest.model.format, "dtype": model.output.dtype, "pictures": found}


def infer(path: str, count: str) -> dict[str, Any]:
    """Run a model that often on whatever its input holds: how much that is does not depend on it."""
    data, name = Path(path).read_bytes(), Path(path).name
    model = read_bundle(data, name=name).model if has_archive(data) else data
    interpreter = engine().interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    for _ in range(int(count)):
        interpreter.invoke()
    return {"inferences": int(count)}


PROGRAMS: Mapping[str, Callable[..., dict[str, Any]]] = {"vectors": vectors, "outputs": outputs, "infer": infer}


def main(arguments: Sequence[str]) -> None:
    """Run one of the programs and print what it returns."""
    print(json.dumps(PROGRAMS[arguments[0]](*arguments[1:])))


if __name__ == "__main__":
    main(sys.argv[1:])
