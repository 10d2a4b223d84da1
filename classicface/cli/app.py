"""The application: its commands, its exit status, and one clear line for a user's mistake."""

from __future__ import annotations

import logging
import os
import sys
from typing import Annotated

import typer

from classicface import __version__
from classicface.cli import (
    align,
    compare,
    convert,
    demo,
    drowsiness,
    evaluate,
    export,
    expression,
    makeup,
    models,
    predict,
    show,
    track,
    train,
    train_chain,
    train_network,
    train_shape,
    validate,
)
from classicface.cli.common import help_text, say
from classicface.exceptions import ClassicFaceError

__all__ = ["app", "main"]

app = typer.Typer(
    help="Facial landmarks on a CPU: train, measure and use classical models.",
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
for _module in (train_chain, train_shape):
    _name = _module.__name__.rpartition("_")[2]
    train.app.command(_name, help=help_text(_module.command))(_module.command)
for _command in (train_network.cnn, train_network.heatmap):
    train.app.command(_command.__name__, help=help_text(_command))(_command)
app.add_typer(train.app, name="train")
app.add_typer(expression.app, name="expression")
for _module in (
    evaluate,
    compare,
    predict,
    track,
    align,
    makeup,
    drowsiness,
    models,
    show,
    validate,
    convert,
    export,
    demo,
):
    _name = _module.__name__.rpartition(".")[2]
    app.command(_name, help=help_text(_module.command))(_module.command)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"classicface {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Tell what the library does, on stderr.")
    ] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Set up logging; the docstring of a command is its help, this one's is the application's."""
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING, format="%(name)s: %(message)s"
    )
    logging.captureWarnings(True)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : list of str, optional
        By default those of the process.

    Returns
    -------
    int
        0 for success; 1 when a check found faults, or some of several pictures could not be used;
        2 for a mistake in what was asked, said in one line on stderr; 130 when interrupted.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        status = app(args=arguments or ["--help"], prog_name="classicface", standalone_mode=False)
        sys.stdout.flush()
    except ClassicFaceError as error:
        say(str(error))
        return 2
    except BrokenPipeError:
        # The reader of our output has gone (`| head`); keep Python from complaining at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (KeyboardInterrupt, typer.Abort):
        say("interrupted; nothing half-written was left")
        return 130
    except MemoryError:
        say("out of memory")
        return 1
    except OSError as error:
        say(str(error))
        return 2
    except Exception as error:
        # Typer carries its own copy of click, or uses click itself, as its version has it; their
        # usage errors are told by what they can do.
        if not hasattr(error, "format_message"):
            raise
        say(f"{error.format_message().rstrip('.')}; see {_command_of(error)} --help")
        return 2
    return status if isinstance(status, int) else 0


def _command_of(error: Exception) -> str:
    """Return the command that a usage error arose in, such as ``classicface train ert``."""
    context = getattr(error, "ctx", None)
    return "classicface" if context is None else str(context.command_path)
