"""How long the parts of a search took, over all its starts."""

import contextlib
import json
import pathlib
import time
from collections.abc import Iterator

import jax

from mobilenet.search import json_file
from mobilenet.training import files

FILE = 'seconds.json'


class Clock:
  """Adds up seconds by the name of a part; `save` keeps them in a folder."""

  def __init__(self, folder: pathlib.Path):
    self._path = folder / FILE
    self.seconds: dict[str, float] = {}
    if self._path.exists():
      self.seconds = json_file.read(
        self._path, {str: json_file.NUMBER}, 'remove it, and the times begin anew'
      )

  @contextlib.contextmanager
  def part(self, name: str) -> Iterator[None]:
    """Counts the time inside, whatever ends it."""
    begin = time.monotonic()
    try:
      yield
    finally:
      self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - begin

  def save(self) -> None:
    if jax.process_index() == 0:
      text = json.dumps({k: round(v, 1) for k, v in self.seconds.items()}, indent=2)
      files.replace_file(self._path, (text + '\n').encode())
