"""DermaMNIST: arrays become pictures to the byte; arrays of another kind, cut off or blown up, become an error."""

import zipfile

import numpy as np
import pytest
from PIL import Image

from edge_melanoma.data.sources import Request, source
from edge_melanoma.errors import DataError


def read(root):
    return source("dermamnist").read(Request(root=root, unpack=root / "unpacked"))


def refused(root, message):
    with pytest.raises(DataError, match=message):
        read(root)


def test_dermamnist_pictures_are_unpacked_to_the_byte(mini, tmp_path):
    listing = read(mini.dermamnist(tmp_path))
    found = {row["image_id"]: row for row in listing.table.to_dicts()}
    assert listing.unpacked
    arrays = np.load(tmp_path / "dermamnist.npz")
    with Image.open(tmp_path / "unpacked" / found["dermamnist_val_00001"]["image_path"]) as picture:
        assert np.array_equal(np.asarray(picture), arrays["val_images"][1])
    seven = [found[f"dermamnist_train_0000{n}"]["dx"] for n in range(7)]
    assert seven == ["AKIEC", "BCC", "BKL", "DF", "MEL", "NV", "VASC"]
    assert found["dermamnist_test_00000"]["centre"] == "dermamnist-test"
    assert listing.published_counts == {}
    assert any("known to be in several" in remark for remark in listing.remarks)


ARRAY = np.zeros((2, 28, 28, 3), np.uint8)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"val_labels": None}, r"lacks val_labels; DermaMNIST has train_images"),
        ({"val_labels": np.array([[0], [7]], np.uint8)}, "val_labels, row 1: has the label 7; labels are 0 to 6"),
        ({"val_labels": np.zeros((2, 14), np.uint8)}, r"val_labels: has the shape \(2, 14\)"),
        ({"val_labels": np.zeros((3, 1), np.uint8)}, r"val_images: has the shape \(2, 28, 28, 3\); 3 square"),
        ({"val_images": ARRAY[..., 0]}, r"val_images: has the shape \(2, 28, 28\)"),
        ({"val_images": ARRAY[:, :20]}, r"val_images: has the shape \(2, 20, 28, 3\)"),
        ({"val_images": ARRAY.astype(np.float32)}, "val_images: holds float32"),
        ({"val_images": np.array([{}, {}], object)}, "val_images: holds object"),
        ({"val_images": np.zeros((0, 28, 28, 3), np.uint8), "val_labels": np.zeros((0, 1), np.uint8)}, r"\(0, 1\)"),
    ],
)
def test_arrays_that_are_not_dermamnist_are_refused(arrays, message, mini, tmp_path):
    refused(mini.dermamnist(tmp_path, **arrays), message)
    assert not (tmp_path / "unpacked").exists()


@pytest.mark.parametrize("keep", [0, 100, 0.5, 0.99])
def test_a_cut_off_dermamnist_is_refused(keep, mini, tmp_path):
    file = mini.dermamnist(tmp_path) / "dermamnist.npz"
    data = file.read_bytes()
    file.write_bytes(data[: int(keep * len(data)) if keep < 1 else keep])
    refused(tmp_path, "dermamnist.npz: is broken")


def test_a_dermamnist_that_announces_more_than_it_holds_is_refused(mini, tmp_path):
    file = mini.dermamnist(tmp_path) / "dermamnist.npz"
    for announced, message in (((2, 28, 28, 3), "goes on after its last picture"), ((2, 1000, 1000, 3), "is broken")):
        with zipfile.ZipFile(file) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        header = np.lib.format.header_data_from_array_1_0(ARRAY) | {"shape": announced}
        with zipfile.ZipFile(file, "w") as archive:
            for name, data in members.items():
                with archive.open(name, "w") as stream:
                    if name == "val_images.npy":
                        np.lib.format.write_array_header_1_0(stream, header)
                        data = bytes(ARRAY.nbytes + 1)
                    stream.write(data)
        refused(tmp_path, message)


def test_several_sizes_of_dermamnist_ask_for_one(mini, tmp_path):
    mini.dermamnist(mini.dermamnist(tmp_path), name="dermamnist_64.npz")
    refused(tmp_path, "several sizes or editions, dermamnist.npz, dermamnist_64.npz")
