"""A folder is listed also where training would refuse it."""

import pytest

from input_pipeline import DataError, folder_split
from input_pipeline.folder import open_folder
from input_pipeline.identities import open_identities
from mobilenet.data_check import listing


def write(root, *names):
  for name in names:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b'not looked at')


def of(root, **split):
  return listing.of_folder(str(root), '--data_dir', folder_split.Split(**split))


def test_parts_are_those_that_training_takes(tmp_path):
  write(tmp_path, *(f'{c}/{n}.jpg' for c in 'ab' for n in range(10)))
  listed = of(tmp_path, seed=3, holdout=0.3)
  assert listed.by_seed
  assert listed.refusals == ()
  for part in ('train', 'val'):
    opened = open_folder(part, str(tmp_path), seed=3, holdout=0.3)
    ours = [file.name for file in listed.files if file.part == part]
    assert ours == list(opened.names)
    labels = [listed.classes.index(file.class_name) for file in listed.files]
    assert sorted(set(labels)) == [0, 1]


def test_a_network_that_embeds_has_whole_classes_set_aside(tmp_path):
  write(tmp_path / 'own', *(f'{c}/{n}.jpg' for c in 'abcde' for n in range(2)))
  write(tmp_path / 'parts', 'train/a/1.jpg', 'train/b/1.jpg', 'val/b/2.jpg')
  split = folder_split.Split(seed=1)
  listed, parts = (
    listing.of_folder(str(tmp_path / name), '--data_dir', split, by_class=True)
    for name in ('own', 'parts')
  )
  for part in ('train', 'val'):
    opened = open_identities(part, str(tmp_path / 'own'), seed=1)
    ours = [file.name for file in listed.files if file.part == part]
    assert ours == list(opened.names)
  assert listed.refusals == ()
  (refusal,) = parts.refusals
  assert refusal.startswith('1 of the classes lie in several parts (b)')


@pytest.mark.parametrize(
  ('names', 'refusal'),
  [
    (['a/1.jpg', 'a/2.jpg'], 'only one class folder in'),
    (['1.jpg', '2.jpg'], 'no class folders in'),
    (['a/1.jpg', 'b/notes.txt'], 'no photos in class folder'),
    (['a/1.jpg', 'b/1.jpg'], 'no class in'),
    (['train/a/1.jpg', 'train/b/1.jpg'], 'no val/ in'),
    (
      ['train/a/1.jpg', 'train/b/1.jpg', 'val/a/1.jpg'],
      'val lacks b',
    ),
    (['train/a/1.jpg', 'training/b/1.jpg'], 'which is train?'),
  ],
)
def test_what_training_refuses_is_listed_all_the_same(names, refusal, tmp_path):
  write(tmp_path, *names)
  listed = of(tmp_path)
  assert [line for line in listed.refusals if refusal in line], listed.refusals
  photos = [name for name in names if name.endswith('.jpg')]
  assert sorted(file.name for file in listed.files) == sorted(photos)


def test_photos_outside_of_class_folders(tmp_path):
  write(tmp_path, 'train/a/1.jpg', 'train/b/x/2.jpg', 'val/a/1.jpg', 'val/b/1.jpg')
  write(tmp_path, 'over.jpg', 'train/over.png', 'more/1.jpg', 'val/x.doc')
  listed = of(tmp_path)
  assert set(listed.loose) == {'over.jpg', 'train/over.png', 'more/1.jpg'}
  assert listed.passed_over == ('val/x.doc',)
  assert dict(listed.counts['b']) == {'train': 1, 'val': 1}


def test_what_is_no_folder_of_photos_is_a_mistake(tmp_path):
  with pytest.raises(DataError, match='--data_dir= takes the folder'):
    of(tmp_path / 'nowhere')
  write(tmp_path, 'a/notes.txt', 'b/notes.txt')
  with pytest.raises(DataError, match='no photos'):
    of(tmp_path)
