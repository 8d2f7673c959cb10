"""The folders below a root, read once: where the tables and the pictures of a data set lie.

A link to a folder elsewhere is followed (large data sets live on other disks), each folder once; a link back into the
root or above it is not, so a loop ends. Hidden folders and what macOS adds to archives are passed over.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import polars as pl

from edge_melanoma.data.sources import Request, Source
from edge_melanoma.errors import DataError

SUFFIXES = (".jpg", ".jpeg", ".png")
TABLE_LEVELS = 3  # root too high by one, an archive unpacked into a folder of its name, and the published folder
_COMPARED = 64  # of pictures that are there twice, how many are compared byte by byte; all are compared by size


@dataclass(frozen=True, kw_only=True)
class Tree:
    """Every folder below a root with the names of its files, both in order: the root first, then level by level."""

    root: Path
    folders: Mapping[str, tuple[str, ...]]  # folder relative to the root ("" is the root itself) -> names of files

    def files(self, name: str) -> list[str]:
        """Where a file of that name is, whatever its case, down to TABLE_LEVELS."""
        found = [
            join(folder, file)
            for folder, files in self.folders.items()
            if level(folder) <= TABLE_LEVELS
            for file in files
            if file.lower() == name.lower()
        ]
        return [path for path in found if PurePosixPath(path).name == name] or found

    def below(self, folder: str) -> list[str]:
        """The names of the folders directly in this one."""
        return [name for path in self.folders if path and (name := PurePosixPath(path).name) and parent(path) == folder]


def read_tree(request: Request) -> Tree:
    """The folders below the root; without pictures only as deep as tables lie."""
    root = request.root
    try:
        what = "" if root.is_dir() else "is a file" if root.exists() else "does not exist"
    except OSError as error:
        what = f"cannot be read ({error.strerror or error})"
    if what:
        raise DataError(f"{root}: {what}; give the folder that holds the data set")
    depth = None if request.with_pictures else TABLE_LEVELS
    folders = sorted(_walk(root, depth), key=lambda entry: (level(entry[0]), entry[0]))
    return Tree(root=root, folders=dict(folders))


def _walk(root: Path, depth: int | None) -> Iterator[tuple[str, tuple[str, ...]]]:
    home = root.resolve()
    elsewhere: set[Path] = set()
    pending = [""]
    while pending:
        folder = pending.pop()
        files = []
        for entry in _entries(root, folder):
            if entry.name.startswith(".") or entry.name == "__MACOSX":
                continue
            if _is(entry, "file"):
                files.append(entry.name)
            elif _is(entry, "dir") and (depth is None or level(folder) < depth) and _leads_on(entry, home, elsewhere):
                pending.append(join(folder, entry.name))
        yield folder, tuple(sorted(files))


def _entries(root: Path, folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(root / folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)  # which of two links is followed depends on it
    except OSError as error:
        raise DataError(
            f"{root / folder}: cannot be read ({error.strerror or error}); allow it, or give another folder"
        ) from error
    for entry in found:
        try:
            entry.name.encode()
        except UnicodeEncodeError as error:
            raise DataError(f"{root / folder}: the name of {entry.name!r} is not UTF-8; rename it") from error
    return found


def _is(entry: os.DirEntry[str], kind: str) -> bool:
    """What an entry, or the end of a link, is; a broken link and one that leads to itself are nothing."""
    asked = Path(entry.path) if entry.is_symlink() else entry
    try:
        return asked.is_file() if kind == "file" else asked.is_dir()
    except OSError:  # a link to where we may not look
        return False


def _leads_on(entry: os.DirEntry[str], home: Path, elsewhere: set[Path]) -> bool:
    """False for a link into the root, above it, or to where another link has led already."""
    if not entry.is_symlink():
        return True
    target = Path(entry.path).resolve()
    if (
        target in (home, *home.parents)
        or home in target.parents
        or any(t in (target, *target.parents) for t in elsewhere)
    ):
        return False
    elsewhere.add(target)
    return True


def level(folder: str) -> int:
    """How many folders below the root."""
    return folder.count("/") + 1 if folder else 0


def join(folder: str, name: str) -> str:
    """A path below a folder, both relative to the root; "." is the folder itself."""
    if name == ".":
        return folder
    return f"{folder}/{name}" if folder else name


def parent(path: str) -> str:
    """The folder that a file or folder lies in, relative to the root."""
    return path.rpartition("/")[0]


def look_for(tree: Tree, names: Sequence[str]) -> str | None:
    """The one file with one of these names nearest to the root; in one folder, the first of the names."""
    found = {parent(path): path for name in reversed(names) for path in tree.files(name)}
    nearest = min(map(level, found), default=0)
    choice = [path for folder, path in found.items() if level(folder) == nearest]
    if len(choice) > 1:
        raise DataError(
            f"{tree.root}: holds {len(choice)} data sets, {', '.join(sorted(choice))}; give the folder of one of them"
        )
    return choice[0] if choice else None


def find_table(tree: Tree, names: Sequence[str], source: Source) -> str:
    """As look_for, and an error that says how the data set is laid out where there is none."""
    found = look_for(tree, names)
    if found is None:
        raise not_laid_out(tree, names, source)
    return found


def not_laid_out(tree: Tree, names: Sequence[str], source: Source) -> DataError:
    """The root holds none of the tables: what was looked for, and how the data set is published."""
    above = [folder for folder in list(tree.root.resolve().parents)[:2] if _holds(folder, names)]
    hint = f"; {above[0]} has it: give that folder" if above else ""
    return DataError(f"{tree.root}: holds no {' or '.join(names)}{hint}; {source.title} as published: {gist(source)}")


def _holds(folder: Path, names: Sequence[str]) -> bool:
    try:
        return any((folder / name).is_file() for name in names)
    except OSError:
        return False


def gist(source: Source) -> str:
    """The published layout in one line."""
    return ", ".join(line.strip() for line in source.layout.strip().splitlines())


def folders_called(tree: Tree, names: Sequence[str]) -> list[str]:
    """Folders of these names anywhere below the root, in the order of the names; the exact spelling goes first."""
    last = {folder: PurePosixPath(folder).name for folder in tree.folders if folder}
    found = [
        folder
        for name in names
        for folder in sorted(last, key=lambda folder: (last[folder] != name, level(folder), folder))
        if last[folder].lower() == name.lower()
    ]
    return list(dict.fromkeys(found))


def folders_beside(tree: Tree, table: str, paths: Sequence[str]) -> list[str]:
    """Folders at these paths from the folder of the table ("." is that folder), in that order, whatever their case."""
    wanted = [join(parent(table), path).lower() for path in paths]
    found = [folder for path in wanted for folder in tree.folders if folder.lower() == path]
    return list(dict.fromkeys(found))


@dataclass(frozen=True, kw_only=True)
class Located:
    """A table with its image_path, and the files that no row of it names."""

    table: pl.DataFrame
    orphans: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def locate(
    table: pl.DataFrame, tree: Tree, folders: Sequence[str], request: Request, *, suffixes: Sequence[str] = SUFFIXES
) -> Located:
    """Give each image_id the file of that name in the first of the folders that has it, or null."""
    if not request.with_pictures:
        return Located(table=table.with_columns(image_path=pl.lit(None, pl.String)))
    files = picture_files(tree, folders, suffixes=suffixes)
    first = files.unique("image_id", keep="first", maintain_order=True)
    again = files.join(first, on="image_path", how="anti").join(first.rename({"image_path": "first"}), on="image_id")
    _require_same(again.sort("image_id", "image_path"), tree.root)
    where = f"{again.height:,} pictures are there twice, alike; taken from {', '.join(f or '.' for f in folders[:2])}"
    return Located(
        table=table.join(first, on="image_id", how="left", maintain_order="left"),
        orphans=tuple(first.join(table, on="image_id", how="anti")["image_path"].sort()),
        remarks=(where,) if again.height else (),
    )


def picture_files(tree: Tree, folders: Sequence[str], *, suffixes: Sequence[str] = SUFFIXES) -> pl.DataFrame:
    """The picture files of these folders with their name less its suffix as image_id, in the order of the folders."""
    rows = [
        (name.rpartition(".")[0], join(folder, name))
        for folder in folders
        for name in tree.folders[folder]
        if _is_picture(name, suffixes)
    ]
    marked = next((path for _, path in rows if "#" in path), None)
    if marked:
        raise DataError(f"{tree.root / marked}: a path with '#' cannot be indexed ('#' marks containers); rename it")
    return pl.DataFrame(rows, schema={"image_id": pl.String, "image_path": pl.String}, orient="row")


def _is_picture(name: str, suffixes: Sequence[str]) -> bool:
    """By its suffix; the mask of a lesion lies beside its picture in some copies, and is none."""
    stem, dot, suffix = name.lower().rpartition(".")
    return bool(dot) and f".{suffix}" in suffixes and not stem.endswith("_segmentation")


def _require_same(again: pl.DataFrame, root: Path) -> None:
    """Refuse two pictures of one id that differ: which of them is meant is not ours to choose."""
    pairs = list(zip(again["first"], again["image_path"], strict=True))
    differ = next((pair for pair in pairs if len({(root / path).stat().st_size for path in pair}) > 1), None)
    if differ is None:
        some = pairs[:: max(1, len(pairs) // _COMPARED)]
        differ = next((pair for pair in some if len({(root / path).read_bytes() for path in pair}) > 1), None)
    if differ:
        raise DataError(f"{root}: {differ[0]} and {differ[1]} have one id and differ; leave the one that is meant")
