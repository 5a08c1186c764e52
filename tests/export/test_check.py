"""What is compared before an exported file gets its name."""

import numpy as np
import pytest

from mobilenet.export import check
from mobilenet.export.check import Compared


def network(images):
  return images.reshape(len(images), -1)[:, :3]


def batches(labels=None):
  images = np.eye(3, dtype=np.float32).reshape(3, 1, 1, 3)
  yield images, labels
  yield images[:1] * 2, None if labels is None else labels[:1]


def test_the_same_answers_are_the_same():
  found = check.compare(network, network, batches(np.array([0, 1, 0])))
  assert found == Compared(4, 4, 0.0, 4, (3, 3))
  assert check.refusal(found, 'float32', 0) is None


def test_differences_are_counted():
  def other(images):
    return network(images)[:, [1, 0, 2]]

  found = check.compare(network, other, batches(np.array([0, 1, 2])))
  assert (found.count, found.agreeing, found.hits) == (4, 1, (4, 1))
  assert found.difference == 1.0
  assert 'differ by 1 of the largest' in check.refusal(found, 'float32', 0)
  assert 'loses 75.0 points of top-1' in check.refusal(found, 'int8', 2)
  assert check.refusal(found, 'int8', 75) is None
  unlabelled = check.compare(network, other, batches())
  assert 'names 1 of 4 images as the network does' in check.refusal(
    unlabelled, 'int8', 2
  )


@pytest.mark.parametrize('precision', ['float32', 'int8'])
def test_no_numbers_are_no_answer(precision):
  def broken(images):
    return network(images) * np.nan

  found = check.compare(network, broken, batches(np.array([0, 1, 2])))
  assert check.refusal(found, precision, 100) == 'its answers are not numbers'


def test_calls_take_turns():
  called = []
  times = check.latencies([lambda: called.append(0), lambda: called.append(1)], 3)
  assert called == [0, 1] * 4
  assert all(time >= 0 for time in times)
