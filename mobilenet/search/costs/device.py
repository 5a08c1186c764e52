"""Milliseconds of parts from a table that was measured on a device, such as a phone."""

import pathlib
from collections.abc import Sequence

from mobilenet.models import table as rows
from mobilenet.models.rows import Network
from mobilenet.reports import csv_file
from mobilenet.search.costs import latency_table, wanted
from mobilenet.search.costs.latency_table import MS, Key
from mobilenet.search.costs.parts import Part
from mobilenet.training.errors import TrainingError, require

WANTED = 'wanted.csv'
_FOLDER = 'phone'  # of TFLite files, in what a person is told to type


class Device:
  """Looks parts up.

  table: path of the CSV. folder: for `wanted.csv`, where lines are missing; or None.
  """

  def __init__(
    self,
    table: pathlib.Path,
    folder: pathlib.Path | None,
    networks: Sequence[str] = (),
  ):
    """Reads the table.

    Args:
      table: path of the CSV.
      folder: see above.
      networks: the flags by which `check` knows the networks, for messages.

    Raises:
      TrainingError: it is not there, or is no such table; see `latency_table.read`.
    """
    typed = [*(networks or ['--start=RUN']), f'--wanted={table}', f'--files={_FOLDER}']
    self._writes = wanted.command(*typed)
    require(
      table.exists(),
      f'{table} does not exist: {self._writes} writes it, its milliseconds to be '
      'filled in',
    )
    self.path, self.folder = table, folder
    self.lines = latency_table.read(table)

  def wholes(self, resolution: int, num_classes: int) -> list[tuple[Network, float]]:
    """Networks that were measured whole, and their ms.

    Args:
      resolution: px, and num_classes: of those that are wanted.

    Raises:
      TrainingError: a line's row or style is none.
    """
    return [
      (wanted.part_of(self.path, line.record).network, line.median_ms)
      for key, line in self.lines.items()
      if rows.SEPARATOR in key.row
      and (key.height, key.width, key.channels_out)
      == (resolution, resolution, num_classes)
    ]

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
    """Tells lines that are not there from those that are not filled in."""
    lines, there = wanted.records_of(lacking), latency_table.records(self.path)
    absent = {key: line for key, line in lines.items() if key not in there}
    unfilled = [key for key in lines if key in there]
    if not absent:
      raise TrainingError(
        f'{self.path} has no {MS} yet of {_named(unfilled)}: measure what is empty '
        'there on the device, and fill it in'
      )
    also = f' (and has no {MS} yet of {_named(unfilled)})' if unfilled else ''
    writes = self._writes
    if self.folder is not None:
      path = self.folder / WANTED
      csv_file.write_records(path, list(absent.values()))
      typed = [f'--lacking={path}', f'--wanted={self.path}', f'--files={_FOLDER}']
      writes = wanted.command(*typed)
    raise TrainingError(
      f'{self.path} lacks {_named(list(absent))}{also}: {writes} adds them and writes '
      f'their TFLite files; measure these on the device, fill in {MS}, and run this '
      'command again'
    )


def _named(keys: Sequence[Key]) -> str:
  more = f' and {len(keys) - 1} more' if len(keys) > 1 else ''
  return keys[0].said() + more
