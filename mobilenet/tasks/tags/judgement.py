"""What an evaluation of tags means: lines in plain words, from numbers alone."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from mobilenet.reports import amounts
from mobilenet.tasks.tags.scoring import Score

FEW = 20  # photos with a tag that its numbers, or what it learned, should rest on
_GAIN = 0.2  # of the way from chance to 1 that an average precision should have gone
_LOW = 0.5  # average precision below which about half of what comes first is wrong
_NEARLY = 0.05
_NAMED = 8  # tags that a line names


class Facts(NamedTuple):
  """scores: tag -> its `Score`. trained: tag -> positives in training; {} where nobody
  counted. chose: whether these photos chose the weights. chose_thresholds: whether they
  chose the thresholds.
  """

  scores: Mapping[str, Score]
  trained: Mapping[str, int]
  chose: bool
  chose_thresholds: bool


class Line(NamedTuple):
  """kind: one of `page.KINDS`."""

  kind: str
  text: str


def lines(facts: Facts) -> list[Line]:
  """What a person should know first; rules in their order, each at most once."""
  found = [rule(facts) for rule in RULES]
  said = [line for line in found if line is not None]
  if not any(line.kind == 'warning' for line in said):
    said.insert(0, Line('good', 'No tag stands out as one that cannot be trusted.'))
  return said


def _unmeasured(facts: Facts) -> Line | None:
  names = [n for n, s in facts.scores.items() if s.average_precision is None]
  return _warning(
    names,
    'Nobody can say how well {names} can be told: these photos all have it, '
    'or none has. Evaluate on photos of both kinds.',
  )


def _no_better_than_chance(facts: Facts) -> Line | None:
  names = [
    f'{name} ({amounts.share(s.average_precision, 0)}, chance is '
    f'{amounts.share(s.chance, 0)})'
    for name, s in facts.scores.items()
    if s.average_precision is not None
    and s.average_precision < s.chance + _GAIN * (1 - s.chance)
  ]
  return _warning(
    names,
    'Do not trust {names}: by average precision it is hardly better than '
    'chance. Train longer, or add photos with it.',
  )


def _low(facts: Facts) -> Line | None:
  names = [
    f'{name} ({amounts.share(s.average_precision, 0)})'
    for name, s in facts.scores.items()
    if s.average_precision is not None
    and s.chance + _GAIN * (1 - s.chance) <= s.average_precision < _LOW
  ]
  return _warning(
    names,
    'Weak: {names}. Of the photos that the network puts first, about half or '
    'more are wrong.',
  )


def _few_measured(facts: Facts) -> Line | None:
  names = [
    f'{name} ({fewer:,})'
    for name, s in facts.scores.items()
    if s.average_precision is not None
    and (fewer := min(s.positives, s.known - s.positives)) < FEW
  ]
  return _warning(
    names,
    'Numbers and thresholds rest on few photos with, or without, {names}: '
    f'below {FEW} of either kind they can be far off.',
  )


def _of_nearly_all(facts: Facts) -> Line | None:
  names = [
    name
    for name, s in facts.scores.items()
    if s.average_precision is not None
    and (s.precision or 0) < s.chance + _NEARLY * (1 - s.chance)
    and (s.recall or 0) > 1 - _NEARLY
  ]
  return _warning(
    names,
    'Nearly every photo is said to have {names}: its threshold parts the '
    'photos no better.',
  )


def _few_trained(facts: Facts) -> Line | None:
  few = {n: facts.trained[n] for n in facts.trained if facts.trained[n] < FEW}
  names = [f'{name} ({count:,})' for name, count in few.items()]
  return _warning(
    names,
    'Few photos to learn from show {names}: add some. '
    '--config.loss.balance=1 gives those that there are more weight.',
  )


def _flattered(facts: Facts) -> Line | None:
  chosen = [
    name
    for name, own in (('weights', facts.chose), ('thresholds', facts.chose_thresholds))
    if own
  ]
  if not chosen:
    return None
  what = ' and the '.join(chosen)
  return Line('note', f'These photos chose the {what}: on new ones expect less.')


RULES: tuple[Callable[[Facts], Line | None], ...] = (
  _no_better_than_chance,
  _low,
  _of_nearly_all,
  _unmeasured,
  _few_measured,
  _few_trained,
  _flattered,
)


def _warning(names: Sequence[str], text: str) -> Line | None:
  """A line on some tags, which stand in the text for '{names}'; None for no tags."""
  if not names:
    return None
  return Line('warning', text.replace('{names}', _listed(names)))


def _listed(names: Sequence[str]) -> str:
  more = f' and {len(names) - _NAMED:,} more' if len(names) > _NAMED else ''
  return ', '.join(names[:_NAMED]) + more
