"""What is set aside: shares, folds, and groups that stay on one side."""

import collections

import numpy as np
import pytest

from input_pipeline import DataError
from input_pipeline.folder_split import Split, held_out
from input_pipeline.photo_groups import group_of


def parts(images, **how):
  """(training, validation): each {label: names}."""
  sides = (held_out(images, train, 'root', Split(**how)) for train in (True, False))
  return [dict(side) for side in sides]


def patients(count, per_patient, labels=('ill', 'well'), seed=0):
  """Photos of patients, each with one or more labels."""
  rng = np.random.default_rng(seed)
  images = {label: [] for label in labels}
  for patient in range(count):
    for n in range(rng.integers(1, per_patient + 1)):
      label = labels[rng.integers(len(labels))]
      images[label].append(f'{label}/patient{patient:03d}_{n}.png')
  return [(n, images[label]) for n, label in enumerate(labels)]


def names_of(side):
  return {name for names in side.values() for name in names}


@pytest.mark.parametrize('seed', range(4))
@pytest.mark.parametrize('per_patient', [2, 9])
def test_no_group_is_on_both_sides_and_every_photo_on_one(seed, per_patient):
  images = patients(120, per_patient, seed=seed)
  train, val = parts(images, seed=seed, group=r'patient\d+')
  everything = {name for _, names in images for name in names}
  assert names_of(train) | names_of(val) == everything
  assert not names_of(train) & names_of(val)
  groups = group_of(sorted(everything), r'patient\d+')
  sides = [{groups[name] for name in names_of(side)} for side in (train, val)]
  assert not sides[0] & sides[1]
  for label, names in images:
    assert len(val[label]) / len(names) == pytest.approx(0.2, abs=0.03)


def test_the_seed_draws_other_groups():
  images = patients(60, 3)
  chosen = {
    frozenset(names_of(parts(images, seed=s, group=r'patient\d+')[1])) for s in range(5)
  }
  assert len(chosen) == 5


@pytest.mark.parametrize('group', ['', r'patient\d+'])
def test_folds_set_everything_aside_once(group):
  images = patients(50, 4)
  counted = collections.Counter()
  for fold in range(1, 6):
    train, val = parts(images, fold=f'{fold}/5', group=group)
    counted.update(names_of(val))
    assert not names_of(train) & names_of(val)
    for label, names in images:
      assert len(val[label]) / len(names) == pytest.approx(0.2, abs=0.05)
  assert set(counted.values()) == {1}
  assert set(counted) == {name for _, names in images for name in names}


def few(ill, well, per_patient=(5, 2)):
  """So many patients of each class, with so many photos each."""
  numbers = iter(range(1000))
  return [
    (label, [f'{name}/patient{p}_{n}.png' for p in own for n in range(each)])
    for label, (name, own, each) in enumerate(
      (name, [next(numbers) for _ in range(count)], each)
      for name, count, each in zip(
        ('ill', 'well'), (ill, well), per_patient, strict=True
      )
    )
  ]


@pytest.mark.parametrize('counts', [(3, 30), (2, 30), (30, 2), (3, 3), (2, 2)])
@pytest.mark.parametrize('per_patient', [(5, 2), (6, 6), (1, 9)])
@pytest.mark.parametrize('holdout', [0.1, 0.2, 0.6])
def test_a_class_with_two_groups_is_on_both_sides(counts, per_patient, holdout):
  images = few(*counts, per_patient)
  train, val = parts(images, group=r'patient\d+', holdout=holdout)
  for label in (0, 1):
    assert train[label]
    assert val[label]


@pytest.mark.parametrize('seed', range(20))
def test_groups_with_several_classes_are_on_both_sides_if_they_can_be(seed):
  rng = np.random.default_rng(seed)
  images = [
    (label, [f'c{label}/p{p}_{n}.png' for n, p in enumerate(rng.integers(0, 9, 6))])
    for label in range(4)
  ]
  train, val = parts(images, group=r'p\d+', seed=seed)
  groups = group_of([name for _, names in images for name in names], r'p\d+')
  for label, names in images:
    assert len({groups[name] for name in names}) > 1, 'the case that is meant'
    assert train[label]
    assert val[label]


@pytest.mark.parametrize('how', [{}, {'fold': '1/3'}, {'fold': '2/3'}, {'fold': '3/3'}])
@pytest.mark.parametrize(
  ('group', 'alone'), [('', 1), (r'patient\d+', 1), (r'patient\d+', 4)]
)
def test_a_class_of_one_photo_or_group_is_trained_on(how, group, alone):
  images = few(1, 12, (alone, 2))
  train, val = parts(images, group=group, **how)
  assert val[0] == []
  assert train[0] == images[0][1]
  assert val[1]


def test_folds_of_groups_have_all_something_and_a_class_with_enough_groups():
  images = few(4, 9)
  for folds in (4, 9, 13):
    for fold in range(folds):
      train, val = parts(images, group=r'patient\d+', fold=f'{fold + 1}/{folds}')
      assert names_of(val)
      assert all(train.values())
      assert folds > 4 or all(val.values())
  with pytest.raises(DataError, match=r'13 groups that .* are 14: use at most 13'):
    parts(images, group=r'patient\d+', fold='14/14')


@pytest.mark.parametrize(
  ('how', 'message'),
  [
    ({'fold': '6/5'}, r'--config\.data\.fold=6/5: write 1/5'),
    ({'fold': '0/5'}, r'--config\.data\.fold=0/5: write 1/5'),
    ({'fold': '1/1'}, r'--config\.data\.fold=1/1: write 1/5'),
    ({'fold': 'first'}, r'--config\.data\.fold=first: write 1/5'),
    ({'group': r'plant\d+'}, r'says nothing of 4 of 4 images: ill/patient000_0\.png'),
    ({'group': '('}, r'is no regular expression'),
    ({'group': 'none.csv'}, r'group=none\.csv cannot be read: No such file'),
    (
      {'group': r'patient'},
      r'every group in root holds all images of a class: nothing',
    ),
    (
      {'group': r'ill|well'},
      r'every group in root holds all images of a class: nothin',
    ),
    (
      {'group': r'patient\d+', 'fold': '3/3'},
      r'2 groups that .* are 3: use at most 2$',
    ),
    ({'fold': '1/30'}, r'2 images in its largest class, .* are 30: use at most 2$'),
    ({'holdout': 1.0}, r'holdout=1\.0 must lie between 0 and 1'),
  ],
)
def test_mistakes_are_one_line(how, message):
  images = [(0, ['ill/patient000_0.png', 'ill/patient001_0.png'])]
  images.append((1, ['well/patient000_1.png', 'well/patient001_1.png']))
  with pytest.raises(DataError, match=message) as error:
    parts(images, **how)
  assert '\n' not in str(error.value)


@pytest.mark.parametrize(
  ('images', 'how', 'line'),
  [
    ([(0, ['a.png'])], {}, 'only one image in root can be used'),
    ([(0, ['a']), (1, ['b'])], {}, 'no class in root has two images'),
    ([(0, ['x1', 'x2'])], {'group': 'x'}, 'every group in root holds all images: '),
  ],
)
def test_where_nothing_is_left_to_evaluate_on(images, how, line):
  with pytest.raises(DataError, match=line):
    parts(images, **how)
