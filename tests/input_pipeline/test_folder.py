"""A folder of class folders: layouts, splits, and what can be wrong with it."""

import shutil

import numpy as np
import pytest

from input_pipeline import DataError, open_source


def _open(folder, split='train', **kwargs):
  return open_source('folder', split, data_dir=str(folder), **kwargs)


def test_train_and_val_folders(photos):
  train, val = _open(photos), _open(photos, 'val')
  assert (train.num_examples, val.num_examples) == (15, 9)
  assert train.class_names == val.class_names == ('ash', 'birch', 'cedar')
  assert train.describe(5) == str(photos / 'train' / 'birch' / '0.jpg')
  assert int(train.read(np.int64(5))['label']) == 1
  assert (
    train.read(np.int64(5))['encoded'].numpy()
    == (photos / 'train' / 'birch' / '0.jpg').read_bytes()
  )
  assert _open(photos, 'validation').num_examples == 9
  (photos / 'val').rename(photos / 'validation')
  assert _open(photos, 'val').num_examples == 9
  shutil.copytree(photos / 'train', photos / 'test')
  assert _open(photos, 'test').num_examples == 15


def test_split_by_a_seed(photos):
  root = photos / 'train'

  def names(split, **kwargs):
    source = _open(root, split, **kwargs)
    return [source.describe(i) for i in range(source.num_examples)]

  train, val = names('train', seed=3), names('val', seed=3)
  assert len(train) == 12
  assert len(val) == 3  # one of five of each class
  assert [name.split('/')[-2] for name in val] == ['ash', 'birch', 'cedar']
  assert len(set(train) | set(val)) == 15
  assert names('val', seed=3) == val
  assert any(names('val', seed=seed) != val for seed in range(4))
  assert len(names('val', seed=3, holdout=0.4)) == 6


def test_hidden_and_other_files_are_passed_over(photos):
  (photos / 'train' / '.cache').mkdir()
  (photos / 'train' / 'ash' / '._0.jpg').write_bytes(b'x')
  (photos / 'train' / 'ash' / 'notes.txt').write_text('x')
  (photos / 'train' / 'ash' / 'BIG.JPG').write_bytes(b'x')
  assert _open(photos).num_examples == 16


def _empty(root):
  shutil.rmtree(root / 'train' / 'birch')
  (root / 'train' / 'birch').mkdir()


def _lacking(root):
  shutil.rmtree(root / 'val' / 'birch')
  (root / 'val' / 'oak').mkdir()


@pytest.mark.parametrize(
  ('spoil', 'split', 'expected'),
  [
    (lambda root: shutil.rmtree(root), 'train', 'no folder'),
    (_empty, 'train', 'train/birch; add some or remove it'),
    (_lacking, 'val', 'lacks birch'),
    (_lacking, 'val', 'lacks oak'),
    (lambda root: shutil.rmtree(root / 'val'), 'val', 'no val/ in'),
    (lambda root: None, 'test', 'no test/ in'),
    (lambda root: None, 'trian', 'did you mean train'),
    (
      lambda root: (root / 'train' / 'ash' / 'x.tif').touch(),
      'train',
      'ash/x.tif cannot be decoded; convert',
    ),
  ],
)
def test_errors(photos, spoil, split, expected):
  spoil(photos)
  with pytest.raises(DataError) as error:
    _open(photos, split)
  assert expected in str(error.value)
  assert '\n' not in str(error.value)


def test_errors_of_a_folder_without_train(tmp_path):
  with pytest.raises(DataError, match='no data_dir'):
    open_source('folder', 'train')
  with pytest.raises(DataError, match='no class folders in'):
    _open(tmp_path)
  (tmp_path / 'a').mkdir()
  with pytest.raises(DataError, match='only one class folder'):
    _open(tmp_path)
  (tmp_path / 'b').mkdir()
  with pytest.raises(DataError, match=r'no images .* in class folder .*a, .*b'):
    _open(tmp_path)
  for name in 'ab':
    (tmp_path / name / '1.png').touch()
  with pytest.raises(DataError, match='only one image in class folder'):
    _open(tmp_path)
  with pytest.raises(DataError, match='split into train and val'):
    _open(tmp_path, 'test')
  (tmp_path / 'a' / '2.png').touch()
  (tmp_path / 'b' / '2.png').touch()
  assert _open(tmp_path).num_examples == 2
  with pytest.raises(DataError, match='between 0 and 1'):
    _open(tmp_path, holdout=1.0)
