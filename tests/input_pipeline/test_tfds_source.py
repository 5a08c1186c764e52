"""TFDS sets: the embedded digits, sharded files, and sets that are not there."""

import dataclasses
import itertools
import pathlib
import re
import stat
import subprocess
import sys

import numpy as np
import pytest

from input_pipeline import DataError, eval_batches, open_source, train_batches


def _labels(source):
  batches = eval_batches(source, ops='value_range(0, 255)', batch_size=500)
  return np.concatenate([b['label'][b['mask'] > 0] for b in batches])


def test_digits_are_balanced_and_fixed(digits_dir):
  train = open_source('digits', 'train', data_dir=digits_dir)
  test = open_source('digits', 'test', data_dir=digits_dir)
  assert (train.num_examples, test.num_examples) == (4000, 1000)
  assert train.num_classes == 10
  assert train.class_names == tuple('0123456789')
  assert train.image_size == (28, 28)
  assert test.describe(17) == 'digits/test[17]'
  assert np.bincount(_labels(train)).tolist() == [400] * 10
  labels = _labels(test)
  assert np.bincount(labels).tolist() == [100] * 10
  # The order is part of the data set: predictions are compared by index.
  assert labels[:8].tolist() == [3, 8, 7, 2, 6, 3, 8, 9]


def test_digits_validation_is_the_test_split(digits_dir):
  source = open_source('digits', 'validation', data_dir=digits_dir)
  np.testing.assert_array_equal(
    _labels(source), _labels(open_source('digits', 'test', data_dir=digits_dir))
  )


def test_digits_in_a_directory_that_cannot_be_made(tmp_path):
  (tmp_path / 'file').touch()
  with pytest.raises(DataError, match='a directory that can be written'):
    open_source('digits', 'train', data_dir=str(tmp_path / 'file' / 'sub'))


@pytest.mark.heavy
def test_digits_built_by_two_processes_at_once(tmp_path):
  code = (
    'import sys; from input_pipeline import open_source\n'
    'print(open_source("digits", "train", data_dir=sys.argv[1]).num_examples)'
  )
  command = [sys.executable, '-c', code, str(tmp_path)]
  running = [
    subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for _ in range(2)
  ]
  for process in running:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert out == '4000\n'  # and nothing else on stdout
  assert [p.name for p in (tmp_path / 'digits').iterdir()] == ['1.0.0']


def test_digits_from_a_data_dir_that_cannot_be_written(digits_dir):
  root = pathlib.Path(digits_dir)
  mode = stat.S_IMODE(root.stat().st_mode)
  root.chmod(0o555)
  try:
    assert open_source('digits', 'test', data_dir=digits_dir).num_examples == 1000
  finally:
    root.chmod(mode)


def test_sharded_files_and_subsplits(sharded_dir):
  source = open_source('sharded', 'train', data_dir=sharded_dir)
  assert source.num_examples == 41
  np.testing.assert_array_equal(_labels(source), np.arange(41) % 7)
  part = open_source('sharded', 'train[18:30]', data_dir=sharded_dir)
  assert part.num_examples == 12
  np.testing.assert_array_equal(_labels(part), np.arange(18, 30) % 7)
  assert part.describe(3) == 'sharded/train[18:30][3]'


def test_sums_of_splits(unlabelled_dir):
  labels = {'train': [0, 1, 2, 3, 4, 5, 6, 0], 'test': [-1] * 5, 'odd': [3, -1, 4, 5]}
  expected = {
    'train+odd': labels['train'] + labels['odd'],
    'train[:50%]+odd[1:]': labels['train'][:4] + labels['odd'][1:],
    'odd + train[6:]': labels['odd'] + labels['train'][6:],
    'test[:2]+train': labels['test'][:2] + labels['train'],
  }
  for split, there in expected.items():
    source = open_source('hidden', split, data_dir=unlabelled_dir)
    assert source.num_examples == len(there)
    assert _labels(source).tolist() == there
  source = open_source('hidden', 'all', data_dir=unlabelled_dir)
  assert sorted(_labels(source)) == sorted(itertools.chain(*labels.values()))
  assert source.origin == 'hidden/1.0.0'


@pytest.mark.parametrize('split', ['train', 'train+odd', 'test[:1]+odd[:1]', 'all'])
@pytest.mark.parametrize('processes', [2, 3, 4])
def test_the_place_of_an_example_does_not_depend_on_processes(
  unlabelled_dir, split, processes
):
  source = open_source('hidden', split, data_dir=unlabelled_dir)
  if source.num_examples < processes:
    with pytest.raises(DataError, match=r'for \d hosts'):
      source.slices(0, processes)
    return
  alone = {
    (part.filename, part.skip + n): part.start + n
    for part in source.slices(0, 1)
    for n in range(part.take)
  }
  assert sorted(alone.values()) == list(range(source.num_examples))
  shares = [source.slices(n, processes) for n in range(processes)]
  together = {
    (part.filename, part.skip + n): part.start + n
    for share in shares
    for part in share
    for n in range(part.take)
  }
  assert together == alone
  sizes = [sum(part.take for part in share) for share in shares]
  assert max(sizes) == -(-source.num_examples // processes)
  assert max(sizes) - min(sizes) <= 1


def test_digits_validation_in_a_sum(digits_dir):
  source = open_source('digits', 'train[:7]+validation', data_dir=digits_dir)
  assert (source.num_examples, source.split) == (1007, 'train[:7]+test')


def test_splits_without_labels_are_known(unlabelled_dir):
  found = {
    split: open_source('hidden', split, data_dir=unlabelled_dir).unlabelled
    for split in ('train', 'test', 'test[3:]', 'train+test', 'all', 'odd')
  }
  hidden = ('test',)
  assert found == {
    'train': (),
    'test': hidden,
    'test[3:]': hidden,
    'train+test': hidden,
    'all': hidden,
    'odd': (),  # by the first example; the others are met in training
  }


@pytest.mark.parametrize('batch_ops', ['', 'mixup(0.2)', 'cutmix(1.0)'])
def test_an_example_without_a_label_is_not_trained_on(unlabelled_dir, batch_ops):
  def first(split):
    source = open_source('hidden', split, data_dir=unlabelled_dir)
    return next(
      train_batches(source, ops='', batch_ops=batch_ops, batch_size=4, seed=0)
    )

  assert first('train')['image'].shape == (4, 6, 6, 3)
  with pytest.raises(DataError) as error:
    first('odd')
  assert 'hidden/odd[' in str(error.value)
  assert 'has no label (-1), met at step 0' in str(error.value)
  assert str(error.value).endswith('--config.data.train_split=')


@pytest.mark.parametrize('batch_ops', [None, '', 'mixup(0.2)'])
def test_a_label_that_is_no_class_is_named(sharded_dir, batch_ops):
  """In training, mixed or not, and in evaluation (None)."""
  source = open_source('sharded', 'train', data_dir=sharded_dir)
  source = dataclasses.replace(source, num_classes=6)  # the labels go up to 6
  if batch_ops is None:
    batches = eval_batches(source, ops='', batch_size=4)
  else:
    batches = train_batches(source, ops='', batch_ops=batch_ops, batch_size=4, seed=3)
  with pytest.raises(DataError) as error:
    list(itertools.islice(batches, 11))
  said = str(error.value)
  if batch_ops is None:
    assert said.startswith('sharded/train[6] has the label 6, met at step 1: ')
    assert said.endswith("'train[:6]+train[7:]'")
  assert re.match(r'sharded/train\[\d+\] has the label 6, met at step \d+: ', said)
  assert 'the 6 classes of sharded have 0 to 5; repair the data' in said
  assert '\n' not in said


def test_evaluation_takes_examples_without_a_label(unlabelled_dir):
  source = open_source('hidden', 'odd', data_dir=unlabelled_dir)
  assert _labels(source).tolist() == [3, -1, 4, 5]


def test_imagenet_not_prepared(tmp_path):
  with pytest.raises(DataError) as error:
    open_source('imagenet2012', 'train', data_dir=str(tmp_path))
  message = str(error.value)
  assert '\n' not in message
  for part in (
    f'nothing in {tmp_path}/imagenet2012/5.1.0',
    'ILSVRC2012_img_train.tar',
    'ILSVRC2012_img_val.tar',
    f'{tmp_path}/downloads/manual/',
    f'`tfds build imagenet2012 --data_dir={tmp_path}`',
    ':quick',
    'configs/quickstart.py',
  ):
    assert part in message


@pytest.mark.parametrize(
  ('name', 'split', 'expected'),
  [
    ('cifar10', 'train', '`tfds build cifar10 --data_dir='),
    ('cifar10', 'train', 'or say where it is: --config.data.dir=FOLDER'),
    ('cifar1o', 'train', 'did you mean cifar10'),
    ('digit', 'train', 'digits'),
    ('foldr', 'train', 'folder'),
    ('cifar10:1.0.0', 'train', 'cannot be loaded at version 1.0.0'),
    ('sharded', 'test', "no split 'test', only train"),
    ('sharded', 'train+tset[:3]', "no split 'tset', only train"),
    ('sharded', 'all[:50%]', 'cannot be split by'),
    ('sharded', 'train[30:10]', 'is empty'),
    ('sharded', 'train[:0]', 'is empty'),
    ('sharded', 'train[50:60]', 'cannot be split by'),
    ('sharded', 'train[bad]', 'cannot be split by'),
    ('made', 'trian', 'did you mean train'),
  ],
)
def test_errors(sharded_dir, name, split, expected):
  with pytest.raises(DataError) as error:
    open_source(name, split, data_dir=sharded_dir)
  assert expected in str(error.value)
  assert '\n' not in str(error.value)


@pytest.mark.parametrize(
  ('features', 'expected'),
  [
    ({'text': 'Text'}, "no feature 'image', it has text"),
    (
      {'image': 'Image', 'objects': 'Text'},
      "no feature 'label', it has image, objects",
    ),
    ({'image': 'Text', 'label': 'Label'}, "'image' of odd is a Text"),
    ({'image': 'Image16', 'label': 'Label'}, 'are uint16, not uint8'),
  ],
)
def test_sets_without_images_and_labels(features, expected):
  import tensorflow_datasets as tfds

  from input_pipeline import tfds_source

  kinds = {
    'Text': tfds.features.Text(),
    'Image': tfds.features.Image(),
    'Image16': tfds.features.Image(shape=(8, 8, 1), dtype=np.uint16),
    'Label': tfds.features.ClassLabel(num_classes=3),
  }
  features = tfds.features.FeaturesDict({k: kinds[v] for k, v in features.items()})
  with pytest.raises(DataError) as error:
    tfds_source._check_features(features, 'odd')
  assert expected in str(error.value)


def test_tensorflow_is_kept_from_accelerators(monkeypatch):
  import tensorflow as tf

  hidden = []
  monkeypatch.setattr(tf.config, 'get_visible_devices', lambda kind: [f'{kind}:0'])
  monkeypatch.setattr(
    tf.config,
    'set_visible_devices',
    lambda *arguments: hidden.append(arguments),
  )
  open_source('made', 'train')
  assert hidden == [([], 'GPU'), ([], 'TPU')]
