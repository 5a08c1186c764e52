"""Facts that name the class without a look at what is shown: shortcuts to be learned.

If all photos of one class come from one camera, a network may learn the camera. Each
fact is measured alone: photos vote, each value of the fact for the class that has it
most often, and other photos are named by that vote. Classes count alike, so that
chance is one divided by their number.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from mobilenet.data_check.facts import Facts, Found, counted, some
from mobilenet.data_check.photo_facts import Photo

FOLDS = 5
FEWEST = 2 * FOLDS  # photos of a class, for it to be counted
BINS = 8  # of equal numbers of photos, for facts that are numbers: three questions deep
# Share of the way from chance to certainty, at the lower end of the interval.
SERIOUS, LOOK, LOOK_AT_PIXELS = 0.5, 0.15, 0.3
OWN, ELSEWHERE = 0.8, 0.05  # shares of a class, and of the others, with one value


@dataclasses.dataclass(frozen=True)
class Fact:
  """name: for people. of: photo -> its value. of_file: whether it is of the file alone.

  What is of the file has nothing to do with what is shown. Brightness and the like may
  belong to the subject.
  """

  name: str
  of: Callable[[Photo], str | float]
  of_file: bool = True


FACTS = (
  Fact('camera', lambda p: p.camera or 'not named'),
  Fact('format', lambda p: p.format),
  Fact('size', lambda p: f'{p.width} x {p.height} px'),
  Fact('colour', lambda p: 'grey' if p.is_grey else 'in colour'),
  Fact('brightness', lambda p: p.brightness, of_file=False),
  Fact('contrast', lambda p: p.contrast, of_file=False),
  Fact('sharpness', lambda p: p.sharpness, of_file=False),
)


@dataclasses.dataclass(frozen=True)
class Strength:
  """How well a fact alone names the class.

  share: of the photos, classes weighted alike. low, high: its interval of 95 %.
  chance: the share of a guess.
  """

  share: float
  low: float
  high: float
  chance: float

  @property
  def at_least(self) -> float:
    """0 at chance, 1 where the fact says it all; of the lower end."""
    return (self.low - self.chance) / (1 - self.chance)


def strengths(facts: Facts) -> dict[str, Strength]:
  """Fact -> its strength; empty where fewer than two classes can be compared."""
  photos = comparable(facts)
  classes = [photo.class_name for photo in photos]
  if len(set(classes)) < 2:
    return {}
  return {
    fact.name: strength(values(fact, photos), classes)
    for fact in FACTS
    if len({fact.of(photo) for photo in photos}) > 1
  }


def comparable(facts: Facts) -> list[Photo]:
  counts: dict[str, int] = {}
  for photo in facts.labelled:
    counts[photo.class_name] = counts.get(photo.class_name, 0) + 1
  return [p for p in facts.labelled if counts[p.class_name] >= FEWEST]


def values(fact: Fact, photos: Sequence[Photo]) -> list[str]:
  """The fact of each photo in words; numbers in bins."""
  found = [fact.of(photo) for photo in photos]
  if fact.of_file:
    return found
  edges = np.quantile(found, np.arange(1, BINS) / BINS)
  return [str(place) for place in np.searchsorted(edges, found)]


def strength(found: Sequence[str], classes: Sequence[str]) -> Strength:
  """Of values and classes, N each; every class has at least `FOLDS` photos."""
  names, labels, counts = np.unique(classes, return_inverse=True, return_counts=True)
  kinds, kind = np.unique(found, return_inverse=True)
  # Each class is spread evenly over the folds, in an order that is always the same.
  order = np.random.default_rng(0).permutation(len(labels))
  order = order[np.argsort(labels[order], kind='stable')]
  fold = np.empty(len(labels), np.int64)
  fold[order] = np.arange(len(labels)) % FOLDS
  right = np.zeros(len(labels))
  for held in range(FOLDS):
    votes = np.zeros((len(kinds), len(names)))
    np.add.at(votes, (kind[fold != held], labels[fold != held]), 1)
    votes /= np.maximum(votes.sum(axis=0), 1)
    winners = votes == votes.max(axis=1, keepdims=True)
    shares = winners / winners.sum(axis=1, keepdims=True)  # unseen values guess
    here = fold == held
    right[here] = shares[kind[here], labels[here]]
  recall = np.bincount(labels, right) / counts
  # One photo more of either kind: a class that was always named right is no certainty.
  smooth = (recall * counts + 1) / (counts + 2)
  error = 1.96 * np.sqrt((smooth * (1 - smooth) / counts).sum()) / len(names)
  share = float(recall.mean())
  return Strength(share, max(share - error, 0), min(share + error, 1), 1 / len(names))


def serious(facts: Facts) -> list[Found]:
  return [
    _told(facts, fact, found)
    for fact, found in _measured(facts)
    if fact.of_file and found.at_least >= SERIOUS
  ]


def look(facts: Facts) -> list[Found]:
  found = [
    _told(facts, fact, strength)
    for fact, strength in _measured(facts)
    if fact.of_file and LOOK <= strength.at_least < SERIOUS
  ]
  strong = {f.name for f, s in _measured(facts) if s.at_least >= LOOK}
  for fact in FACTS:
    if fact.of_file and fact.name not in strong:
      found += _owned(facts, fact)
  return found


def of_pixels(facts: Facts) -> list[Found]:
  return [
    _told(facts, fact, found)
    for fact, found in _measured(facts)
    if not fact.of_file and found.at_least >= LOOK_AT_PIXELS
  ]


def _measured(facts):
  found = strengths(facts)
  return [(fact, found[fact.name]) for fact in FACTS if fact.name in found]


def _told(facts, fact, found):
  line = (
    f'{fact.name} alone names the class of {found.share:.0%} of the photos '
    f'({found.low:.0%} to {found.high:.0%}; a guess: {found.chance:.0%})'
  )
  return Found(line, remarks=usual(facts, fact) if fact.of_file else {})


def usual(facts: Facts, fact: Fact) -> dict[str, str]:
  """Class -> its most frequent value of a fact, with its share."""
  by_class: dict[str, list[str]] = {}
  for photo in comparable(facts):
    by_class.setdefault(photo.class_name, []).append(str(fact.of(photo)))
  shown = {}
  for name in sorted(by_class):
    most = max(sorted(set(by_class[name])), key=by_class[name].count)
    share = by_class[name].count(most) / len(by_class[name])
    shown[name] = f'{most}: {share:.0%}'
  return shown


def _owned(facts, fact):
  """Classes that have nearly alone a value which nearly all of their photos have."""
  photos = comparable(facts)
  owned = {}
  for name in sorted({photo.class_name for photo in photos}):
    own = [str(fact.of(p)) for p in photos if p.class_name == name]
    others = [str(fact.of(p)) for p in photos if p.class_name != name]
    most = max(sorted(set(own)), key=own.count)
    elsewhere = others.count(most) / max(1, len(others))
    if own.count(most) >= OWN * len(own) and elsewhere <= ELSEWHERE:
      owned[name] = f'{most}: {own.count(most) / len(own):.0%}, others {elsewhere:.0%}'
  if not owned:
    return []
  line = f'{counted(len(owned), "class", "classes")} with a {fact.name} of their own'
  return [Found(f'{line}: {some(owned)}', remarks=owned)]
