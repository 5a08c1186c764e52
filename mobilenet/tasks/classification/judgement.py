"""What the numbers of a report mean, in plain words, the bad news first.

Each rule looks at the numbers and returns a line or nothing; RULES is their order on
the page. A rule says what was seen, what that means, and what to do next.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from mobilenet.reports.terminal import shorten
from mobilenet.tasks import Evaluated
from mobilenet.tasks.classification import decision, intervals

WIDE = 0.05  # half the width of an interval from which on it is called wide
LOW_RECALL = 0.8
BELOW_ACCURACY = 0.05  # of the balanced accuracy
FEW = 10  # photos of a class
OVERCONFIDENT = 0.05  # mean confidence above accuracy
BY_HEART = 10.0  # points of training above evaluation


class Line(NamedTuple):
  """kind: of `page.KINDS`. said: for a person. next_step: what to do, or ''."""

  kind: str
  said: str
  next_step: str = ''


NO_DOUBT = Line(
  'good',
  'None of the checks of this report found a reason to doubt these numbers. That is no '
  'proof: they hold for photos like these.',
)


@dataclasses.dataclass(frozen=True)
class Facts:
  """The numbers of a report.

  rows, overall: of `classes.per_class`. matrix: the confusion matrix. names: of the
  classes. confidence: (N,) of what was predicted, as the network said it. decided: the
  run's decision, why there is none, or None where nobody asked.
  """

  evaluated: Evaluated
  rows: Sequence[Mapping[str, Any]]
  overall: Mapping[str, Any]
  matrix: np.ndarray
  names: Sequence[str]
  confidence: np.ndarray
  decided: decision.Decision | str | None = None


def judge(facts: Facts) -> list[Line]:
  """The lines of all rules that have something to say; where none warns, one more."""
  lines = [line for rule in RULES if (line := rule(facts)) is not None]
  if any(line.kind == 'warning' for line in lines):
    return lines
  return [*lines, NO_DOUBT]


def how_good(facts: Facts) -> Line:
  overall = facts.overall
  right = int(np.trace(facts.matrix))
  return Line(
    'note',
    f'{right:,} of {overall["num_examples"]:,} photos are classified correctly: '
    f'{_percent(overall["accuracy"])}. For other photos like these, expect '
    f'{_percent(overall["accuracy_low"])} to {_percent(overall["accuracy_high"])} '
    '(95 % interval).',
  )


def trained_on(facts: Facts) -> Line | None:
  count = facts.evaluated.trained_on
  if not count:
    return None
  return Line(
    'warning',
    f'{count:,} of the {facts.evaluated.num_examples:,} photos were also trained on. '
    'The network knows them, so all numbers here are too good.',
    'Remove these photos from one of the two sides and evaluate again.',
  )


def guessing(facts: Facts) -> Line | None:
  support = facts.matrix.sum(axis=1)
  most = int(support.argmax())
  share = support[most] / support.sum()
  if np.count_nonzero(support) < 2 or facts.overall['accuracy_low'] > share:
    return None
  return Line(
    'warning',
    f'Calling every photo {_name(facts, most)} would be right for '
    f'{_percent(share)}. The network is not clearly better than that.',
    'Check the labels, train longer or start from ImageNet weights, and judge by the '
    'balanced accuracy.',
  )


def missed_classes(facts: Facts) -> Line | None:
  low = [row for row in facts.rows if row['support'] and row['recall'] < LOW_RECALL]
  if not low:
    return None
  low.sort(key=lambda row: row['recall'])
  said = ', '.join(
    f'{shorten(row["name"], 40)} ({_percent(row["recall"])} of '
    f'{row["support"]:,}, {_percent(row["recall_low"])} to '
    f'{_percent(row["recall_high"])})'
    for row in low[:5]
  )
  more = f' and {len(low) - 5:,} more' if len(low) > 5 else ''
  which = 'one class' if len(low) == 1 else f'{len(low):,} classes'
  return Line(
    'warning',
    f'Of {which} fewer than {_percent(LOW_RECALL, 0)} are found: {said}{more}.',
    'Look at the worst mistakes of these classes, check their labels, and collect more '
    'photos of them.',
  )


def small_classes_hidden(facts: Facts) -> Line | None:
  gap = facts.overall['accuracy'] - facts.overall['balanced_accuracy']
  if gap < BELOW_ACCURACY:
    return None
  return Line(
    'warning',
    f'The accuracy of {_percent(facts.overall["accuracy"])} flatters: classes with '
    'many photos carry it. If every class counts the same, it is '
    f'{_percent(facts.overall["balanced_accuracy"])} (balanced accuracy).',
    'Judge by the balanced accuracy and by the recall of each class.',
  )


def never_trained(facts: Facts) -> Line | None:
  known = (facts.evaluated.counts or {}).get('training', {})
  lacking = [name for name in facts.names if known.get(name) == 0]
  if not lacking:
    return None
  which, said = _some(lacking)
  return Line(
    'warning',
    f'Of {which} no photo was trained on: {said}. The network cannot name what it '
    'never saw.',
    'Add training photos of these classes, or leave the classes out.',
  )


def not_evaluated(facts: Facts) -> Line | None:
  lacking = [row['name'] for row in facts.rows if not row['support']]
  if not lacking:
    return None
  which, said = _some(lacking)
  return Line(
    'warning',
    f'Of {which} no photo was evaluated: {said}. No number here says how well the '
    'network finds such photos.',
    'Add evaluation photos of these classes before you rely on the network for them.',
  )


def few_photos(facts: Facts) -> Line | None:
  low, high = facts.overall['accuracy_low'], facts.overall['accuracy_high']
  if high - low < 2 * WIDE:
    return None
  number = facts.overall['num_examples']
  return Line(
    'warning',
    f'{number:,} evaluation photos are few: the accuracy of other such photos may be '
    f'anything from {_percent(low, 0)} to {_percent(high, 0)}.',
    f'Evaluate on more photos; about {_enough(facts):,} narrow that to 5 points on '
    'each side.',
  )


def few_of_a_class(facts: Facts) -> Line | None:
  few = [row for row in facts.rows if 0 < row['support'] < FEW]
  if not few:
    return None
  few.sort(key=lambda row: row['support'])
  said = ', '.join(f'{shorten(row["name"], 40)} ({row["support"]})' for row in few[:8])
  more = f' and {len(few) - 8:,} more' if len(few) > 8 else ''
  which = 'One class has' if len(few) == 1 else f'{len(few):,} classes have'
  return Line(
    'warning',
    f'{which} fewer than {FEW} evaluation photos: {said}{more}. Their numbers say '
    'little.',
    'Add evaluation photos of these classes before you rely on them.',
  )


def overconfident(facts: Facts) -> Line | None:
  mean, high = float(facts.confidence.mean()), facts.overall['accuracy_high']
  if mean < max(high, facts.overall['accuracy'] + OVERCONFIDENT):
    return None
  said = (
    f'The network is too sure of itself: it claims {_percent(mean)} on average and is '
    f'right in {_percent(facts.overall["accuracy"])}.'
  )
  if isinstance(facts.decided, decision.Decision):
    said += ' Prediction corrects that by a temperature, see below.'
  return Line('warning', said, 'Do not trust its percentages.')


def by_heart(facts: Facts) -> Line | None:
  name = 'top1'
  trained = [r[name] for r in facts.evaluated.history if _measured(r, 'train', name)]
  if not trained:
    return None
  gap = trained[-1] - 100 * facts.overall['accuracy']
  if not gap > BY_HEART:
    return None
  return Line(
    'warning',
    f'It is right for {trained[-1]:.1f} % of its training photos, and for '
    f'{_percent(facts.overall["accuracy"])} of these: it has learned much by heart.',
    'More photos help most; then stronger augmentation, a smaller network or fewer '
    'epochs.',
  )


def unreadable(facts: Facts) -> Line | None:
  names = facts.evaluated.unreadable()
  if not names:
    return None
  said = ', '.join(names[:5]) + (f' and {len(names) - 5:,} more' * (len(names) > 5))
  photos = 'photo was' if len(names) == 1 else 'photos were'
  return Line(
    'warning',
    f'{len(names):,} {photos} left out, since unreadable: {said}.',
    'Repair or remove the photos that cannot be read.',
  )


def same_split(facts: Facts) -> Line | None:
  if not facts.evaluated.chose:
    return None
  return Line(
    'note',
    'These numbers are somewhat too good. The same photos were looked at during '
    'training, and decided which weights are kept and how the calibration is set.',
    'Evaluate on photos that played no part in the training, best from another place '
    'or device: python main.py --job=evaluate --workdir=... --data_dir=FOLDER',
  )


def no_decision(facts: Facts) -> Line | None:
  if not isinstance(facts.decided, str):
    return None
  return Line(
    'note',
    f'No {decision.FILE} was written: {facts.decided}. So prediction shows the '
    f'percentages of the network as they are, and never answers "{decision.NONE}".',
  )


RULES: tuple[Callable[[Facts], Line | None], ...] = (
  how_good,
  trained_on,
  guessing,
  never_trained,
  not_evaluated,
  missed_classes,
  small_classes_hidden,
  few_photos,
  few_of_a_class,
  overconfident,
  by_heart,
  unreadable,
  same_split,
  no_decision,
)


def _percent(share: float, digits: int = 1) -> str:
  return f'{100 * share:.{digits}f}\N{NO-BREAK SPACE}%'


def _name(facts: Facts, place: int) -> str:
  return shorten(str(facts.names[place]), 40)


def _some(names: Sequence[str]) -> tuple[str, str]:
  """('2 classes', 'ash, birch'): their number and the first of them."""
  said = ', '.join(shorten(str(name), 40) for name in names[:5])
  more = f' and {len(names) - 5:,} more' if len(names) > 5 else ''
  return 'one class' if len(names) == 1 else f'{len(names):,} classes', said + more


def _measured(record: Mapping[str, Any], kind: str, name: str) -> bool:
  value = record.get(name)
  return record['kind'] == kind and value is not None and np.isfinite(value)


def _enough(facts: Facts) -> int:
  """Photos at which the interval is WIDE to each side, rounded up to ten."""
  share = facts.overall['accuracy']
  number = 10
  while np.ptp(intervals.wilson(share * number, number)) > 2 * WIDE:
    number += 10
  return number
