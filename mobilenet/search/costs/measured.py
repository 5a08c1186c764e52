"""Milliseconds of parts, measured on the machine at hand and kept in a table."""

import dataclasses
import datetime
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

from mobilenet.bench import machine
from mobilenet.models import table
from mobilenet.models.rows import Network
from mobilenet.search.costs import latency_table, rounds
from mobilenet.search.costs.latency_table import Key
from mobilenet.search.costs.parts import Part
from mobilenet.search.costs.programs import Runtime
from mobilenet.search.costs.rounds import Timing

FILE = 'latency.csv'
# Programs that take turns: more of them are several batches, each written when done.
MOST_AT_ONCE = 256


class Measured:
  """Times what the table of a folder lacks.

  Every batch of measurements has a turn of the reference, too, the first network that
  was ever asked for: the machine may be slower now than it was then, and by as much as
  the reference is slower, all of the batch is.
  """

  def __init__(
    self,
    folder: pathlib.Path,
    runtime: Runtime,
    lowering: str,
    say: Callable[[str], None],
    interleaved: Callable[[Sequence], list[Timing]] = rounds.interleaved,
  ):
    """Opens the folder's table.

    Args:
      folder: of `latency.csv`.
      runtime: of `programs`.
      lowering: as the table names it.
      say: is told what takes time.
      interleaved: times functions.

    Raises:
      TrainingError: the table was measured on another machine or in another way.
    """
    self.runtime, self.say, self.interleaved = runtime, say, interleaved
    here = {
      'device': runtime.device,
      'threads': str(machine.cores()),
      'lowering': lowering,
    }
    self.table = latency_table.load(folder / FILE, here)

  def belongs(self) -> dict[str, Any]:
    """What a correction is fitted to."""
    return {**self.table.conditions, 'pace_ms': self.table.pace_ms}

  def of_parts(self, parts: Sequence[Part], first: Part) -> list[float]:
    """ms of rows and heads; what the table lacks is measured and written.

    Args:
      parts: of networks.
      first: a whole network, the reference where there is none yet.
    """
    self._check_style(parts)
    keys = {part: Key.of(part) for part in parts}
    lacking = {key: part for part, key in keys.items() if key not in self.table.lines}
    for batch in _batches(list(lacking.items())):
      self._timed(dict(batch), first, keep=True)
    return [self.table.ms(keys[part]) for part in parts]

  def of_wholes(self, wholes: Sequence[Part]) -> list[float]:
    """ms of whole networks, measured anew, at the pace of the table."""
    self._check_style(wholes)
    found = []
    for batch in _batches(list(enumerate(wholes))):
      timings, reference_ms = self._timed(dict(batch), wholes[0], keep=False)
      found += [
        self.table.at_pace(timing.median_ms, reference_ms)
        for timing in timings.values()
      ]
    return found

  def _check_style(self, parts: Sequence[Part]) -> None:
    """Raises TrainingError for a part of another style than the table's, or two."""
    here = self.table.conditions
    for style in dict.fromkeys(style_of(part.network) for part in parts):
      here = {'style': style, **here}
      latency_table.check(self.table.path, here, {'style': style})

  def _timed(self, parts: dict[Any, Part], first: Part, keep: bool):
    """Times parts beside the reference: key -> Timing, and ms of the reference."""
    style = {'style': style_of(first.network)}
    reference = self._reference(first)
    self.say(f'timing {len(parts)} {"rows" if keep else "networks"}')
    calls = [self.runtime.call_of(part) for part in (reference, *parts.values())]
    # To a millionth: the file then has the very numbers.
    own, *timings = (
      Timing(*(round(ms, 6) for ms in timing)) for timing in self.interleaved(calls)
    )
    timings = dict(zip(parts, timings, strict=True))
    kept = timings if keep else {}
    key = Key.of(reference)
    if self.table.reference is None:
      kept = {key: own, **kept}
    if kept:
      date = datetime.datetime.now(datetime.UTC).isoformat(timespec='seconds')
      self.table.add(key, kept, own.median_ms, style, self.runtime.versions, date)
    return timings, own.median_ms

  def _reference(self, first: Part) -> Part:
    key = self.table.reference
    if key is None:
      return first
    network = table.from_text(key.row)
    how = {name: getattr(first.network.style, name) for name in table.HOW}
    style = dataclasses.replace(network.style, **how)
    return Part(
      dataclasses.replace(network, style=style),
      (key.height, key.width, key.channels_in),
      key.channels_out,
    )


def _batches(items: list) -> list[list]:
  return [items[n : n + MOST_AT_ONCE] for n in range(0, len(items), MOST_AT_ONCE)]


def style_of(network: Network) -> str:
  """What of a style changes the program of a row, beside the lowering."""
  style = network.style
  return f'padding {style.padding}, {style.dtype}, divisor {network.divisor}'
