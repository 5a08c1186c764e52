"""What the devices of a compiled program send each other, read from its text."""

import math
import re
from collections.abc import Iterator
from typing import NamedTuple

KINDS = (
  'all-reduce',
  'all-gather',
  'reduce-scatter',
  'all-to-all',
  'collective-permute',
)
_BITS = {'pred': 8, 'bf16': 16, 'token': 0}
_COMPUTATION = re.compile(r'^(ENTRY )?%?([\w.\-]+) \(.*\{$')
# %name = shape all-reduce-start(...); its end, '-done', is no other transfer.
_OPERATION = re.compile(rf'= (.+?) ({"|".join(KINDS)})(-start)?\(')
_GROUPS = re.compile(r'replica_groups=(mesh\[.*?\] ?\{.*?\}|\{\{[\d,]+\}|\[\d+,\d+\])')
_CALL = re.compile(r'(?:body|condition|calls|to_apply|computations)=\{?%?([\w.\-]+)')
_TRIPS = re.compile(r'known_trip_count.{1,8}?n.{1,4}?(\d+)')
_SHAPE = re.compile(r'(\w+)\[([\d,]*)\]')


class Collective(NamedTuple):
  """Transfers of one kind: how many in a step, and the bytes of their results.

  sent: bytes that a device sends or receives, whichever is more, by ring algorithms.
  """

  kind: str
  count: int
  bytes: int
  sent: float


def of_program(text: str, devices: int) -> list[Collective]:
  """The collectives of a program, those of loops as often as they run.

  Args:
    text: of the optimised program, `compiled.as_text()`.
    devices: that take part in it.
  """
  totals: dict[str, list[float]] = {}
  for kind, size, group, times in _operations(text, devices):
    entry = totals.setdefault(kind, [0, 0, 0.0])
    entry[0] += times
    entry[1] += times * size
    entry[2] += times * size * _sent(kind, group)
  return [Collective(kind, *totals[kind]) for kind in KINDS if kind in totals]


def _sent(kind: str, group: int) -> float:
  """Bytes through a device for each byte of the result, in a ring of `group`."""
  others = (group - 1) / group
  return {
    'all-reduce': 2 * others,
    'all-gather': others,
    'reduce-scatter': group - 1.0,  # the result is one part of what is reduced
    'all-to-all': others,
    'collective-permute': 1.0,
  }[kind]


def _operations(text: str, devices: int) -> Iterator[tuple[str, int, int, int]]:
  """(kind, bytes of the result, devices of a group, how often) of each."""
  bodies, current, entry = {}, None, None
  for line in text.splitlines():
    if found := _COMPUTATION.match(line):
      current = found[2]
      bodies[current] = []
      entry = current if found[1] else entry
    elif current is not None:
      bodies[current].append(line)
  times = dict.fromkeys(bodies, 0)
  if entry is not None:
    _count(bodies, entry, 1, times)
  for name, lines in bodies.items():
    for line in lines if times[name] else ():
      if found := _OPERATION.search(line):
        shapes, kind, start = found.groups()
        size = _bytes(shapes, last=bool(start) and kind != 'all-reduce')
        yield kind, size, _group(line, devices), times[name]


def _count(bodies, name: str, times: int, total: dict[str, int]) -> None:
  """Adds how often a computation, and all that it calls, runs."""
  total[name] += times
  for line in bodies[name]:
    runs = times
    if ' while(' in line and (trips := _TRIPS.search(line)):
      runs *= int(trips[1])
    for called in _CALL.findall(line):
      if called in bodies:
        _count(bodies, called, runs, total)


def _bytes(shapes: str, last: bool) -> int:
  """Of a shape, or of all of a tuple; of a pair of operand and result the second."""
  found = _SHAPE.findall(shapes)
  found = found[-1:] if last else found
  return sum(
    _width(kind) * math.prod(map(int, filter(None, size.split(',')))) // 8
    for kind, size in found
  )


def _width(kind: str) -> int:
  """Bits of a type: 'f32' -> 32."""
  return _BITS.get(kind) or int(re.sub(r'\D+', ' ', kind).split()[0])


def _group(line: str, devices: int) -> int:
  """Devices of one group, in any of the ways in which XLA writes groups.

  2 of {{0,1},{2,3}}, of [2,2]<=[4] and of mesh['a'=2,'b'=2] {'b'}.
  """
  found = _GROUPS.search(line)
  text = found[1] if found else ''
  if text.startswith('{{'):
    return text.count(',') + 1
  if text.startswith('['):
    return int(text.strip('[]').split(',')[1])
  if text.startswith('mesh'):
    sizes = dict(re.findall(r"'(\w+)'=(\d+)", text))
    return math.prod(int(sizes[axis]) for axis in re.findall(r"'(\w+)'(?!=)", text))
  return devices
