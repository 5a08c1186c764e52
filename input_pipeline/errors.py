"""Errors that a person can act on: one line, what was wrong, where, what to do."""

import difflib
from collections.abc import Iterable, Sequence


class DataError(ValueError):
  """The data, or how it was asked for, is wrong; the message is one line."""


class NotPrepared(DataError):
  """The data is not on this machine; the message says how to get it."""


def nearest(name: str, known: Iterable[str]) -> str:
  """The end of an error message about an unknown name: the closest known ones."""
  known = sorted(known)
  close = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
  if close:
    return f'did you mean {" or ".join(close)}?'
  if len(known) <= 30:
    return f'known: {", ".join(known)}'
  return f'none of the {len(known)} known names is close'


def some(names: Sequence[str]) -> str:
  """The first five of a list for an error message, and how many more there are."""
  more = f' and {len(names) - 5:,} more' if len(names) > 5 else ''
  return ', '.join(names[:5]) + more
