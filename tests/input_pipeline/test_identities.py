"""Folders whose classes are split: others are trained on than are evaluated."""

import pytest

from input_pipeline import DataError, open_source
from input_pipeline.folder_split import Split
from input_pipeline.identities import check_apart, chosen


@pytest.fixture
def write(tmp_path):
  """Makes photos that nobody decodes: (folder, photos) each; returns the root."""

  def make(**folders):
    for folder, count in folders.items():
      place = tmp_path / folder.replace('__', '/')
      place.mkdir(parents=True)
      for n in range(count):
        (place / f'{n}.jpg').write_bytes(f'{folder} {n}'.encode())
    return tmp_path

  return make


def opened(root, split, **how):
  return open_source('folder', split, data_dir=str(root), wants='identities', **how)


def both(root, **how):
  return [opened(root, split, **how) for split in ('train', 'val')]


def test_a_class_is_on_one_side_with_all_of_its_photos(write):
  root = write(**{f'person{n}': 3 for n in range(10)})
  train, val = both(root)
  assert (len(train.class_names), len(val.class_names)) == (8, 2)
  assert not set(train.class_names) & set(val.class_names)
  for source in (train, val):
    assert source.num_classes == len(source.class_names)
    assert source.by_seed
    folders = [name.partition('/')[0] for name in source.names]
    assert [source.class_names[label] for label in source.labels] == folders
  everything = opened(root, 'all')
  assert sorted(everything.names) == sorted([*train.names, *val.names])
  check_apart(train, val)


def test_the_same_share_wherever_the_classes_are():
  names = [f'person{n}' for n in range(40)]
  before = chosen(names, False, 'root', Split(holdout=0.25))
  assert len(before) == 10
  after = chosen([*names, 'somebody'], False, 'root', Split(holdout=0.25))
  assert len(set(before) & set(after)) >= 9
  other = chosen(names, False, 'root', Split(1, 0.25))
  assert set(other) != set(before)


def test_folds_set_every_class_aside_once():
  names = [f'person{n}' for n in range(11)]
  parts = [chosen(names, False, 'root', Split(fold=f'{n}/4')) for n in range(1, 5)]
  assert sorted(name for part in parts for name in part) == sorted(names)
  assert min(map(len, parts)) >= 2
  rest = chosen(names, True, 'root', Split(fold='2/4'))
  assert sorted([*rest, *parts[1]]) == sorted(names)


def test_two_classes_are_left_on_each_side():
  names = list('abcd')
  for holdout in (0.01, 0.99):
    sides = [chosen(names, train, 'root', Split(0, holdout)) for train in (True, False)]
    assert [len(side) for side in sides] == [2, 2]


def test_parts_have_classes_of_their_own(write):
  root = write(train__anna=2, train__ben=2, val__carl=2, val__dora=1)
  train, val = both(root)
  check_apart(train, val)
  assert (train.class_names, val.class_names) == (('anna', 'ben'), ('carl', 'dora'))
  assert (val.labels, val.by_seed) == ((0, 0, 1), False)
  assert val.notes[0].startswith('1 class has one image (dora)')
  assert not train.notes
  assert opened(root, 'all').class_names == ('anna', 'ben', 'carl', 'dora')


def test_a_class_of_both_parts_is_named(write):
  root = write(train__anna=2, train__ben=2, val__ben=2, val__carl=2)
  line = r'1 class is in both train and val of .* \(ben\): a network that has seen'
  with pytest.raises(DataError, match=line):
    check_apart(*both(root))
  # Of data whose split is its own nobody asks.
  made = [open_source('made', s, wants='identities') for s in ('train', 'validation')]
  check_apart(*made)


def test_a_run_keeps_its_photos(write):
  root = write(**{f'person{n}': 2 for n in range(6)})
  train, _ = both(root)
  write(aaron=2)
  kept = opened(root, 'train', only=train.names)
  assert (kept.names, kept.class_names) == (train.names, train.class_names)
  assert kept.labels == train.labels


def test_other_folders_are_taken_whole(write):
  root = write(anna=2, ben=2)
  assert opened(root, 'val', whole=True).class_names == ('anna', 'ben')


@pytest.mark.parametrize(
  ('folders', 'how', 'line'),
  [
    ({'anna': 3}, {}, 'only one class folder in'),
    ({'a': 2, 'b': 2, 'c': 2}, {}, r'has 3 classes \(a, b, c\).*evaluation; add some'),
    (
      dict.fromkeys('abcdef', 2),
      {'fold': '1/4'},
      'others in each fold; use at most 3 folds',
    ),
    (dict.fromkeys('abcdef', 2), {'fold': '4/3'}, 'write 1/5 for the first'),
    (dict.fromkeys('abcdef', 2), {'group': 'x'}, 'whole classes are set aside'),
    (dict.fromkeys('abcdef', 2), {'holdout': 1.0}, 'between 0 and 1'),
  ],
)
def test_what_cannot_be_split(write, folders, how, line):
  with pytest.raises(DataError, match=line):
    opened(write(**folders), 'train', **how)


def test_no_test_part_of_classes_alone(write):
  with pytest.raises(DataError, match='no train/ and test/'):
    opened(write(**dict.fromkeys('abcdef', 2)), 'test')
