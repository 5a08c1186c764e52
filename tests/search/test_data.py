"""The two parts of the training photos that a search sees."""

import numpy as np
import pytest

from configs import quickstart, v3_small
from mobilenet.search import data
from mobilenet.training import sharding
from mobilenet.training.errors import TrainingError


def opened(config, **options):
  return data.open_data(config, sharding.make_mesh(), **options)


def made():
  config = v3_small.get_config('quick')
  config.resolution, config.data.made_examples = 32, 100
  return config


def test_no_example_is_in_both():
  found = opened(made(), share=0.25)
  assert (found.learned.num_examples, found.held_out.num_examples) == (75, 25)
  described = [
    {part.describe(n) for n in range(part.num_examples)}
    for part in (found.learned, found.held_out)
  ]
  assert not described[0] & described[1]
  assert [len(names) for names in described] == [75, 25]


def test_what_is_held_out_comes_once_and_as_it_is():
  found = opened(made(), share=0.25)
  batches = found.held_out_batches()
  index = np.concatenate([batch['index'] for batch in batches])
  assert sorted(index[index >= 0]) == list(range(25))
  assert sum(batch['mask'].sum() for batch in batches) == 25
  first, again = (next(found.train_batches(1)) for _ in range(2))
  np.testing.assert_array_equal(first['image'], again['image'])


def test_a_split_of_tfds_is_cut_by_percent():
  config = quickstart.get_config()
  found = opened(config, share=0.2)
  assert (found.learned.num_examples, found.held_out.num_examples) == (3200, 800)
  config.data.train_split = 'train[:50%]'
  with pytest.raises(TrainingError, match=r'cannot be divided for a search'):
    opened(config)


def test_every_class_gives_its_share():
  labels = np.repeat([0, 1, 2], [50, 10, 1])
  learned, held_out = data.divided(len(labels), labels, 0.2, seed=3)
  assert np.bincount(labels[held_out], minlength=3).tolist() == [10, 2, 0]
  assert sorted([*learned, *held_out]) == list(range(61))
  other = data.divided(len(labels), labels, 0.2, seed=4)[1]
  assert set(held_out) != set(other)


def test_too_few_are_one_line():
  with pytest.raises(TrainingError, match='2 photos are too few'):
    data.divided(2, [0, 1], 0.2, seed=0)
