"""What is set aside: shares, folds, and groups that stay on one side."""

import collections

import numpy as np
import pytest

from input_pipeline import DataError
from input_pipeline.folder_split import Split, group_of, held_out


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


@pytest.mark.parametrize(
  ('pattern', 'expected'),
  [
    (r'patient\d+', 'patient12'),
    (r'patient(\d+)', '12'),
    (r'(ill|well)/patient(\d+)', 'ill/12'),
  ],
)
def test_what_a_pattern_takes_out_of_a_name(pattern, expected):
  assert group_of(['ill/patient12_3.png'], pattern) == {'ill/patient12_3.png': expected}


def test_a_table_names_the_groups(tmp_path):
  table = tmp_path / 'groups.csv'
  table.write_text('photo,plant\nill/1.png,p1\n2.png, p2 \nill\\3.png,p1\n')
  names = ['ill/1.png', 'well/2.png', 'ill/3.png']
  assert group_of(names, str(table)) == dict(
    zip(names, ('p1', 'p2', 'p1'), strict=True)
  )


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
    ({'group': r'patient'}, r'all images in root are one group: nothing is left to'),
    ({'holdout': 1.0}, r'holdout=1\.0 must lie between 0 and 1'),
  ],
)
def test_mistakes_are_one_line(how, message):
  images = [(0, ['ill/patient000_0.png', 'ill/patient001_0.png'])]
  images.append((1, ['well/patient000_1.png', 'well/patient001_1.png']))
  with pytest.raises(DataError, match=message) as error:
    parts(images, **how)
  assert '\n' not in str(error.value)


def test_a_table_of_one_column_is_told(tmp_path):
  table = tmp_path / 'groups.csv'
  table.write_text('photo\n1.png\n')
  with pytest.raises(DataError, match='needs two columns'):
    group_of(['a/1.png'], str(table))
