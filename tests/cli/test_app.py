"""The application as a user meets it: help, versions, mistakes."""

import subprocess
import sys

import pytest

from classicface import __version__
from classicface.cli import main

COMMANDS = (
    ["train", "ert"],
    *(["evaluate"], ["predict"], ["models"], ["validate"], ["convert"], ["demo"]),
)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_shows_an_example(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command, "--help"]) == 0
    text = capsys.readouterr().out
    assert f"Example: classicface {' '.join(command)}" in " ".join(text.split())


def test_no_command_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    text = capsys.readouterr().out
    for command in COMMANDS:
        assert command[0] in text


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"classicface {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nonsense"], "No such command 'nonsense'"),
        (["train"], "Missing command"),
        (["train", "nonsense"], "No such command 'nonsense'"),
        (["train", "ert"], "Missing"),
        (["predict"], "Missing argument"),
        (["predict", "a.jpg", "--nonsense"], "No such option"),
        (["predict", "a.jpg", "--format", "xml"], "--format"),
        (["predict", "a.jpg"], "a.jpg: no such picture or folder"),
        (["predict", "a.jpg", "--format", "pts"], "-o"),
        (["predict", "a.jpg", "--boxes", "b.csv", "--detector", "haar"], "exclude"),
        (["evaluate", "nonsense", "faces"], "nonsense: no such model file"),
        (["train", "ert", "a", "-o", "m", "--seed", "x"], "--seed"),
        (["train", "ert", "a", "-o", "m", "--time-budget", "soon"], "'soon'"),
        (["train", "ert", "a", "-o", "m", "--set", "n_stages"], "name=value"),
        (["train", "ert", "a", "-o", "m", "--set", "n_stage=3"], "did you mean n_stages?"),
        (["train", "ert", "a", "-o", "m", "--set", "n_stages=-3"], "n_stages is -3"),
        (["train", "ert", "a", "-o", "m", "--set", "n_stages=many"], "n_stages is 'many'"),
        (["train", "ert", "a", "-o", "m", "--set", "random_state=3"], "--seed"),
        (["train", "ert", "a", "-o", "m", "--seed", "-1"], "--seed"),
        (["train", "ert", "a", "-o", "m", "--jobs", "0"], "--jobs"),
        (["train", "ert", "a", "-o", "m", "--preset", "nonsense"], "nonsense"),
        (["train", "ert", "nowhere", "-o", "m.safetensors"], "nowhere"),
        (["train", "ert", "a", "-o", "nowhere/m.safetensors"], "no folder nowhere"),
        (["validate", "nowhere"], "nowhere"),
        (["convert", "nowhere", "out.csv"], "nowhere"),
    ],
)
def test_a_mistake_is_one_line_on_stderr(
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: object,
) -> None:
    monkeypatch.chdir(str(tmp_path))
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("classicface: ")
    assert message in err


def test_the_module_runs_and_a_mistake_leaves_no_traceback() -> None:
    command = [sys.executable, "-m", "classicface", "predict", "nowhere.jpg"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == "classicface: nowhere.jpg: no such picture or folder\n"
