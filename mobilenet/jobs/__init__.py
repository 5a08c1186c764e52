"""One file per job: `main.py --job=NAME` imports the file of that name and no other.

A job's file has

  a docstring: the job's help; the overview of `--help` shows its first line,
  FLAGS: a tuple of `command_line.Flag`, the job's own flags,
  ARGUMENTS: what the command line takes besides flags; left out if nothing,
  INSTEAD: flags of other jobs -> what a person should type here; left out if nothing,
  run(given): does the job; takes a `command_line.Given`, returns the exit code.

To add a job, add a file here; nothing else changes. Jobs do not import each other.
"""

import ast
import difflib
import importlib
import pathlib
import types
from typing import NamedTuple

from mobilenet.training.errors import TrainingError, require


class Description(NamedTuple):
  """What a job's file says of itself: its first line, and the names of its flags."""

  summary: str
  flags: tuple[str, ...]


def names() -> list[str]:
  """All jobs, sorted."""
  return sorted(file.stem for file in _folder().glob('[!_]*.py'))


def full_name(name: str) -> str:
  """The job whose name begins with `name`: 'eval' -> 'evaluate'.

  Raises:
    TrainingError: no name begins so, or several do.
  """
  known = names()
  if name in known:
    return name
  meant = [job for job in known if job.startswith(name)] if name else []
  if len(meant) == 1:
    return meant[0]
  near = meant or difflib.get_close_matches(name, known, n=3, cutoff=0.5)
  hint = f'did you mean {" or ".join(near)}? ' if near else ''
  raise TrainingError(f'no job {name!r}; {hint}jobs: {", ".join(known)}')


def load(name: str) -> types.ModuleType:
  """The module of a job, by its full name."""
  return importlib.import_module(f'{__name__}.{name}')


def describe(name: str) -> Description:
  """Reads a job's file without importing it: other jobs' imports are slow."""
  tree = ast.parse((_folder() / f'{name}.py').read_text(encoding='utf-8'))
  flags = ()
  for node in tree.body:
    if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == 'FLAGS':
      flags = tuple(ast.literal_eval(flag.args[0]) for flag in node.value.elts)
  summary = (ast.get_docstring(tree) or '').partition('\n')[0]
  require(bool(summary), f'the job {name} has no docstring')
  return Description(summary, flags)


def _folder() -> pathlib.Path:
  return pathlib.Path(__file__).parent
