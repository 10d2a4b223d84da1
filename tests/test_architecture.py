"""The house rules that a machine can check: who imports whom, how long files are, who prints."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import classicface

PACKAGE = Path(classicface.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

#: "Under about 300 lines" and "under about 60", with room for the "about".
MAX_LINES = 330
MAX_STATEMENT_LINES = 66

HEAVY = (
    "av",
    "cv2",
    "dlib",
    "matplotlib",
    "numba",
    "numpy",
    "PIL",
    "rich",
    "scipy",
    "skimage",
    "sklearn",
)


def relative(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def run_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_imports_run_downward_only(root: Path) -> None:
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    command = [sys.executable, "-c", code, "--no-cache"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_room_stands_in_the_contract(root: Path) -> None:
    layers = (root / "pyproject.toml").read_text().partition("layers = [")[2].partition("]")[0]
    rooms = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or path.is_dir()}
    free = {"__init__", "__main__", "__pycache__", "_version", "weights"}
    placed = {name.strip() for line in layers.split(",") for name in line.strip(' "\n').split("|")}
    assert rooms - free == placed - {""}


def test_import_is_light() -> None:
    loaded = run_python(
        "import sys, classicface; classicface.NotFittedError, classicface.__version__;"
        f"print(*[name for name in {HEAVY!r} if name in sys.modules])"
    )
    assert loaded.split() == []


def test_import_is_fast() -> None:
    code = (
        "import time; start = time.perf_counter(); import classicface;"
        "print(time.perf_counter() - start)"
    )
    assert min(float(run_python(code)) for _ in range(3)) < 0.3


def test_predicting_loads_no_training_code() -> None:
    loaded = run_python(
        "import sys, classicface; classicface.load, classicface.ERTFitter;"
        "print(*[name for name in sys.modules if name.startswith('classicface.cascade.')])"
    ).split()
    assert "classicface.cascade.ert" in loaded
    training = {"grower", "samples", "trainer", "_growing"}
    assert not training & {name.rpartition(".")[2] for name in loaded}


def test_every_public_name_is_there() -> None:
    assert sorted(classicface.__all__) == dir(classicface)
    for name in classicface.__all__:
        assert getattr(classicface, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        classicface.nonsense  # noqa: B018


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_modules_are_short_and_say_what_they_hold(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MAX_LINES
    tree = ast.parse(text)
    assert ast.get_docstring(tree), "a module opens with a line that says what it holds"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            length = body[-1].end_lineno - body[0].lineno + 1 if body else 0
            assert length <= MAX_STATEMENT_LINES, f"{node.name} has {length} lines"


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_only_the_command_line_prints(path: Path) -> None:
    if relative(path).startswith("cli/"):
        return
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    calls = [node.func for node in nodes if isinstance(node, ast.Call)]
    assert not any(isinstance(call, ast.Name) and call.id == "print" for call in calls)
