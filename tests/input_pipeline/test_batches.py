"""Batches are a pure function of (seed, step, process); evaluation is exact."""

import itertools
import math

import numpy as np
import pytest

from input_pipeline import (
  DataError,
  Source,
  eval_batches,
  open_source,
  train_batches,
)

_OPS = 'inception_crop(8)|flip|value_range(-1, 1)'


@pytest.fixture(params=['folder', 'sharded', 'made'])
def source(request):
  """15 photos with random access, 41 records in three files, 11 made images."""
  if request.param == 'folder':
    photos = request.getfixturevalue('photos')
    return open_source('folder', 'train', data_dir=str(photos))
  if request.param == 'sharded':
    sharded_dir = request.getfixturevalue('sharded_dir')
    return open_source('sharded', 'train', data_dir=sharded_dir)
  return open_source('made', 'train', made_examples=11, made_size=8, made_classes=3)


@pytest.fixture
def records(sharded_dir):
  return open_source('sharded', 'train', data_dir=sharded_dir)


def _take(source, count, **kwargs):
  kwargs = {'ops': _OPS, 'batch_size': 4, 'seed': 1, **kwargs}
  return list(itertools.islice(train_batches(source, **kwargs), count))


def _same(first, second):
  assert len(first) == len(second)
  for a, b in zip(first, second, strict=True):
    assert a.keys() == b.keys()
    for name in a:
      np.testing.assert_array_equal(a[name], b[name], strict=True)


def _places(batches):
  """The places of records in the set: their red value."""
  return [int(v) for b in batches for v in b['image'][:, 0, 0, 0]]


def test_resume_is_bit_identical(source):
  batches = _take(source, 14)  # 56 examples: over the end of an epoch everywhere
  assert batches[0]['image'].shape == (4, 8, 8, 3)
  assert batches[0]['image'].dtype == np.float32
  assert batches[0]['label'].dtype == np.int32
  for start in (2, 11):
    _same(batches[start:], _take(source, 14 - start, start_step=start))


def test_resume_with_mixing_and_augmentation(photos):
  source = open_source('folder', 'train', data_dir=str(photos))
  kwargs = {
    'ops': 'inception_crop(8)|color()|randaug(1, 9, std=0.5)|erase(0.5)|normalize()',
    'batch_ops': 'mixup(0.8, prob=0.5)|cutmix(1.0, prob=0.5)',
  }
  batches = _take(source, 6, **kwargs)
  assert batches[0]['label'].shape == (4, 3)
  assert batches[0]['label'].dtype == np.float32
  _same(batches[3:], _take(source, 3, start_step=3, **kwargs))


def test_more_in_a_batch_than_in_the_set(records):
  batches = _take(records, 3, batch_size=100, ops='value_range(0, 255)')
  places = _places(batches)
  for epoch in range(7):
    assert sorted(places[epoch * 41 : epoch * 41 + 41]) == list(range(41))
  _same(
    batches[2:],
    _take(records, 1, batch_size=100, start_step=2, ops='value_range(0, 255)'),
  )


def test_every_epoch_is_another_permutation(records):
  places = _places(_take(records, 3, batch_size=41, ops='value_range(0, 255)'))
  epochs = [places[i : i + 41] for i in (0, 41, 82)]
  assert all(sorted(epoch) == list(range(41)) for epoch in epochs)
  assert epochs[0] != epochs[1] != epochs[2]


def test_random_access_epochs_are_permutations():
  source = open_source('made', 'train', made_examples=11, made_classes=11, made_size=8)
  labels = np.concatenate([b['label'] for b in _take(source, 11)])
  epochs = labels.reshape(4, 11)
  assert (np.sort(epochs, axis=1) == np.arange(11)).all()
  assert len(np.unique(epochs, axis=0)) == 4


def test_seeds_differ_and_the_global_seed_does_not_matter(source):
  import tensorflow as tf

  first = _take(source, 2)
  tf.random.set_seed(7)
  _same(first, _take(source, 2))
  assert not np.array_equal(first[0]['image'], _take(source, 1, seed=2)[0]['image'])


def test_augmentation_changes_with_the_epoch(tmp_path, jpeg):
  for name in 'ab':
    (tmp_path / name).mkdir()
    for number in range(2):
      (tmp_path / name / f'{number}.jpg').write_bytes(jpeg(1))
  source = open_source('folder', 'train', data_dir=str(tmp_path), holdout=0.5)
  images = np.concatenate([b['image'] for b in _take(source, 5, batch_size=2)])
  assert len(np.unique(images, axis=0)) == 10  # one photo, ten different crops


@pytest.mark.parametrize('count', [2, pytest.param(3, marks=pytest.mark.heavy)])
def test_process_shares_are_disjoint_and_complete(count, records):
  kwargs = {'ops': 'value_range(0, 255)', 'process_count': count, 'batch_size': 1}
  shares = [
    _places(_take(records, 41 // count, process_index=index, **kwargs))
    for index in range(count)
  ]
  together = [place for share in shares for place in share]
  assert len(set(together)) == len(together) == 41 // count * count
  made = open_source('made', 'train', made_examples=6, made_classes=6, made_size=8)
  for first in (0, 6 // count):  # the first epoch and the second
    labels = [
      int(b['label'][0])
      for index in range(count)
      for b in _take(made, 6 // count, start_step=first, process_index=index, **kwargs)
    ]
    assert sorted(labels) == list(range(6))


def test_processes_resume_over_an_uneven_epoch():
  made = open_source('made', 'train', made_examples=7, made_classes=7, made_size=8)
  kwargs = {'process_count': 3, 'process_index': 1, 'batch_size': 2}
  batches = _take(made, 8, **kwargs)
  _same(batches[5:], _take(made, 3, start_step=5, **kwargs))


@pytest.fixture(scope='module')
def places_of():
  """(examples, batch, processes, start) -> indexes of the first steps of each process.

  A source whose image is its index, so that the order is seen.
  """
  tf = pytest.importorskip('tensorflow')

  def places(examples, batch, processes, start, steps):
    source = Source(
      name='counted',
      split='train',
      num_examples=examples,
      num_classes=examples,
      class_names=(),
      describe=lambda index: f'counted[{index}]',
      read=lambda index: {
        'image': tf.zeros([1, 1, 3], tf.uint8),
        'label': tf.cast(index, tf.int32),
      },
      image_size=(1, 1),
    )
    return [
      [
        batch['label']
        for batch in _take(
          source, steps, ops='', batch_size=batch, start_step=start,
          process_index=index, process_count=processes,
        )
      ]
      for index in range(processes)
    ]  # fmt: skip

  return places


def _or_heavy(quick, cases):
  """Cases, those that are not among the quick ones on request."""
  marks = {case: () if case in quick else pytest.mark.heavy for case in cases}
  return [pytest.param(*case, marks=mark) for case, mark in marks.items()]


# Over the ends of epochs; batches larger than the set; sets smaller than a batch.
@pytest.mark.parametrize(
  ('examples', 'whole', 'start'),
  _or_heavy(
    [(23, 8, 2), (3, 4, 5)],
    [(24, 8, 0), (23, 8, 2), (7, 4, 3), (5, 12, 0), (3, 4, 5), (1, 4, 1)],
  ),
)
def test_processes_together_have_the_batches_of_one(places_of, examples, whole, start):
  steps = 6
  (alone,) = places_of(examples, whole, 1, 0, start + steps)
  order = np.concatenate(alone)
  for epoch in range(len(order) // examples):
    one = order[epoch * examples : (epoch + 1) * examples]
    np.testing.assert_array_equal(np.sort(one), np.arange(examples))
  for processes in (1, 2, 4):
    shares = places_of(examples, whole // processes, processes, start, steps)
    together = [np.concatenate(rows) for rows in zip(*shares, strict=True)]
    _same(_labelled(together), _labelled(alone[start:]))


def _labelled(rows):
  return [{'label': labels} for labels in rows]


@pytest.mark.parametrize(
  ('processes', 'batch_ops'),
  [
    pytest.param(4, '', marks=pytest.mark.heavy),
    (2, 'mixup(0.8)'),
    pytest.param(
      4, 'mixup(0.8, prob=0.5)|cutmix(1.0, prob=0.5)', marks=pytest.mark.heavy
    ),
  ],
)
def test_processes_together_have_the_images_of_one(photos, processes, batch_ops):
  source = open_source('folder', 'train', data_dir=str(photos))

  def batches(processes, index, start):
    return _take(
      source, 3, batch_size=8 // processes, start_step=start, batch_ops=batch_ops,
      process_index=index, process_count=processes,
    )  # fmt: skip

  shares = [batches(processes, index, 1) for index in range(processes)]
  together = [
    {name: np.concatenate([share[name] for share in parts]) for name in parts[0]}
    for parts in zip(*shares, strict=True)
  ]
  _same(together, batches(1, 0, 1))


def test_a_small_buffer_still_gives_every_record_once(records):
  batches = _take(
    records, 1, batch_size=41, ops='value_range(0, 255)', shuffle_buffer=3
  )
  assert sorted(_places(batches)) == list(range(41))


@pytest.mark.parametrize(
  ('source', 'count', 'size'),
  _or_heavy(
    [('folder', 3, 16), ('sharded', 2, 4), ('made', 1, 4), ('made', 4, 100)],
    [
      (source, count, size)
      for source in ('folder', 'sharded', 'made')
      for count, size in ((1, 4), (2, 4), (3, 16), (4, 100))
    ],
  ),
  indirect=['source'],
)
def test_evaluation_sees_every_example_once(source, count, size):
  seen, lengths = [], set()
  for index in range(count):
    batches = list(
      eval_batches(
        source, ops='resize(8)', batch_size=size, process_index=index,
        process_count=count,
      )
    )  # fmt: skip
    lengths.add(len(batches))
    for batch in batches:
      assert batch['image'].shape == (size, 8, 8, 3)
      assert {name: array.dtype.name for name, array in batch.items()} == {
        'image': 'float32',
        'label': 'int32',
        'mask': 'float32',
        'index': 'int64',
      }
      padded = batch['mask'] == 0
      assert (batch['index'][padded] == -1).all()
      assert (batch['image'][padded] == 0).all()
      seen += batch['index'][~padded].tolist()
  assert sorted(seen) == list(range(source.num_examples))
  largest_share = math.ceil(source.num_examples / count)
  assert lengths == {math.ceil(largest_share / size)}


def test_a_process_without_examples_yields_padding():
  source = open_source('made', 'train', made_examples=2, made_classes=2, made_size=8)
  batches = list(
    eval_batches(
      source, ops='resize(8)', batch_size=2, process_index=2, process_count=3
    )
  )
  assert [b['mask'].tolist() for b in batches] == [[0, 0]]


def test_evaluation_index_and_order(records):
  ops = 'value_range(0, 255)'
  for index in range(2):
    batches = list(
      eval_batches(records, ops=ops, batch_size=5, process_index=index, process_count=2)
    )
    for batch in batches:
      real = batch['mask'] > 0
      np.testing.assert_array_equal(
        batch['index'][real], _places([batch])[: real.sum()]
      )


def test_made_data_can_be_told_apart():
  """Nearest class mean on held-out images: the label is in the picture."""
  train = open_source('made', 'train', made_examples=64, made_classes=4, made_size=16)
  test = open_source('made', 'test', made_examples=64, made_classes=4, made_size=16)
  ops = 'value_range(0, 1)'
  a = next(eval_batches(train, ops=ops, batch_size=64))
  b = next(eval_batches(test, ops=ops, batch_size=16))
  means = np.stack([a['image'][a['label'] == label].mean(axis=0) for label in range(4)])
  distance = ((b['image'][:, None] - means) ** 2).sum(axis=(2, 3, 4))
  np.testing.assert_array_equal(distance.argmin(axis=1), b['label'])


@pytest.mark.parametrize(
  ('kwargs', 'expected'),
  [
    ({'ops': 'filp'}, 'did you mean flip'),
    ({'ops': 'flip'}, 'add resize'),
    ({'batch_ops': 'flip'}, 'belongs into the train ops'),
    ({'batch_size': 0}, 'batch_size=0'),
    ({'start_step': -1}, 'start_step=-1'),
    ({'process_index': 1}, 'process_index=1'),
    ({'shuffle_buffer': 0}, 'shuffle_buffer=0'),
  ],
)
def test_wrong_arguments(photos, kwargs, expected):
  source = open_source('folder', 'train', data_dir=str(photos))
  with pytest.raises(DataError, match=expected):
    _take(source, 1, **kwargs)


def test_more_processes_than_records(records):
  with pytest.raises(DataError, match='41 examples for 50'):
    _take(records, 1, process_count=50)


def test_evaluation_refuses_random_ops(records):
  with pytest.raises(DataError, match='flip is random'):
    eval_batches(records, ops='flip', batch_size=2)


def boxes_source(broken=()):
  """Three images with two boxes each and no label; some cannot be read."""
  tf = pytest.importorskip('tensorflow')

  def read(index):
    image = tf.cast(tf.fill([4, 4, 3], index), tf.uint8)
    bad = tf.reduce_any(tf.equal(index, tf.constant([-1, *broken], tf.int64)))
    with tf.control_dependencies([tf.debugging.assert_equal(bad, False)]):
      box = tf.cast(index, tf.float32) + tf.zeros([2, 4])
    return {'image': image, 'boxes': box, 'crowd': index > 1}

  return Source(
    name='boxes',
    split='train',
    num_examples=3,
    num_classes=0,
    class_names=(),
    describe=lambda index: f'boxes[{index}]',
    read=read,
    image_size=(4, 4),
  )


def test_fields_of_any_name_travel_with_their_image():
  batch = next(train_batches(boxes_source(), ops='', batch_size=3, seed=0))
  assert set(batch) == {'image', 'boxes', 'crowd'}
  assert batch['boxes'].shape == (3, 2, 4)
  np.testing.assert_array_equal(batch['boxes'][:, 1, 3], batch['image'][:, 0, 0, 0])
  np.testing.assert_array_equal(batch['crowd'], batch['image'][:, 0, 0, 0] > 1)
  first, second = eval_batches(boxes_source(), ops='', batch_size=2)
  np.testing.assert_array_equal(second['boxes'][:, 0, 0], [2, 0])
  np.testing.assert_array_equal(second['index'], [2, -1])
  assert first['crowd'].dtype == bool


def test_fields_of_an_unreadable_example_are_those_of_the_next():
  source = boxes_source(broken=[1])
  batch = next(train_batches(source, ops='', batch_size=3, seed=0))
  values = batch['image'][:, 0, 0, 0]
  assert sorted(set(values.tolist())) == [0, 2]
  np.testing.assert_array_equal(batch['boxes'][:, 0, 0], values)
  np.testing.assert_array_equal(batch['crowd'], values > 1)
  (only,) = eval_batches(source, ops='', batch_size=4)
  np.testing.assert_array_equal(only['mask'], [1, 0, 1, 0])


def test_mixing_needs_labels():
  with pytest.raises(DataError, match='mixes labels, and boxes has none'):
    train_batches(boxes_source(), ops='', batch_ops='mixup(0.2)', batch_size=2, seed=0)
