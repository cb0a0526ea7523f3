"""What MkDocs makes pages of: the repository's own files, where they lie there, and each package's docstrings."""

import html
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import griffe
from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
SHOWN = ("*.md", "CITATION.cff", "LICENSE", "docs", "notebooks", "experiments", "examples", "conf", "src")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Each pattern in the list of pages, replaced by the files that it fits."""
    for entry in config.nav:
        entry.update({title: _tracked(item) for title, item in entry.items() if "*" in item})
    return config


@event_priority(100)  # before the notebooks are looked for
def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Every tracked file, at its place in the repository, so that the links between them hold; and the reference."""
    pages = [file for file in files if file.src_dir != config.docs_dir]  # the theme's
    pages += [File(path, str(ROOT), config.site_dir, config.use_directory_urls) for path in _tracked(*SHOWN)]
    pages += [File.generated(config, f"api/{name}.md", content=content) for name, content in _reference()]
    return Files(pages)


def _tracked(*patterns: str) -> list[str]:
    """The paths in the repository that fit."""
    found = ["git", "ls-files", "-z", *(f":(glob){pattern}" for pattern in patterns)]
    return subprocess.run(found, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")[:-1]


def on_page_content(content: str, **_: Any) -> str:
    """A page whose formulas need no script."""
    if "<p>$$" not in content:
        return content
    formula = r"\$\$(?P<block>[^$]+)\$\$|\$(?P<inline>[^$\n]+)\$"
    prose = re.compile(r"(?<=<p>).*?(?=</p>)", re.DOTALL)
    return prose.sub(lambda paragraph: re.sub(formula, _formula, paragraph[0]), content)


def _formula(found: re.Match[str]) -> str:
    latex, display = html.unescape(found[found.lastgroup]), found.lastgroup
    return str(convert(latex, display=display))


def _reference() -> Iterator[tuple[str, str]]:
    """Name and text of each page of the reference: the front door, and a page for each package."""
    yield "initodds", _front_door()
    packages = (path.parent.name for path in (ROOT / "src" / "initodds").glob("*/__init__.py"))
    for name in (*packages, "vocabulary"):
        yield name, f"# initodds.{name}\n\n::: initodds.{name}\n"


def _front_door() -> str:
    """The names that `import initodds` has, each with the first sentence of its docstring and a link to the rest."""
    package = griffe.load("initodds", search_paths=[ROOT / "src"])
    lines = ["# initodds", "", "::: initodds", "    options: {members: false}", ""]
    for name in package.exports or ():
        found = package[str(name)]
        if found.is_alias and found.docstring:
            first = re.split(r"(?<=\.)\s|\n\n", found.docstring.value, maxsplit=1)[0]
            lines.append(f"- [`{name}`][{found.target_path}]: {' '.join(first.split())}")
    return "\n".join(lines)


class Docstrings(griffe.Extension):
    """Docstrings as Markdown wants them: examples as code, what is said of each argument as a list, names as links."""

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        for item in _objects(pkg):
            if item.docstring:
                item.docstring.value = _markdown(item.docstring.value, item)
            item.exports = None  # each object stands where it is defined, and there alone
            if isinstance(item, griffe.Attribute) and len(str(item.value)) > _LONGEST:
                item.value = None


def _objects(item: griffe.Object) -> Iterator[griffe.Object]:
    yield item
    for member in item.members.values():
        if not member.is_alias:
            yield from _objects(member)


def _markdown(docstring: str, item: griffe.Object) -> str:
    blocks = re.split(r"\n\s*\n", docstring.strip())
    return "\n\n".join(block if block.startswith("    ") else _block(block, item) for block in blocks)


# Characters of a constant's value that a reader may want to see.
_LONGEST = 200
# "x, hits: (values,), float64", at the start of a line or after two spaces
_ITEM = r"[a-z_]\w*(?:, [a-z_]\w*)*: "


def _block(block: str, item: griffe.Object) -> str:
    if block.startswith(">>> "):
        return f"```pycon\n{block}\n```"
    linked = re.sub(r"`([A-Za-z_][\w.]*)`", lambda name: _link(name[1], item), block)
    if not re.match(_ITEM, block):
        return linked
    items = (one.partition(": ") for one in re.split(rf"(?:\n|  )(?={_ITEM})", linked))
    return "\n".join(f"- **{name}**: {' '.join(text.split())}" for name, _, text in items)


def _link(name: str, item: griffe.Object) -> str:
    """The name in code; where it is of an object of the reference, a link to that."""
    try:
        path = item.resolve(name)
    except griffe.NameResolutionError:
        return f"`{name}`"
    return f'<autoref identifier="{path}" optional><code>{name}</code></autoref>'
