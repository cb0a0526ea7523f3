"""Addresses that cannot be used are told in one line, soon, and leave nothing behind."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from initodds import analysis
from initodds.tracking import loading, writers
from initodds.tracking import store as store_module
from initodds.vocabulary import InputError


def refused(uri: str) -> InputError:
    with pytest.raises(InputError) as raised:
        store_module.connect(uri, "test")
    message = str(raised.value)
    assert "\n" not in message
    assert message.startswith("tracking.uri=")
    return raised.value


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("postgresql://user:secret@nohost.invalid/x", "cannot be reached"),
        ("postgresql://127.0.0.1:9/x", "cannot be reached"),
        ("mysql://host/x", "the Python package that talks to such a database is missing (No module named 'MySQLdb')"),
        ("sqlite:////proc/x.db", "cannot be written or reached"),
        ("sqlite:////nowhere/x.db", "cannot be written or reached"),
        ("sqlite://", "a file is needed"),
        ("sqlite:///:memory:", "a file is needed"),
        ("sqlite:///a?mode=ro", "nor options after one"),
        ("sqlite:///a#b", "MLflow takes no #"),
        ("sqlite:///a%20b", "MLflow takes no %"),
        ("sqlite:///it's.db", "MLflow takes no '"),
        ("foo://bar", "foo"),
    ],
)
def test_what_cannot_be_used_is_one_line_and_leaves_nothing(uri: str, message: str, folder: Path):
    error = refused(uri)
    assert message in str(error)
    assert "secret" not in str(error)
    assert not list(folder.iterdir())


@pytest.mark.parametrize("name", ["sp a'ce", "a#b", "pc%20t", "what?"])
def test_a_folder_that_mlflow_does_not_take_is_told(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch):
    (folder / name).mkdir()
    monkeypatch.chdir(folder / name)
    assert "MLflow takes no" in str(refused("sqlite:///mlflow.db"))
    assert not list((folder / name).iterdir())


def test_a_folder_with_spaces_and_letters_of_all_kinds_is_fine(folder: Path, monkeypatch: pytest.MonkeyPatch):
    (folder / 'sp ace "q" é').mkdir()
    monkeypatch.chdir(folder / 'sp ace "q" é')
    store = store_module.connect("sqlite:///mlflow.db", "test")
    with store_module.open_run(store, "a", "cell", None, {}) as run:
        run.client.log_text(run.id, "text", "a.txt")
    assert list(Path.cwd().glob("mlruns/test/*/artifacts/a.txt"))


def test_the_database_of_another_program_is_left_alone(folder: Path):
    with closing(sqlite3.connect("other.db")) as connection:
        connection.execute("CREATE TABLE experiences (a)")
    before = Path("other.db").read_bytes()
    assert "is a database of another program" in str(refused("sqlite:///other.db"))
    assert Path("other.db").read_bytes() == before
    with pytest.raises(InputError, match="another program"):
        analysis.load_replicates("sqlite:///other.db")


def test_an_empty_file_becomes_a_store(folder: Path):
    Path("empty.db").touch()
    assert store_module.connect("sqlite:///empty.db", "test").experiment_id


def test_artifacts_go_beside_the_database_wherever_the_command_runs(folder: Path, monkeypatch: pytest.MonkeyPatch):
    (folder / "stores").mkdir()
    (folder / "here").mkdir()
    monkeypatch.chdir(folder / "here")
    store = store_module.connect(f"sqlite:///{folder}/stores/runs.db", "my test/1")
    with store_module.open_run(store, "a", "cell", None, {}) as run:
        run.client.log_text(run.id, "text", "a.txt")
    assert list(folder.glob("stores/mlruns/my-test-1/*/artifacts/a.txt"))
    assert not list((folder / "here").iterdir())


def test_reading_writes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch):
    store_module.connect("sqlite:///runs.db", "test")
    statements: list[str] = []
    connect = sqlite3.connect

    def watched(*arguments: object, **options: object) -> sqlite3.Connection:
        connection = connect(*arguments, **options)
        connection.set_trace_callback(statements.append)
        return connection

    monkeypatch.setattr(sqlite3, "connect", watched)
    store_module.client_of("sqlite:///runs.db", "--uri", to_write=False)
    assert statements
    assert not [text for text in statements if not text.upper().startswith(("SELECT", "PRAGMA MAIN."))]
    with pytest.raises(InputError, match=r"^--uri=sqlite:///none\.db: no such file"):
        loading.open_store("sqlite:///none.db", None, "--uri")


def test_a_store_in_a_folder_that_cannot_be_written_is_read(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """SQLite cannot open a file with a log there, unless somebody else has it open."""
    store = store_module.connect("sqlite:///runs.db", "test")
    with store_module.open_run(store, "a", "cell", None, {}):
        pass
    connect = sqlite3.connect

    def refusing(database: object, **options: object) -> sqlite3.Connection:
        if str(database).startswith((str(folder / "runs.db"), (folder / "runs.db").as_uri())):
            raise sqlite3.OperationalError("unable to open database file")
        return connect(database, **options)

    monkeypatch.setattr(sqlite3, "connect", refusing)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    read = loading.open_store("sqlite:///runs.db", "test")
    assert [run.info.run_name for run in store_module.search(read, "tags.level = 'cell'")] == ["a"]
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_server_that_does_not_exist_is_not_waited_for():
    program = "from initodds.commands.run import main; main()"
    arguments = ["tracking.uri=postgresql://nohost.invalid/y", "tracking.patience=1", "data=digits"]
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("initodds: tracking.uri=postgresql://nohost.invalid/y: cannot be reached")


def test_no_password_is_kept(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "argv", ["initodds", "tracking.uri=postgresql://me:secret@host:5432/x", "seed=3"])
    assert writers.environment()["command"] == "initodds tracking.uri=postgresql://me:***@host:5432/x seed=3"
    assert writers.shown("http://127.0.0.1:5000") == "http://127.0.0.1:5000"


def test_a_users_runs_say_who_and_what_wrote_them():
    writers.provenance.cache_clear()
    tags = writers.provenance()
    assert tags["mlflow.source.name"] == "initodds"
    assert len(tags.get("mlflow.source.git.commit", "0" * 40)) == 40
