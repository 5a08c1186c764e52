"""The time of a network's convolutions in each lowering: measured, as tables and CSV.

`lowering.PER_BACKEND` and `auto` should choose what these tables show to be fastest.
"""

import statistics
from collections.abc import Iterable, Sequence

from mobilenet.bench import measure
from mobilenet.bench.comparison import spread
from mobilenet.bench.contenders import Model
from mobilenet.bench.measure import Settings
from mobilenet.bench.shapes import DIRECTIONS

LOWERINGS = ('native', 'sliced', 'compiled')
# `auto` is marked where it takes this much longer than the fastest, and longer in
# three rounds of four, but not where an empty call takes half of the fastest.
MARGIN, CLEAR = 1.1, 2.0
STEP = 'forward + gradients'


def measured(
  model: Model, settings: Settings, *, start=measure.start
) -> tuple[list[dict], list[str], dict]:
  """Times every distinct convolution of a network, all in one process.

  Returns:
    Lines of lowerings.csv, a line for each failure, and what the worker says of itself.
  """

  def called(number: int, count: int) -> str:
    return f'convolution {number + 1} of {count}'

  records, failures = [], []
  found, failed, prepared = measure.parts(
    'lowerings', model, settings, called, start=start
  )
  for part in found:
    for direction, told in part['directions'].items():
      records.append(make_record(model, part, direction, told))
      where = f'{model.label}, {describe(records[-1])}, {direction}'
      failures += [f'{where}, {name}: {e}' for name, e in told['errors'].items()]
  return records, failures + failed, prepared


def make_record(model: Model, part: dict, direction: str, told: dict) -> dict:
  """A line of lowerings.csv: one convolution in one direction.

  fastest: the lowering, or those with the same program, joined by '='. auto: likewise
  for the choice of `auto`; 'auto' if it is none of them. gflops, gigabytes: per second,
  of the fastest, from counted operations and bytes. auto_over_fastest: the median of
  the ratios within each round. behind: whether `auto` should choose another.
  """
  shape, rounds, programs = part['shape'], told['ms'], told['programs']
  ms = {name: statistics.median(values) for name, values in rounds.items()}
  best = min(ms, key=ms.get, default=None)

  def alike(program):
    return '='.join(n for n in LOWERINGS if programs.get(n, '') == program) or program

  ratio = None
  if 'auto' in ms:  # one that is far slower has fewer rounds
    pairs = zip(rounds['auto'], rounds[best], strict=False)
    ratio = spread([auto / least for auto, least in pairs])
  seconds = ms[best] / 1e3 if best else None
  return {
    'model': model.label,
    'kind': shape['kind'],
    **{
      name: shape[name]
      for name in (
        *('batch', 'height', 'width', 'channels', 'out', 'kernel', 'stride', 'groups'),
        'dtype',
      )
    },
    'occurs': part['count'],
    'direction': direction,
    **{f'{name}_ms': ms.get(name) for name in (*LOWERINGS, 'auto')},
    'fastest': alike(programs[best]) if best else None,
    'auto': alike(programs['auto']) if 'auto' in programs else None,
    'auto_over_fastest': ratio and ratio.median,
    'behind': bool(
      ratio
      and (ratio.median > MARGIN and ratio.low > 1)
      and ms[best] > CLEAR * part['nothing_ms']
    ),
    'gflops': told['operations'] / seconds / 1e9 if seconds else None,
    'gigabytes': told['bytes'] / seconds / 1e9 if seconds else None,
    'nothing_ms': part['nothing_ms'],
  }


def describe(record: dict) -> str:
  """'depthwise 3x3 /2, 112 px, 64', 'pointwise, 56 px, 64 to 128'."""
  kind, k, stride = (record[name] for name in ('kind', 'kernel', 'stride'))
  text = kind if kind == 'pointwise' else f'{kind} {k}x{k}'
  text += f' /{stride}' if stride > 1 else ''
  text += f' in {record["groups"]}' if kind == 'grouped' else ''
  height, width = record['height'], record['width']
  text += f', {height} px' if height == width else f', {height} x {width} px'
  channels, out = record['channels'], record['out']
  return f'{text}, {channels}' + ('' if kind == 'depthwise' else f' to {out}')


def totals(records: Sequence[dict]) -> list[list[str]]:
  """Rows (kind, direction, ms of each lowering, of auto and of the fastest, ratio).

  Each convolution counts as often as it occurs; a lowering that failed at one has no
  total.
  """
  rows = []
  kinds = dict.fromkeys(record['kind'] for record in records)
  for kind in (*kinds, *(['all'] if len(kinds) > 1 else [])):
    own = [record for record in records if kind in (record['kind'], 'all')]
    for direction in (*DIRECTIONS, STEP):
      chosen = [r for r in own if r['direction'] in direction.split(' + ')]
      if not chosen:
        continue
      sums = [
        _sum((r['occurs'], r[f'{n}_ms']) for r in chosen) for n in (*LOWERINGS, 'auto')
      ]
      fastest = _sum((r['occurs'], _least(r)) for r in chosen)
      ratio = f'{sums[-1] / fastest:.2f}' if sums[-1] and fastest else '–'
      rows.append([kind, direction, *map(_ms, (*sums, fastest)), ratio])
  return rows


def _sum(counted: Iterable[tuple[int, float | None]]) -> float | None:
  counted = list(counted)
  if any(ms is None for _, ms in counted):
    return None
  return sum(count * ms for count, ms in counted)


def _least(record: dict) -> float | None:
  values = [record[f'{name}_ms'] for name in (*LOWERINGS, 'auto')]
  return min((value for value in values if value is not None), default=None)


def _ms(value: float | None) -> str:
  return '–' if value is None else f'{value:.3g}' if value < 100 else f'{value:,.0f}'


def rows(records: Sequence[dict]) -> list[list[str]]:
  """A row for each convolution and direction; a mark where `auto` is behind."""
  found = []
  for r in records:
    mark = f'**auto takes {r["auto_over_fastest"]:.2f}×**' if r['behind'] else ''
    found.append(
      [
        describe(r),
        str(r['occurs']),
        r['direction'],
        *(_ms(r[f'{name}_ms']) for name in LOWERINGS),
        *(_ms(r[name]) for name in ('gflops', 'gigabytes')),
        r['fastest'] or '–',
        r['auto'] or '–',
        mark,
      ]
    )
  return found


TOTALS = (
  *(('kind', 'left'), ('direction', 'left')),
  *((f'{name} ms', 'right') for name in (*LOWERINGS, 'auto', 'fastest of each')),
  ('auto / fastest', 'right'),
)
EACH = (
  *(('convolution', 'left'), ('occurs', 'right'), ('direction', 'left')),
  *((f'{name} ms', 'right') for name in LOWERINGS),
  *(('GFLOP/s', 'right'), ('GB/s', 'right')),
  *(('fastest', 'left'), ('auto', 'left'), ('', 'left')),
)


def sections(
  records: Sequence[dict], *, each: bool = True
) -> list[tuple[str, Sequence, list[list[str]]]]:
  """(title, columns, rows): totals of each model and, if wanted, each convolution."""
  found = []
  for model in dict.fromkeys(record['model'] for record in records):
    own = [record for record in records if record['model'] == model]
    found.append((f'{model}: convolutions by lowering, in all', TOTALS, totals(own)))
    if each:
      found.append((f'{model}: convolutions by lowering, one by one', EACH, rows(own)))
  return found
