"""Checks of classes and of what lies where. Each takes Facts, gives Founds."""

from mobilenet.data_check.facts import Facts, Found, counted, some

FEW = 10  # photos of a class
UNBALANCED = 5  # the largest class, in times the smallest


def refused(facts: Facts) -> list[Found]:
  return [Found(f'training refuses: {line}') for line in facts.listing.refusals]


def single(facts: Facts) -> list[Found]:
  if facts.listing.by_class:
    return []
  names = [name for name, count in _sizes(facts).items() if count == 1]
  return _classes(facts, names, 'with one photo', lambda count: count == 1)


def few(facts: Facts) -> list[Found]:
  names = [name for name, count in _sizes(facts).items() if 1 < count < FEW]
  return _classes(facts, names, f'with fewer than {FEW} photos')


def unbalanced(facts: Facts) -> list[Found]:
  sizes = {name: count for name, count in _sizes(facts).items() if count}
  if not sizes:
    return []
  largest, smallest = max(sizes, key=sizes.get), min(sizes, key=sizes.get)
  ratio = sizes[largest] / sizes[smallest]
  if ratio <= UNBALANCED:
    return []
  return [
    Found(
      f'the largest class ({largest}, {sizes[largest]:,}) has {ratio:.0f} times the '
      f'photos of the smallest ({smallest}, {sizes[smallest]:,})'
    )
  ]


def unevaluated(facts: Facts) -> list[Found]:
  """Classes that have photos to train on and none in a part that measures."""
  if facts.listing.by_class:
    return []
  parts = [part for part in facts.listing.parts if part != 'train']
  found = []
  for part in parts:
    names = [
      name
      for name, counts in facts.listing.counts.items()
      if counts['train'] and not counts[part]
    ]
    found += _classes(facts, names, f'without a photo in {part}')
  return found


def _sizes(facts):
  return {name: counts.total() for name, counts in facts.listing.counts.items()}


def _classes(facts, names, what, with_photos=lambda count: True):
  if not names:
    return []
  chosen = set(names)
  photos = tuple(p.name for p in facts.photos if p.class_name in chosen)
  line = f'{counted(len(names), "class", "classes")} {what}: {some(names, 10)}'
  return [Found(line, photos)]


def in_two_classes(facts: Facts) -> list[Found]:
  return _copies(
    facts,
    'shown in two classes',
    lambda own, others: len({p.class_name for p in own if p.class_name}) > 1,
  )


def across_parts(facts: Facts) -> list[Found]:
  what = 'with copies in several of train, val and test'
  if facts.listing.by_seed:
    what = 'with copies on both sides of the split into train and val'
  return _copies(
    facts,
    what,
    lambda own, others: len({p.part for p in own if p.class_name}) > 1,
  )


def across_folders(facts: Facts) -> list[Found]:
  return _copies(
    facts, 'with copies in the other folder', lambda own, others: own and others
  )


def repeated(facts: Facts) -> list[Found]:
  return _copies(
    facts,
    'with copies in the same class and part',
    lambda own, others: (
      len(own) > 1 and len({(p.class_name, p.part) for p in own}) == 1
    ),
  )


def _copies(facts, what, belongs):
  groups, exact = [], 0
  for group in facts.copies:
    own = [p for p in group.photos if p.name not in facts.other_names]
    others = [p for p in group.photos if p.name in facts.other_names]
    if belongs(own, others):
      groups.append(tuple(p.name for p in (*own, *others)))
      exact += group.exact
  if not groups:
    return []
  changed = 're-encoded, resized or edited'
  how = {0: changed, len(groups): 'byte for byte'}.get(
    exact, f'{exact:,} byte for byte, the others {changed}'
  )
  names = tuple(name for group in groups for name in group)
  line = f'{counted(len(groups), "photo")} {what} ({how})'
  return [Found(line, names, tuple(groups))]
