"""The command `initodds-advise`, on XOR."""

import sys
from pathlib import Path

import pandas as pd
import pytest

from initodds.commands import advise
from initodds.commands.advise import main
from initodds.sweeps.advising import AS_IT_IS, Advised, Trials, question, sentence, table_of
from initodds.sweeps.halving import Search, Tally
from initodds.sweeps.progress import Monitor
from initodds.tracking import loading, reading
from initodds.tracking.store import connect, search
from initodds.verdicts.remedies import Remedy
from tests.conftest import settings_of

XOR = ("data=xor", "sgd.batch_size=4", "network.hidden=[3]", "network.cost=cross_entropy", "sgd.epochs=300")


def answer(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["initodds-advise", *arguments])
    main()
    return capsys.readouterr().out


def test_a_symmetric_start_is_answered_and_the_answer_is_tracked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    asked = (*XOR, "init=zeros", "sgd.learning_rate=2")
    said = answer(tmp_path, monkeypatch, capsys, *asked)
    assert "16 symmetric" in said
    *_, sentence = said.strip().splitlines()
    assert sentence.startswith("Draw the weights with ")
    assert sentence.endswith(", 0 of 32 before.")
    store = loading.open_store("sqlite:///mlflow.db", None)
    (run,) = search(store, "tags.level = 'sweep'")
    assert sentence in run.data.tags["mlflow.note.content"]
    table = pd.read_csv(pd.io.common.BytesIO(reading.artifact(store, run.info.run_id, "advice.csv")))
    # The rates are those of tracked networks that were not looked at to choose.
    best = table.iloc[0]
    cells = {cell.asked.name: cell for cell in reading.tracked_cells(store, run.info.run_id)}
    frames = [reading.read_replicates(store, part.run.id) for part in cells[best["change"]].parts]
    frame = pd.concat(frames)
    fresh = frame[frame["replicate"] >= 16]
    assert (best["converged"], best["n"]) == ((fresh["outcome"] == "converged").sum(), len(fresh))
    assert best["n"] == 64
    before = len(search(store, "tags.level = 'cell'"))
    assert answer(tmp_path, monkeypatch, capsys, *asked).splitlines()[-1] == sentence
    assert len(search(store, "tags.level = 'cell'")) == before  # all of it was there
    assert len(search(store, "tags.level = 'sweep'")) == 1


def test_two_that_do_not_go_together_are_not_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Adam has no momentum of that name."""
    monkeypatch.chdir(tmp_path)
    trials = Trials(connect("sqlite:///mlflow.db", "advise"), settings_of(*XOR), {}, Monitor(0))
    adam, momentum = Remedy("Adam", {"optimizer": "adam"}), Remedy("Momentum", {"optimizer.momentum": 0.9})
    assert trials.both(adam, momentum) is None
    assert trials.both(adam, Remedy("Epochs", {"sgd.epochs": 3})) is not None


@pytest.mark.parametrize(
    ("first", "fresh", "replicate_cause", "said"),
    [
        (16, 32, "", "Nothing needs to be changed: 48 of 48 converge (100 % [93, 100]) as it is."),
        (16, 29, "", "Too few fail for a change to be seen to help: 45 of 48 converge (94 % [83, 98]) as it is."),
        (
            16,
            32,
            "units_dead",
            "Too few fail for a change to be seen to help: 48 of 48 converge (100 % [93, 100]) as it is.",
        ),
        (12, 20, "", "Nothing is known that would be worth trying: 20 of 32 converge as it is."),
    ],
)
def test_what_is_said_rests_on_all_networks_that_were_looked_at(
    first: int, fresh: int, replicate_cause: str, said: str
):
    before = Tally(AS_IT_IS, 16, first, 32, fresh)
    causes = {"units_dead": 16 - first} if first < 16 else {}
    assert sentence(Advised(before, causes, Search(), {}, replicate_cause)) == said


def test_what_was_looked_at_longer_stands_before_what_was_dropped_early():
    dropped, kept = (
        Tally(Remedy("Adam", {"optimizer": "adam"}), 4, 4),
        Tally(Remedy("Epochs", {"sgd.epochs": 3}), 16, 15),
    )
    table = table_of(Advised(Tally(AS_IT_IS, 16, 0, 32, 0), {}, Search([dropped, kept])))
    assert table["change"].tolist() == ["as it is", "sgd.epochs=3", "optimizer=adam"]


@pytest.mark.soak
def test_where_all_is_well_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    well = (*XOR, "network.hidden=[8]", "init=gaussian", "sgd.learning_rate=2", "sgd.epochs=1000")
    assert "Nothing needs to be changed: 48 of 48 converge" in answer(tmp_path, monkeypatch, capsys, *well)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["data=xor", "sgd.batch_size=4", "--budget", "0"], "--budget=0: minutes, a number over 0"),
        (["abc", "init=unit"], "abc: a RUN_ID alone, or KEY=VALUE ..."),
        (["init=nothing"], "init"),
    ],
)
def test_bad_input_is_answered_in_a_line(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["initodds-advise", *arguments])
    with pytest.raises(SystemExit, match="initodds-advise: ") as ended:
        advise.main()
    assert said in str(ended.value)
    assert "\n" not in str(ended.value)


def test_replicates_of_one_cell_with_other_causes_are_other_questions(tmp_path: Path):
    store = connect(f"sqlite:///{tmp_path}/mlflow.db", "advise")
    settings = settings_of(*XOR)
    ids = []
    for cause in ("", "dead_examples", "unsteady", "dead_examples"):
        with question(store, settings, cause, "advise") as run:
            ids.append(run.id)
    assert len({*ids[:3]}) == 3
    assert ids[3] == ids[1]
