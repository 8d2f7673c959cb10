"""Every picture decoded and resized once by the contract, kept as uint8 where all processes can map it.

`memory` keeps the tensors in the system's shared memory until the training ends, `disk` keeps them in the user's cache
folder for the next training on the same pictures; both are one .npy file that workers map without copying it.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge_melanoma.cache import cache_folder
from edge_melanoma.data.pictures import Picture
from edge_melanoma.errors import ArtifactError, DataError
from edge_melanoma.parallel import OnProgress, iterate_over_cores, silent
from edge_melanoma.preprocess import PreprocessContract

SHARED_MEMORY = Path("/dev/shm")
NAME = "tensors.npy"
PREFIX = "edge-melanoma-tensors-"  # then the process that made it


@dataclass(frozen=True, kw_only=True)
class TensorCache:
    """Tensors by row, in a file that any process can map."""

    path: Path
    temporary: Path | None  # the folder to remove at the end

    def open(self) -> NDArray[np.uint8]:
        """The tensors [row, H, W, 3], mapped."""
        tensors: NDArray[np.uint8] = np.load(self.path, mmap_mode="r", allow_pickle=False)
        return tensors

    def close(self) -> None:
        """Give back what was kept for this training only."""
        if self.temporary is not None:
            shutil.rmtree(self.temporary, ignore_errors=True)


def make_cache(
    pictures: Sequence[Picture],
    identities: Sequence[str],
    contract: PreprocessContract,
    kind: Literal["memory", "disk"],
    *,
    workers: int | None = None,
    on_progress: OnProgress = silent,
) -> TensorCache:
    """The tensors of these pictures; `identities`, the hashes of their bytes, find a kept file again."""
    shape = (len(pictures), contract.height, contract.width, 3)
    size = int(np.prod(shape, dtype=np.int64))
    path, temporary = _kept_at(contract, identities) if kind == "disk" else SHARED_MEMORY / NAME, None
    try:
        if kind == "memory":
            temporary = _temporary_folder(size)
            path = temporary / NAME
        elif path.is_file():
            on_progress(len(pictures), len(pictures))
            return TensorCache(path=path, temporary=None)
        path.parent.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(path.parent).free < size * 1.05:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        _fill(path, pictures, contract, shape, workers=workers, on_progress=on_progress)
    except OSError as error:
        _remove(temporary)
        raise _no_place(path, kind, size, error) from error
    except BaseException:
        _remove(temporary)
        raise
    return TensorCache(path=path, temporary=temporary)


def _kept_at(contract: PreprocessContract, identities: Sequence[str]) -> Path:
    key = hashlib.sha256("\n".join([contract.sha256, *identities]).encode()).hexdigest()
    return cache_folder() / "tensors" / f"{key}.npy"


def _no_place(path: Path, kind: str, size: int, error: OSError) -> ArtifactError:
    home = "XDG_CACHE_HOME" if kind == "disk" else "TMPDIR"
    return ArtifactError(
        f"{error.filename or path.parent}: the tensors, {size / 1e9:.2g} GB, cannot be kept there "
        f"({error.strerror or error}); make room there, or name another place in {home}"
    )


def _remove(folder: Path | None) -> None:
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)


def _temporary_folder(size: int) -> Path:
    roomy = SHARED_MEMORY.is_dir() and shutil.disk_usage(SHARED_MEMORY).free > size * 1.2
    for base in (SHARED_MEMORY, Path(tempfile.gettempdir())):
        _sweep(base)
    return Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=SHARED_MEMORY if roomy else None))


def _sweep(base: Path) -> None:
    """Remove what a killed training could not."""
    for folder in base.glob(f"{PREFIX}*-*"):
        owner = folder.name.removeprefix(PREFIX).partition("-")[0]
        if owner.isdigit() and not Path(f"/proc/{owner}").exists() and Path("/proc/self").exists():
            shutil.rmtree(folder, ignore_errors=True)


def _fill(
    path: Path,
    pictures: Sequence[Picture],
    contract: PreprocessContract,
    shape: tuple[int, ...],
    *,
    workers: int | None,
    on_progress: OnProgress,
) -> None:
    draft = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        tensors = np.lib.format.open_memmap(draft, mode="w+", dtype=np.uint8, shape=shape)
        _take_room(draft)
        decode = _Decode(contract=contract)
        for row, tensor in enumerate(iterate_over_cores(decode, pictures, workers=workers, on_progress=on_progress)):
            tensors[row] = tensor
        tensors.flush()
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _take_room(file: Path) -> None:
    """Have the blocks of a sparse file now: wanting later, they would end the process in the middle of a picture."""
    if hasattr(os, "posix_fallocate"):
        with file.open("r+b") as stream:
            os.posix_fallocate(stream.fileno(), 0, file.stat().st_size)


@dataclass(frozen=True, kw_only=True)
class _Decode:
    """Sent to other processes."""

    contract: PreprocessContract

    def __call__(self, picture: Picture) -> NDArray[np.uint8]:
        try:
            return self.contract.to_tensor(picture.read(), name=picture.name)
        except DataError as error:
            raise DataError(
                f"{error} (picture {picture.image_id}; `edge-melanoma data audit` lists all of these)"
            ) from None
