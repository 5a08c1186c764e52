"""The one exception of the training package, and the checks that raise it."""

import difflib
from collections.abc import Iterable


class TrainingError(ValueError):
  """A mistake that a person can fix; the text says what, where and what to do."""


def unknown_name(what: str, name: object, known: Iterable[str]) -> TrainingError:
  """Returns the error for a `name` that is none of `known`, nearest ones first.

  Args:
    what: what the name should have been, as the sentence starts ('optimizer.name').
    name: what was given.
    known: the names that exist.
  """
  known = sorted(known)
  near = difflib.get_close_matches(str(name), known, n=3, cutoff=0.5)
  hint = f'did you mean {" or ".join(near)}? ' if near else ''
  return TrainingError(f'{what} {name!r} is unknown; {hint}known: {", ".join(known)}')


def require(condition: bool, message: str) -> None:
  """Raises `TrainingError(message)` unless `condition` holds."""
  if not condition:
    raise TrainingError(message)
