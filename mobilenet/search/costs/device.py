"""Milliseconds of parts from a table that was measured on a device, such as a phone."""

import pathlib
from collections.abc import Sequence
from typing import Any

from mobilenet.search.costs import latency_table, wanted
from mobilenet.search.costs.latency_table import Key
from mobilenet.search.costs.parts import Part
from mobilenet.training.errors import require

WANTED = 'wanted.csv'


class Device:
  """Looks parts up.

  table: path of the CSV. folder: for `wanted.csv`, where lines are missing; or None.
  """

  def __init__(self, table: pathlib.Path, folder: pathlib.Path | None):
    """Reads the table.

    Raises:
      TrainingError: it is not there, or is no such table; see `latency_table.read`.
    """
    require(
      table.exists(),
      f'{table} does not exist: `python -m mobilenet.search.costs.check '
      f'--wanted={table}` writes one whose milliseconds are to be filled in',
    )
    self.path, self.folder = table, folder
    self.lines = latency_table.read(table)

  def belongs(self) -> dict[str, Any]:
    """What a correction is fitted to."""
    return {'table': str(self.path)}

  def lacks(self, part: Part) -> bool:
    return Key.of(part) not in self.lines

  def of_parts(self, parts: Sequence[Part], first: Part | None = None) -> list[float]:
    """ms of parts.

    Raises:
      TrainingError: the table lacks some; what they are is written into the folder.
    """
    lacking = [part for part in parts if self.lacks(part)]
    if lacking:
      self._refuse(lacking)
    return [self.lines[Key.of(part)].median_ms for part in parts]

  def _refuse(self, lacking: Sequence[Part]) -> None:
    where = 'Cost.write_wanted writes them all'
    if self.folder is not None:
      wanted.write(lacking, self.folder / WANTED)
      where = f'{self.folder / WANTED} has them all'
    more = f' and {len(lacking) - 1} more' if len(lacking) > 1 else ''
    require(
      False,
      f'{self.path} lacks {Key.of(lacking[0]).said()}{more}: {where}; measure them on '
      f'the device and add them to {self.path}',
    )
