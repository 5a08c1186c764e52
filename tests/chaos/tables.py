"""Summaries in Markdown."""

import collections
import statistics
from collections.abc import Sequence

from tests.chaos.disturbances import KINDS
from tests.chaos.kills import Runs
from tests.chaos.skew import Launches
from tests.chaos.starts import PHASES


def of_kills(runs: Sequence[Runs]) -> str:
  """What was done and what was wrong; what was hit; how the processes ended."""
  kinds = [str(kind) for kind in KINDS]
  head = ['processes', 'runs finished', 'kills', *kinds, 'hangs']
  head += ['failed starts', 'wrong ends', 'runs that differ', 'files left']
  rows = []
  for those in runs:
    by_kind = collections.Counter(str(kill.kind) for kill in those.kills)
    wrong = sum(bool(kill.wrong) for kill in those.kills)
    rows.append(
      [those.processes, those.finished, len(those.kills)]
      + [by_kind[kind] for kind in kinds]
      + [
        len(those.hangs),
        len(those.failed),
        wrong,
        len(those.differing),
        len(those.litter),
      ]
    )
  rows.append(['all', *(sum(column) for column in list(zip(*rows, strict=True))[1:])])
  kills = [kill for those in runs for kill in those.kills]
  hit = collections.Counter((kill.phase, str(kill.kind)) for kill in kills)
  phases = [
    [phase, sum(hit[phase, kind] for kind in kinds), *(hit[phase, k] for k in kinds)]
    for phase in PHASES
  ]
  codes = collections.Counter(
    (str(kill.kind), kill.phase, ' '.join(map(str, sorted(set(kill.codes), key=str))))
    for kill in kills
  )
  ends = [
    [
      *(kind, phase),
      ', '.join(
        f'{code} ({count})'
        for (k, p, code), count in sorted(codes.items())
        if (k, p) == (kind, phase)
      ),
    ]
    for kind in kinds
    for phase in PHASES
    if hit[phase, kind]
  ]
  return '\n'.join(
    [
      table(head, rows),
      table(['what it hit', 'all', *kinds], phases),
      table(['what', 'hit', 'exit codes (times)'], ends),
    ]
  )


def of_launches(found: Sequence[Launches]) -> str:
  head = ['processes', 'launches', 'apart, median s', 'apart, most s']
  head += ['end after the last, median s', 'most s', 'hangs', 'failed', 'differ']
  rows = [
    [
      *(those.processes, len(those.apart)),
      *(f'{statistics.median(those.apart):.0f}', f'{max(those.apart):.0f}'),
      *(f'{statistics.median(those.seconds):.0f}', f'{max(those.seconds):.0f}'),
      *(those.hangs, those.failed, those.differing),
    ]
    for those in found
    if those.apart
  ]
  return table(head, rows)


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
  lines = [head, ['---'] * len(head), *rows]
  return ''.join(f'| {" | ".join(map(str, line))} |\n' for line in lines)
