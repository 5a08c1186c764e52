"""Where the time of a step and of inference goes, as tables and CSV.

A part's floor is the longer of two times: of its bytes at the rate of a copy, and of
its operations at the rate of the fastest product. A part that is far above it could be
faster as it is; with all of them there, only fewer passes over memory would help. Below
it is what a cache held.
"""

from collections.abc import Sequence

from mobilenet.bench import measure, roofline
from mobilenet.bench.contenders import Model
from mobilenet.bench.measure import Settings

LARGEST = 12  # parts that a table shows one by one
TITLES = {'train': 'a training step', 'infer': 'inference of a batch'}


def measured(
  model: Model, settings: Settings, *, start=measure.start
) -> tuple[list[dict], list[str], dict]:
  """Times the parts of a network's training step and inference.

  Returns:
    Lines of roofline.csv, a line for each failure, and what the worker says of itself.
  """

  def called(number: int, _) -> str:
    return TITLES[roofline.PARTS[number]]

  found, failures, prepared = measure.parts(
    'roofline', model, settings, called, start=start
  )
  records = [
    make_record(model, mode, part, told)
    for mode, told in zip(roofline.PARTS, found, strict=False)  # it may have failed
    for part in told['parts']
  ]
  return records, failures, prepared


def make_record(model: Model, mode: str, part: dict, told: dict) -> dict:
  """A line of roofline.csv: one instruction of a program.

  bound: what its floor is of. whole_ms, gigabytes_a_second and gflops: of the program
  and the machine, the same in all lines of a mode.
  """
  by_memory = part['bytes'] / told['gigabytes'] / 1e6
  by_products = part['operations'] / told['gflops'] / 1e6
  return {
    'model': model.label,
    'mode': mode,
    'part': part['name'],
    'kind': part['kind'],
    'layer': part['layer'],
    'direction': part['direction'],
    'ms': part['ms'],
    'floor_ms': max(by_memory, by_products),
    'bound': 'memory' if by_memory >= by_products else 'products',
    'megabytes': part['bytes'] / 1e6,
    'megaflops': part['operations'] / 1e6,
    'whole_ms': told['whole_ms'],
    'gigabytes_a_second': told['gigabytes'],
    'gflops': told['gflops'],
  }


BY_KIND = (
  *(('part', 'left'), ('direction', 'left'), ('how many', 'right')),
  *(('ms', 'right'), ('of all', 'right'), ('floor ms', 'right')),
  *(('ms / floor', 'right'), ('GB/s', 'right'), ('GFLOP/s', 'right')),
)
EACH = (('layer', 'left'), *BY_KIND[:2], *BY_KIND[3:])


def sections(records: Sequence[dict]) -> list[tuple[str, Sequence, list[list[str]]]]:
  """(title, columns, rows) of each program: by kind, and its longest parts."""
  found = []
  for key in dict.fromkeys((record['model'], record['mode']) for record in records):
    own = [record for record in records if (record['model'], record['mode']) == key]
    first = own[0]
    title = (
      f'{key[0]}: {TITLES[key[1]]}, {first["whole_ms"]:.1f} ms, beside its floor at '
      f'{first["gigabytes_a_second"]:.1f} GB/s and {first["gflops"]:.0f} GFLOP/s'
    )
    found += [
      (title, BY_KIND, by_kind(own)),
      (f'{key[0]}: the longest parts of {TITLES[key[1]]}', EACH, longest(own)),
    ]
  return found


def by_kind(records: Sequence[dict]) -> list[list[str]]:
  """A row for each kind of part and direction, the longest first, and one for all."""
  groups = {}
  for record in records:
    groups.setdefault((record['kind'], record['direction']), []).append(record)
  whole = sum(record['ms'] for record in records)
  ordered = sorted(groups.items(), key=lambda item: -_sum(item[1], 'ms'))
  rows = [
    [kind, direction, str(len(own)), *_numbers(own, whole)]
    for (kind, direction), own in ordered
  ]
  return [*rows, ['all', '', str(len(records)), *_numbers(records, whole)]]


def longest(records: Sequence[dict]) -> list[list[str]]:
  """A row for each of the longest parts."""
  whole = sum(record['ms'] for record in records)
  chosen = sorted(records, key=lambda record: -record['ms'])[:LARGEST]
  return [
    [r['layer'] or '–', r['kind'], r['direction'], *_numbers([r], whole)]
    for r in chosen
  ]


def _numbers(records, whole) -> list[str]:
  ms, floor = _sum(records, 'ms'), _sum(records, 'floor_ms')
  return [
    f'{ms:.2f}',
    f'{ms / whole:.0%}' if whole else '–',
    f'{floor:.2f}',
    f'{ms / floor:.1f}' if floor else '–',
    f'{_sum(records, "megabytes") / ms:.1f}' if ms else '–',
    f'{_sum(records, "megaflops") / ms:.0f}' if ms else '–',
  ]


def _sum(records, field) -> float:
  return sum(record[field] for record in records)
