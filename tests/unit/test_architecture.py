"""The rules of docs/architecture.md, read off the source's own imports."""

from __future__ import annotations

import ast
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import aoetui

ROOT = Path(aoetui.__file__).parent
SOURCES = sorted(ROOT.rglob("*.py"))
PURE = {"socket", "os", "threading", "time"}
OUTSIDE = {"aoetui.engine.api", "aoetui.engine.snapshot", "aoetui.engine.spec"}
OUTSIDE |= {"aoetui.engine.protocol.address", "aoetui.engine.protocol.wire"}
COMMANDS = "aoetui.engine.commands."
COMPILER = {"numba", "numpy", "llvmlite"}
HOLDS_COMPILED_CODE = ("engine/fast/", "engine/fastpath.py")
MAKES_THE_ENGINE = {"cli/running.py", "demo/", "__main__.py"}
MAX_LINES = 500


def name_of(path: Path) -> str:
    """As `engine/api.py`."""
    return path.relative_to(ROOT).as_posix()


def imports_of(text: str, package: str) -> set[str]:
    """Every module that `text` imports anywhere, and every `module.name` of a from-import: the name may be a module."""
    return imports_below(ast.parse(text), package)


def imports_below(tree: ast.AST, package: str) -> set[str]:
    """The same of a part of a file."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*parts, *([node.module] if node.module else [])])
            found |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    return found


def package_of(path: Path) -> str:
    """As `aoetui.engine`."""
    return ".".join(["aoetui", *path.relative_to(ROOT).parent.parts])


def imports(path: Path) -> set[str]:
    """What the file at `path` imports."""
    return imports_of(path.read_text(encoding="utf-8"), package_of(path))


class ImportedWithIt(ast.NodeTransformer):
    """Leaves of a file what is done when it is imported: neither bodies of functions nor what only type checkers see."""

    def visit_FunctionDef(self, _node: ast.FunctionDef) -> None:
        """Not done."""

    def visit_AsyncFunctionDef(self, _node: ast.AsyncFunctionDef) -> None:
        """Not done."""

    def visit_If(self, node: ast.If) -> ast.AST | None:
        """Done, unless it is for type checkers."""
        return None if ast.unparse(node.test) == "TYPE_CHECKING" else self.generic_visit(node)


def imported_with(text: str, package: str) -> set[str]:
    """What an import of `text` imports."""
    return imports_below(ImportedWithIt().visit(ast.parse(text)), package)


def top_levels(modules: set[str]) -> set[str]:
    """`os` of `os.path`."""
    return {module.partition(".")[0] for module in modules}


def engine_modules(modules: set[str]) -> set[str]:
    """Those of aoetui.engine, each without the names taken out of it."""
    known = {name for _, name, _ in pkgutil.walk_packages([str(ROOT)], "aoetui.")}
    packages = {module for module in known if any(other.startswith(f"{module}.") for other in known)}
    return {module for module in modules & known if module.startswith("aoetui.engine")} - packages


def in_rooms(*rooms: str) -> list[Path]:
    """The sources in these directories of aoetui, or of these names."""
    return [path for path in SOURCES if name_of(path).startswith(rooms)]


def test_imports_are_found() -> None:
    text = "import os.path\nfrom . import links\nfrom ..protocol.wire import HEADER\ndef f():\n    import socket as s\n"
    assert imports_of(text, "aoetui.engine") == {
        "os.path",
        "aoetui.engine",
        "aoetui.engine.links",
        "aoetui.protocol.wire",
        "aoetui.protocol.wire.HEADER",
        "socket",
    }


def test_imports_that_wait_are_told_from_those_that_do_not() -> None:
    text = "import one\nif TYPE_CHECKING:\n    import two\nif one:\n    import three\ndef f():\n    import four\n"
    assert imported_with(text, "aoetui.engine") == {"one", "three"}


def test_only_modules_of_the_engine_are_judged() -> None:
    found = {"aoetui.engine.api", "aoetui.engine.api.Engine", "aoetui.engine.protocol", "aoetui.engine.protocol.wire", "os"}
    assert engine_modules(found) == {"aoetui.engine.api", "aoetui.engine.protocol.wire"}


def test_there_is_something_to_judge() -> None:
    assert len(in_rooms("engine/protocol/")) > 5


@pytest.mark.parametrize("path", in_rooms("engine/"), ids=name_of)
def test_engine_never_imports_textual(path: Path) -> None:
    assert "textual" not in top_levels(imports(path))


@pytest.mark.parametrize("path", in_rooms("engine/protocol/"), ids=name_of)
def test_protocol_is_pure(path: Path) -> None:
    assert not top_levels(imports(path)) & PURE


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_only_links_imports_pyroute2(path: Path) -> None:
    assert name_of(path) == "engine/links.py" or "pyroute2" not in top_levels(imports(path))


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_only_compiled_code_needs_the_compiler(path: Path) -> None:
    """Numba may not be there: nothing else may import it, nor import with itself what does."""
    if name_of(path).startswith(HOLDS_COMPILED_CODE):
        return
    assert not top_levels(imports(path)) & COMPILER
    compiled = {"aoetui.engine.fastpath", "aoetui.engine.fast"}
    with_it = imported_with(path.read_text(encoding="utf-8"), package_of(path))
    assert not {module for module in with_it if module in compiled or module.startswith("aoetui.engine.fast.")}


def test_importing_the_engine_leaves_the_compiler_out() -> None:
    program = f"import sys, aoetui.engine.local, aoetui.app; print(sorted({COMPILER!r} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT.parent)
    assert (done.stdout, done.returncode) == ("[]\n", 0), done.stderr


@pytest.mark.parametrize("path", in_rooms("screens/", "widgets/", "cli/", "app.py"), ids=name_of)
def test_outside_sees_only_what_is_meant_for_it(path: Path) -> None:
    if name_of(path) not in MAKES_THE_ENGINE:
        assert {each for each in engine_modules(imports(path)) if not each.startswith(COMMANDS)} <= OUTSIDE


def test_importing_the_engine_leaves_textual_out() -> None:
    program = (
        "import importlib, pkgutil, sys, aoetui.engine as engine\n"
        "for _, name, _ in pkgutil.walk_packages(engine.__path__, 'aoetui.engine.'):\n"
        "    if not name.endswith('__main__'):\n"
        "        importlib.import_module(name)\n"
        "print('textual' in sys.modules, 'aoetui.engine.protocol.target' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT.parent)
    assert (done.stdout, done.returncode) == ("False True\n", 0), done.stderr


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_file_is_short_enough_to_read(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES
