"""What a comparison says in words, and its cells as people read them."""

from collections.abc import Sequence

from mobilenet.comparison.rows import SCRATCH, Row
from mobilenet.reports import amounts

# (heading, 'left' or 'right') of the cells of a row.
COLUMNS = (
  ('run', 'left'),
  ('network', 'left'),
  ('px', 'right'),
  ('start', 'left'),
  ('epochs', 'right'),
  ('accuracy', 'right'),
  ('95 % interval', 'right'),
  ('p against the best', 'right'),
  ('macro F1', 'right'),
  ('parameters (M)', 'right'),
  ('multiply-adds (M)', 'right'),
  ('one image (ms)', 'right'),
  ('weights (MB)', 'right'),
  ('training', 'right'),
)
# Places of those that say how good a network is, and of those that say what it costs.
QUALITY, COST = (0, 3, 5, 6, 7, 8), (0, 2, 4, 9, 10, 11, 12, 13)


def cells(row: Row) -> tuple[str, ...]:
  """A row as text, in the order of `COLUMNS`."""
  ends = (f'{100 * end:.1f}' for end in (row.accuracy_low, row.accuracy_high))
  return (
    row.run,
    f'{row.network} x{row.width:g}',
    str(row.resolution),
    row.start,
    f'{row.epochs:.3g}',
    amounts.share(row.accuracy),
    ' to '.join(ends),
    p_value(row.p_holm),
    f'{row.macro_f1:.3f}',
    f'{row.parameters / 1e6:.2f}',
    f'{row.multiply_adds / 1e6:,.1f}',
    amounts.number(row.latency_ms),
    amounts.number(row.weights_bytes and row.weights_bytes / 1e6),
    duration(row.train_seconds),
  )


def p_value(p: float | None) -> str:
  """'0.031', '2e-09', or a dash for the best run itself."""
  if p is None:
    return amounts.NOTHING
  return f'{p:.3f}' if p >= 0.001 else f'{p:.0e}'


def duration(seconds: float) -> str:
  """'48 s', '12 min', '3.4 h'."""
  if seconds < 120:
    return f'{seconds:.0f} s'
  return f'{seconds / 60:.0f} min' if seconds < 7200 else f'{seconds / 3600:.1f} h'


def verdict(rows: Sequence[Row]) -> list[str]:
  """What the table says, in a few sentences."""
  best, others = rows[0], rows[1:]
  low, high = (f'{100 * end:.1f}' for end in (best.accuracy_low, best.accuracy_high))
  lines = [
    f'{best.run} is right most often, on {best.photos:,} photos: '
    f'{amounts.share(best.accuracy)} (95 % interval {low} to {high} %).'
  ]
  close = [row for row in others if not row.differs()]
  if not close:
    word = 'The other is' if len(others) == 1 else 'All others are'
    lines.append(f'{word} worse by more than chance.')
    return lines
  lines.append(
    f'These photos do not show that it is better than {_listed(close)}. That is no '
    'proof that they are equally good: more photos may tell them apart.'
  )
  cheapest = min((best, *close), key=lambda row: row.multiply_adds)
  if cheapest is not best:
    times = best.multiply_adds / cheapest.multiply_adds
    lines.append(
      f'Of these, {cheapest.run} needs the fewest multiply-adds, {times:.1f} times '
      'fewer than the best.'
    )
  return lines


def cautions(rows: Sequence[Row]) -> list[str]:
  """What a reader could take the table for, and it is not."""
  lines = [
    "p is that of McNemar's exact test on the photos that one network alone names "
    f'rightly, adjusted for {len(rows) - 1} comparisons (Holm). Below 0.05 is called '
    'more than chance.',
    'The test knows the chance of the photos, not that of the training: each row is '
    'one run, and another seed would move it. If a difference matters, make the '
    'comparison again with another --config.seed.',
    'The best row was chosen on the same photos and is somewhat flattered by that. '
    'Evaluate it on photos that took no part (--job=evaluate --data_dir=...).',
  ]
  starts = {row.start == SCRATCH for row in rows}
  if True in starts:
    lines.append(
      'Rows from scratch compare how fast networks learn from few photos. They say '
      'little about which trunk serves best with weights from ImageNet.'
    )
  if len(starts) == 2:
    lines.append(
      'Rows with given weights and rows from scratch differ in what they have seen, '
      'not in the network alone.'
    )
  if len({row.resolution for row in rows}) > 1:
    lines.append(
      "The resolutions differ. Multiply-adds and times are those at the row's own."
    )
  return lines


def _listed(rows: Sequence[Row]) -> str:
  names = [row.run for row in rows]
  return ' and '.join(filter(None, (', '.join(names[:-1]), names[-1])))
