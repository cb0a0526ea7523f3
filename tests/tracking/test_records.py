import numpy as np

from initodds.cells import cell
from initodds.tracking import records
from tests.conftest import settings_of

SMALL = ("data=digits", "network.hidden=[5,4]", "sgd.epochs=2", "replicates=5", "sgd.batch_size=100")


def test_a_row_has_what_its_replicate_ended_with_and_its_diagnosis():
    trained = cell.run(settings_of(*SMALL, "init=unit", "diagnosis.escape=true"))
    frame = records.replicates_frame(trained)
    assert frame["replicate"].tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal(frame["accuracy"], trained.history.score[-1])
    np.testing.assert_array_equal(frame["recall_3"], trained.history.part_scores[-1, :, 3])
    found = trained.diagnosis
    assert found is not None
    assert frame["cause"].tolist() == found.cause.tolist()
    np.testing.assert_allclose(frame["gradient_norm_layer_2"], found.symptoms.gradient[:, 1])
    assert frame["explanation"].str.len().min() > 50
    assert [name for name in frame if name.startswith("escaped_")] == [
        "escaped_unchanged",
        "escaped_steps_x10",
        "escaped_rate_x10",
        "escaped_rate_div10",
        "escaped_noise",
        "escaped_float64",
    ]


def test_who_was_not_diagnosed_has_no_words_and_no_numbers():
    halfway = (
        "network.hidden=[5]",
        "sgd.epochs=8",
        "sgd.batch_size=20",
        "outcome.target=0.73",
        "outcome.dead_recall=0",
    )
    trained = cell.run(settings_of(*SMALL, *halfway))
    converged = trained.judgement.outcome == "converged"
    assert 0 < converged.sum() < 5
    frame = records.replicates_frame(trained)
    assert (frame.loc[converged, ["cause", "point", "explanation"]] == "").all(axis=None)
    assert frame.loc[converged, "gradient_norm"].isna().all()
    assert (frame.loc[~converged, "cause"] != "").all()
    none = records.replicates_frame(cell.run(settings_of(*SMALL, "diagnosis.of=none")))
    assert (none["cause"] == "").all()


def test_weights_are_kept_whole():
    trained = cell.run(settings_of(*SMALL))
    arrays = records.weights_arrays(trained, np.array([1, 4]))
    for layers, place in zip(records.layers_of(arrays), (1, 4), strict=True):
        for (w, b), (v, c) in zip(layers, trained.history.layers[place], strict=True):
            np.testing.assert_array_equal(w, v)
            np.testing.assert_array_equal(b, c)


def test_checkpoints_are_the_histories_in_rows():
    trained = cell.run(settings_of(*SMALL), first=2)
    frame = records.checkpoints_frame(vars(trained.history), trained.replicates)
    of_one = frame[frame["replicate"] == 3]
    assert of_one["step"].tolist() == trained.history.steps.tolist()
    np.testing.assert_array_equal(of_one["cost"], trained.history.cost[:, 1])
