"""mixup and cutmix: images and labels are mixed alike."""

import numpy as np
import pytest
import tensorflow as tf

from input_pipeline import keys, mixing, parse_ops

_SIZE = 16


def _mix(string, step, ids=(0, 1, 2, 3)):
  """Image i is flat with value i, label i."""
  image = np.zeros((len(ids), _SIZE, _SIZE, 3), np.float32)
  image += np.array(ids, np.float32)[:, None, None, None]
  key = keys.position_key(keys.named_seed(0, 'mixing', 0), 0, step)
  ops = parse_ops(string, 'batch')
  mixed = mixing.mix(tf.constant(image), tf.constant(ids), key, ops, 5)
  return [part.numpy() for part in mixed]


@pytest.mark.parametrize('string', ['mixup(0.8)', 'cutmix(1.0)'])
def test_labels_say_what_is_in_the_image(string):
  weights = set()
  for step in range(10):
    image, label = _mix(string, step)
    assert label.dtype == np.float32
    np.testing.assert_allclose(label.sum(axis=1), 1, rtol=1e-6)
    # The mean of a flat image is the mean of the labels mixed into it.
    np.testing.assert_allclose(
      image.mean(axis=(1, 2, 3)), label @ np.arange(5), rtol=1e-4, atol=1e-5
    )
    assert (label[:, 4] == 0).all()
    weights.add(float(label[1, 1]))
  assert len(weights) > 5
  assert max(weights) > 0.6


def test_mixup_blends_and_cutmix_pastes_one_rectangle():
  image, _ = _mix('mixup(5.0)', 0)
  assert len(np.unique(image[1])) == 1
  for step in range(10):
    image, _ = _mix('cutmix(1.0)', step)
    pasted = image[1, :, :, 0] == 0
    assert set(np.unique(image[1])) <= {0, 1}
    rows, columns = pasted.any(axis=1), pasted.any(axis=0)
    np.testing.assert_array_equal(pasted, rows[:, None] & columns[None, :])


def test_keyed_by_step():
  first, again, other = (_mix('mixup(1.0)', step) for step in (3, 3, 4))
  np.testing.assert_array_equal(first[0], again[0])
  assert not np.array_equal(first[0], other[0])


def test_one_op_at_most_with_its_probability():
  counts = {'none': 0, 'mixup': 0, 'cutmix': 0}
  for step in range(150):
    image, label = _mix('mixup(5.0, prob=0.3)|cutmix(5.0, prob=0.5)', step)
    fractional = not np.allclose(image, np.round(image))
    if label[1, 1] == 1:
      counts['none'] += 1
    else:
      counts['mixup' if fractional else 'cutmix'] += 1
  assert 26 <= counts['mixup'] <= 64  # 45 +- 3.4 standard deviations
  assert 54 <= counts['cutmix'] <= 96  # 75
  assert 13 <= counts['none'] <= 47  # 30


def test_probabilities_that_add_up_to_one_leave_nothing_unmixed():
  for step in range(40):
    _, label = _mix('mixup(5.0, prob=0.5)|cutmix(5.0, prob=0.5)', step)
    assert label[1, 1] < 1


def test_a_batch_of_one_is_left_as_it_is():
  image, label = _mix('mixup(1.0)', 0, ids=(2,))
  np.testing.assert_allclose(image, 2)
  np.testing.assert_allclose(label, [[0, 0, 1, 0, 0]])
