"""A folder of class folders: layouts, splits, and what can be wrong with it."""

import os
import shutil

import numpy as np
import pytest

from input_pipeline import DataError, open_source, recovery


def _open(folder, split='train', **kwargs):
  return open_source('folder', split, data_dir=str(folder), **kwargs)


def _touch(root, *names):
  for name in names:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).touch()


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


def test_photos_outside_of_class_folders_are_named(photos, capsys):
  (photos / 'train' / 'loose.jpg').write_bytes(b'x')
  assert _open(photos).num_examples == 15
  assert capsys.readouterr().out == (
    'passed over, since outside of the class folders in '
    f'{photos / "train"}: loose.jpg\n'
  )


def test_hidden_and_other_files_are_passed_over(photos):
  (photos / 'train' / '.cache').mkdir()
  (photos / 'train' / 'ash' / '._0.jpg').write_bytes(b'x')
  (photos / 'train' / 'ash' / 'notes.txt').write_text('x')
  (photos / 'train' / 'ash' / 'BIG.JPG').write_bytes(b'x')
  assert _open(photos).num_examples == 16


def test_the_split_of_a_seed_is_what_it_always_was(tmp_path):
  """These lists were made before images in folders below were found: runs hold them."""
  for name, count in (('ash', 7), ('birch', 20), ('s10', 2)):
    _touch(tmp_path, *(f'{name}/IMG_{n:04d}.JPG' for n in range(count)))
  expected = {
    0: 'ash/2 birch/8 birch/12 birch/14 birch/18 s10/0',
    5: 'ash/0 birch/0 birch/7 birch/10 birch/13 s10/0',
  }
  for seed, short in expected.items():
    val = [
      f'{name}/IMG_{int(number):04d}.JPG'
      for name, number in (image.split('/') for image in short.split())
    ]
    assert list(_open(tmp_path, 'val', seed=seed).names) == val
    train = _open(tmp_path, 'train', seed=seed).names
    assert len(train) == 23
    assert sorted([*train, *val]) == sorted(_open(tmp_path, 'all').names)


def test_images_in_folders_below_a_class_folder(tmp_path):
  for name in 'ab':
    _touch(tmp_path, *(f'{name}/{n}.jpg' for n in range(5)))
    _touch(tmp_path, *(f'{name}/day1/cam.2/{n}.jpg' for n in range(20)))
    _touch(tmp_path, f'{name}/.trash/0.jpg', f'{name}/x.jpg/0.png')
  source = _open(tmp_path, 'all')
  assert source.num_examples == 2 * 26
  assert source.names[:26] == tuple(sorted(source.names[:26]))
  assert source.names[25] == 'a/x.jpg/0.png'
  assert source.describe(30) == str(tmp_path / source.names[30])
  assert int(source.read(np.int64(30))['label']) == 1
  train, val = _open(tmp_path), _open(tmp_path, 'val')
  assert val.num_examples == 2 * 5
  assert sorted(train.names + val.names) == sorted(source.names)
  # It goes by the path below the class folder: the same in both classes here.
  assert {n[2:] for n in val.names if n[0] == 'a'} == {
    n[2:] for n in val.names if n[0] == 'b'
  }
  parts = tmp_path / 'parts'
  shutil.copytree(tmp_path / 'a', parts / 'train' / 'a')
  shutil.copytree(tmp_path / 'b', parts / 'train' / 'b')
  assert _open(parts).num_examples == 2 * 26


def test_links_to_folders_are_followed_once(tmp_path):
  root, elsewhere = tmp_path / 'photos', tmp_path / 'elsewhere'
  _touch(root, 'a/0.jpg', 'a/z/1.jpg', 'b/0.jpg')
  _touch(elsewhere, '2.jpg', 'deep/3.jpg')
  links = {'again': root / 'a' / 'z', 'up': root, 'self': root / 'a', 'out': elsewhere}
  for name, target in links.items():
    (root / 'a' / name).symlink_to(target)
  (elsewhere / 'back').symlink_to(elsewhere / 'deep')
  (root / 'c').symlink_to(elsewhere)
  assert _open(root, 'all').names == (
    'a/0.jpg',
    'a/out/2.jpg',
    'a/out/deep/3.jpg',
    'a/z/1.jpg',
    'b/0.jpg',
    'c/2.jpg',
    'c/deep/3.jpg',
  )


def test_no_file_is_looked_at(tmp_path, monkeypatch):
  _touch(tmp_path, *(f'{label}/{n}.jpg' for label in 'ab' for n in range(50)))
  stat, looked_at = os.stat, []

  def noted(path, *args, **kwargs):
    looked_at.append(os.fspath(path))
    return stat(path, *args, **kwargs)

  monkeypatch.setattr(os, 'stat', noted)
  source = _open(tmp_path)
  monkeypatch.undo()
  assert source.num_examples == 80
  assert str(tmp_path / 'a') in looked_at
  assert not [path for path in looked_at if path.endswith('.jpg')]


@pytest.mark.parametrize('train', ['train', 'Train', 'TRAINING'])
@pytest.mark.parametrize('val', ['val', 'valid', 'Valid', 'VALIDATION'])
def test_parts_by_any_name(tmp_path, train, val):
  _touch(tmp_path, *(f'{train}/{label}/{n}.jpg' for label in 'ab' for n in range(3)))
  _touch(tmp_path, f'{val}/a/0.jpg', f'{val}/b/0.jpg')
  _touch(tmp_path, 'Testing/a/0.jpg', 'Testing/b/0.jpg', 'Testing/b/1.jpg')
  (tmp_path / 'annotations').mkdir()
  sizes = {'train': 6, 'val': 2, 'test': 3, 'train+val': 8, 'Valid': 2, 'all': 11}
  assert {split: _open(tmp_path, split).num_examples for split in sizes} == sizes
  both = _open(tmp_path, 'valid+train')
  assert both.split == 'train+val'
  assert both.names[5:7] == (f'{train}/b/2.jpg', f'{val}/a/0.jpg')
  assert int(both.read(np.int64(7))['label']) == 1
  assert not both.by_seed


def test_parts_without_train_are_parts(tmp_path):
  _touch(tmp_path, 'val/a/0.jpg', 'val/b/0.jpg', 'test/a/0.jpg', 'test/b/0.jpg')
  assert _open(tmp_path, 'test').names == ('test/a/0.jpg', 'test/b/0.jpg')
  assert _open(tmp_path, 'all').class_names == ('a', 'b')
  with pytest.raises(DataError, match=r'no train/ in .* \(there is val/, test/\)'):
    _open(tmp_path, 'train')


def test_a_class_may_be_called_train(tmp_path):
  _touch(tmp_path, *(f'{v}/{n}.jpg' for v in ('bus', 'train', 'car') for n in '012'))
  assert _open(tmp_path, 'all').class_names == ('bus', 'car', 'train')
  assert _open(tmp_path).num_examples == 6


def test_all_of_class_folders(photos):
  root = photos / 'train'
  everything = tuple(
    f'{c}/{n}.jpg' for c in ('ash', 'birch', 'cedar') for n in range(5)
  )
  for split in ('all', 'train+val', 'val+training'):
    source = _open(root, split)
    assert (source.names, source.split) == (everything, 'all')
    assert not source.by_seed
  source = _open(root, 'val', whole=True)
  assert (source.names, source.split) == (everything, 'all')
  # Where there are parts, the part that is asked for is meant.
  assert _open(photos, 'val', whole=True).num_examples == 9
  assert _open(root, 'val').by_seed


def test_only_some_images_whatever_the_split(photos):
  root = photos / 'train'
  wanted = ('cedar/4.jpg', 'ash/0.jpg', 'gone/1.jpg', 'cedar/0.jpg')
  for split in ('train', 'val'):
    source = _open(root, split, only=wanted)
    assert source.names == ('cedar/4.jpg', 'ash/0.jpg', 'cedar/0.jpg')
    assert [int(source.read(np.int64(n))['label']) for n in range(3)] == [2, 0, 2]
  with pytest.raises(DataError, match=r'none of the 1 images .*--config.data.dir=FOLD'):
    _open(root, only=['gone/1.jpg'])


def test_a_class_with_one_image_is_trained_on(photos):
  root = photos / 'train'
  for label in ('dogwood', 'elder'):
    _touch(root, f'{label}/0.jpg')
    train, val = _open(root), _open(root, 'val')
    assert f'{label}/0.jpg' in train.names
    assert val.class_names == train.class_names
    assert {name.split('/')[0] for name in val.names} == {'ash', 'birch', 'cedar'}
    if label == 'dogwood':
      note = 'class dogwood has one image: it is trained on and cannot be evaluated'
      assert train.notes == val.notes == (note,)
  assert train.notes == (
    'classes dogwood, elder have one image each: they are trained on and cannot be '
    'evaluated',
  )
  assert _open(root, 'all').notes == ()


def test_a_name_that_is_no_text(photos):
  path = os.fsencode(photos / 'train' / 'ash') + b'/caf\xe9.jpg'
  try:
    with open(path, 'wb') as file:
      file.write((photos / 'train' / 'ash' / '0.jpg').read_bytes())
  except OSError:
    pytest.skip('this file system has names of text only')
  source = _open(photos)
  index = source.names.index('train/ash/caf\udce9.jpg')
  assert source.describe(index).endswith(r'caf\udce9.jpg')
  assert len(source.read(np.int64(index))['encoded'].numpy()) > 300


def _empty(root):
  shutil.rmtree(root / 'train' / 'birch')
  (root / 'train' / 'birch').mkdir()


def _only_notes(root):
  _empty(root)
  _touch(root, 'train/birch/day1/notes.txt')


def _lacking(root):
  shutil.rmtree(root / 'val' / 'birch')
  (root / 'val' / 'oak').mkdir()


def _zipped(root):
  shutil.rmtree(root)
  root.with_name(root.name + '.zip').touch()


def _deeper(root):
  shutil.rmtree(root / 'val')
  for name in ('ash', 'birch', 'cedar'):
    (root / 'all' / 'ours').mkdir(parents=True, exist_ok=True)
    (root / 'train' / name).rename(root / 'all' / 'ours' / name)
  shutil.rmtree(root / 'train')


def _without_val(root):
  shutil.rmtree(root / 'val')


@pytest.mark.parametrize(
  ('spoil', 'split', 'expected'),
  [
    # What follows depends on the names beside it, which may be near.
    (shutil.rmtree, 'train', 'no folder {root}'),
    (
      _zipped,
      'train',
      '{root} is no folder, but there is {root}.zip: unpack it first: unzip {root}.zip '
      '-d {root}; --config.data.dir={root}',
    ),
    (_empty, 'train', 'train/birch; add some, or remove it: rmdir {root}/train/birch'),
    (
      _only_notes,
      'train',
      'train/birch, only files such as day1/notes.txt; add some, or move it out of',
    ),
    (_lacking, 'val', 'lacks birch'),
    (_lacking, 'val', 'lacks oak'),
    (
      _without_val,
      'val',
      'no val/ in {root} (there is train/); --config.data.dir={root}/train to have '
      'that split by the seed',
    ),
    (lambda root: None, 'test', 'no test/ in {root} (there is train/, val/)'),
    (
      lambda root: (root / 'val').rename(root / 'Testing'),
      'val',
      '--config.data.eval_split=test, or --config.data.dir={root}/train',
    ),
    (
      lambda root: shutil.copytree(root / 'val', root / 'Valid'),
      'val',
      '{root} has Valid/ and val/: which is val? rename one, or join them',
    ),
    (lambda root: None, 'trian', 'did you mean train'),
    (
      _deeper,
      'train',
      'only one folder in {root}: all/, with 1 folder such as ours/ in it; if those '
      'are the classes: --config.data.dir={root}/all',
    ),
  ],
)
def test_errors(photos, spoil, split, expected):
  spoil(photos)
  with pytest.raises(DataError) as error:
    _open(photos, split)
  assert expected.format(root=photos) in str(error.value)
  assert '\n' not in str(error.value)


@pytest.mark.parametrize(
  ('name', 'expected'),
  [
    ('photos.zip', 'is packed: unpack it first: unzip {path} -d {folder}; --data_dir='),
    (
      'photos.tar.gz',
      'mkdir {folder} && tar xf {path} -C {folder}; --data_dir={folder}',
    ),
    ('photo.jpg', '{path} is a file; --data_dir= takes the folder that holds train/'),
  ],
)
def test_a_file_in_place_of_a_folder(tmp_path, name, expected):
  path = tmp_path / name
  path.touch()
  with pytest.raises(DataError) as error:
    _open(path, dir_flag='--data_dir')
  folder = tmp_path / 'photos'
  assert expected.format(path=path, folder=folder) in str(error.value)


def test_a_mistyped_folder(photos):
  with pytest.raises(DataError, match=f'no folder .*: did you mean {photos.name}'):
    _open(f'{photos}s')


def test_a_folder_that_cannot_be_read(photos, monkeypatch):
  def refuse(path):
    raise PermissionError(13, 'Permission denied', os.fspath(path))

  monkeypatch.setattr(os, 'scandir', refuse)
  with pytest.raises(DataError, match=f'^cannot read {photos}: Permission denied$'):
    _open(photos)


def test_errors_of_a_folder_without_train(tmp_path):
  with pytest.raises(DataError, match=r'which folder of photos.*--config.data.dir='):
    open_source('folder', 'train')
  with pytest.raises(
    DataError, match=r'no class folders in .*; put the images of each'
  ):
    _open(tmp_path)
  _touch(tmp_path, '1.png', '2.png')
  with pytest.raises(DataError, match=r'no class folders in .*, but 2 files such as 1'):
    _open(tmp_path)
  (tmp_path / 'a').mkdir()
  with pytest.raises(
    DataError, match=r'only one class folder in .*: a/; two are needed'
  ):
    _open(tmp_path)
  (tmp_path / 'b').mkdir()
  with pytest.raises(DataError, match=r'no images .* in class folder .*a, .*b'):
    _open(tmp_path)
  _touch(tmp_path, 'a/1.png', 'b/1.png')
  assert _open(tmp_path).num_examples == 2
  with pytest.raises(DataError, match=r'no class in .* has two images'):
    _open(tmp_path, 'val')
  with pytest.raises(DataError, match=r'split into train and val; --split=val is the'):
    _open(tmp_path, 'test', split_flag='--split')
  _touch(tmp_path, 'a/2.png')
  assert _open(tmp_path, 'val').num_examples == 1
  with pytest.raises(DataError, match=r'--config.data.holdout=1.0 must lie between 0'):
    _open(tmp_path, holdout=1.0)


def test_too_many_unreadable_images_name_the_flag(photos):
  with pytest.raises(DataError, match=r'or raise --config.data.corrupt_limit$'):
    recovery.note(set(), _open(photos), range(3), 2)


def test_a_class_folder_whose_name_is_no_text_is_named(photos):
  root = photos / 'train'
  os.rename(root / 'birch', os.fsencode(root) + b'/b\xffrch')
  with pytest.raises(DataError, match=r'class folder b\\udcffrch in .* is not text'):
    _open(root)
