"""A C file is compiled once, and where it cannot be, one line says why."""

import ctypes
import os
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from initodds.engines import building
from tests.conftest import needs_compiler


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder that libraries are kept in."""
    monkeypatch.setattr(building.pooch, "os_cache", lambda name: tmp_path / name)
    building.library.cache_clear()
    yield tmp_path / "initodds" / "compiled"
    building.library.cache_clear()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "answer.c"
    path.write_text("int answer(void) { return ANSWER; }\n")
    return path


def answer(source: Path, macro: str = "ANSWER=42") -> int:
    building.library.cache_clear()  # as another process
    library = building.library(source, macro)
    assert isinstance(library, ctypes.CDLL), library
    return library.answer()


@needs_compiler
def test_a_library_is_compiled_once_for_each_source_and_macro(
    cache: Path, source: Path, monkeypatch: pytest.MonkeyPatch
):
    assert answer(source) == 42
    assert answer(source, "ANSWER=43") == 43
    assert len(list(cache.iterdir())) == 2
    monkeypatch.setattr(building, "_compile", None)
    assert answer(source) == 42
    monkeypatch.undo()


@needs_compiler
def test_one_for_another_processor_is_not_loaded(cache: Path, source: Path, monkeypatch: pytest.MonkeyPatch):
    assert answer(source) == 42
    monkeypatch.setattr(building, "_processor", lambda: "one without AVX")
    assert answer(source) == 42
    assert len(list(cache.iterdir())) == 2


@pytest.fixture
def compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A compiler that CC names, a script that calls the one that there is."""
    path = tmp_path / "mycc"
    path.write_text(f'#!/bin/sh\nexec {shlex.join(building._compiler())} "$@"\n')
    path.chmod(0o755)
    monkeypatch.setenv("CC", str(path))
    return path


@needs_compiler
def test_one_by_another_compiler_is_not_loaded(cache: Path, source: Path, compiler: Path):
    assert [answer(source) for _ in range(2)] == [42, 42]
    assert len(list(cache.iterdir())) == 1
    os.utime(compiler, (0, 0))  # another version
    assert answer(source) == 42
    assert len(list(cache.iterdir())) == 2


@needs_compiler
def test_one_is_loaded_where_the_compiler_is_gone(cache: Path, source: Path, monkeypatch: pytest.MonkeyPatch):
    assert answer(source) == 42
    monkeypatch.setattr(building, "_compiler", list)
    assert answer(source) == 42
    assert str(building.library(source, "ANSWER=43")).startswith("there is no C compiler")


@needs_compiler
def test_where_the_processor_is_not_told_the_library_is_for_any(
    cache: Path, source: Path, compiler: Path, monkeypatch: pytest.MonkeyPatch
):
    said = compiler.with_name("said")
    compiler.write_text(compiler.read_text().replace("exec", f'echo "$@" >> {said}\nexec'))
    assert answer(source) == 42
    monkeypatch.setattr(building, "PROCESSOR", cache / "none")
    assert answer(source) == 42
    told, not_told = said.read_text().splitlines()
    assert building.NATIVE in told
    assert "native" not in not_told


@needs_compiler
@pytest.mark.parametrize("damage", [lambda content: content[:3000], lambda content: content[:-1] + b"?"])
def test_a_damaged_library_is_compiled_anew(cache: Path, source: Path, damage: Callable[[bytes], bytes]):
    assert answer(source) == 42
    (path,) = cache.iterdir()
    content = path.read_bytes()
    path.unlink()  # this process has it open
    path.write_bytes(damage(content))
    assert answer(source) == 42


@needs_compiler
def test_one_that_this_system_cannot_load_is_compiled_anew(cache: Path, source: Path):
    assert answer(source) == 42
    (path,) = cache.iterdir()
    key = path.stem.rpartition("-")[0]
    path.unlink()
    (cache / f"{key}-{building._digest(b'no library')}.so").write_bytes(b"no library")
    assert answer(source) == 42


@needs_compiler
def test_what_was_not_loaded_for_long_is_removed(cache: Path, source: Path):
    assert answer(source) == 42
    (used,) = cache.iterdir()
    old = cache / "of-an-earlier-version.so"
    old.write_bytes(b"old")
    (cache / "tmpkilled").mkdir()
    for path in (old, cache / "tmpkilled", used):
        os.utime(path, (0, 0))
    assert answer(source) == 42  # which is loaded, and so is used
    assert old.exists()
    assert answer(source, "ANSWER=43") == 43
    assert used.exists()
    assert len(list(cache.iterdir())) == 2


def test_what_is_wrong_is_said_in_one_line(cache: Path, source: Path, monkeypatch: pytest.MonkeyPatch):
    def said() -> str:
        building.library.cache_clear()
        return str(building.library(source))

    monkeypatch.setenv("CC", "no-such-compiler -O9")
    assert said().startswith("the C compiler no-such-compiler -O9 does not run: ")
    monkeypatch.setenv("CC", "false")
    assert said() == "the C compiler false fails: it does not say why"
    monkeypatch.delenv("CC")
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(building.importlib.util, "find_spec", lambda name: None)
    assert said() == "there is no C compiler (cc, gcc or clang, or the package ziglang)"
    monkeypatch.undo()


@needs_compiler
def test_an_error_of_the_compiler_is_said(cache: Path, source: Path):
    failed = str(building.library(source))  # without ANSWER
    assert failed.startswith("the C compiler ")
    assert "ANSWER" in failed
    assert "\n" not in failed
    assert list(cache.iterdir()) == []


def test_a_cache_that_cannot_be_written_is_said(cache: Path, source: Path):
    cache.parent.write_text("a file")
    assert isinstance(building.library(source, "ANSWER=42"), building.BuildError)
