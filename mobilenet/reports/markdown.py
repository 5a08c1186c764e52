"""Tables in Markdown."""

from collections.abc import Iterable, Sequence
from typing import Any


def table(heads: Sequence[str], lines: Iterable[Sequence[Any]], left: int = 1) -> str:
  """A table whose first `left` columns are words, and the others numbers."""
  rules = ['---'] * left + ['---:'] * (len(heads) - left)
  return '\n'.join(
    f'| {" | ".join(str(cell).replace("|", "¦") for cell in line)} |'
    for line in (heads, rules, *lines)
  )
