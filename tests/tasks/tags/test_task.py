"""The task of tags: its loss by hand, its sums, and who may learn from what."""

import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mobilenet.tasks.tags.task import Tags
from mobilenet.training.errors import TrainingError

LOGITS = np.array([[2.0, -1.0, 0.5], [0.0, 3.0, -40.0], [1.0, 1.0, 1.0]], np.float32)
TAGS = np.array([[1, 0, -1], [1, 1, 1], [-1, -1, -1]], np.float32)


def entropy(share, wanted):
  return -(wanted * np.log(share) + (1 - wanted) * np.log(1 - share))


def sigmoid(x):
  return 1 / (1 + np.exp(-np.asarray(x, np.float64)))


def source(tags, names=('a', 'b'), marks=('tags',), **fields):
  tags = np.asarray(tags, np.float32)
  return types.SimpleNamespace(
    name='tags',
    split='train',
    origin='photos',
    class_names=names,
    marks=marks,
    **{'fields': {'tags': tags}, **fields},
  )


def loss(task, logits=LOGITS, **batch):
  return float(task.loss({}, jnp.asarray(logits), {'tags': TAGS, **batch}))


def test_the_loss_is_that_of_the_known_tags():
  first = (entropy(sigmoid(2), 1) + entropy(sigmoid(-1), 0)) / 2
  # -log sigmoid(-40) is 40 to the last digit.
  second = (entropy(0.5, 1) + entropy(sigmoid(3), 1) + 40) / 3
  assert loss(Tags()) == pytest.approx((first + second) / 3, rel=1e-6)
  sums = jax.device_get(Tags().sums(jnp.asarray(LOGITS), {'tags': TAGS}))
  assert float(sums['count']) == 2  # nothing is known of the third
  assert float(sums['known']) == 5
  metrics = Tags().metrics(sums)
  assert metrics['loss'] == pytest.approx((first + second) / 2, rel=1e-6)
  assert metrics['accuracy'] == pytest.approx(60)  # not 0.0 and -40


def test_smoothing_and_weights():
  one = {'logits': [[2.0, -1.0]], 'tags': np.array([[1.0, 0.0]])}
  smooth = entropy(sigmoid(2), 0.9) + entropy(sigmoid(-1), 0.1)
  assert loss(Tags(label_smoothing=0.2), **one) == pytest.approx(smooth / 2, rel=1e-6)
  weighted = 3 * entropy(sigmoid(2), 1) + 0.5 * entropy(sigmoid(-1), 0)
  task = Tags(weights=((3.0, 1.0), (1.0, 0.5)))
  assert loss(task, **one) == pytest.approx(weighted / 2, rel=1e-6)


def test_a_photo_of_which_nothing_is_known_moves_nothing():
  batch = {'tags': np.full((3, 3), -1.0)}
  value, gradient = jax.value_and_grad(lambda x: Tags().loss({}, x, batch))(LOGITS)
  assert float(value) == 0
  assert not np.asarray(gradient).any()
  metrics = Tags().metrics(Tags().sums(jnp.asarray(LOGITS), batch))
  assert np.isnan(list(metrics.values())).all()


def test_padding_brings_in_nothing():
  broken = jnp.asarray(LOGITS).at[1].set(jnp.nan)
  sums = Tags().sums(broken, {'tags': TAGS, 'mask': np.array([1.0, 0.0, 1.0])})
  assert [float(sums[name]) for name in ('right', 'known', 'count')] == [2, 2, 1]
  assert np.isfinite(float(sums['loss']))


def test_a_teacher_is_learned_from_by_each_tag():
  """The gradient is that of the cross-entropy to its sigmoid outputs."""
  taught = np.array([[1.0, -2.0, 0.0]] * 3, np.float32)
  task = Tags(hard=0.0, temperature=2.0)
  batch = {'tags': np.full((3, 3), -1.0), 'teacher_logits': taught}
  value, gradient = jax.value_and_grad(lambda x: task.loss({}, x, batch))(LOGITS)
  target, said = sigmoid(taught / 2), sigmoid(LOGITS / 2)
  with np.errstate(divide='ignore', invalid='ignore'):
    apart = entropy(said, target) - entropy(target, target)
  assert float(value) == pytest.approx(4 * apart.mean(), rel=1e-5)
  np.testing.assert_allclose(gradient, 2 * (said - target) / 9, atol=1e-6)
  assert float(task.loss({}, jnp.asarray(taught), batch)) == pytest.approx(0, abs=1e-6)
  both = Tags(hard=0.25, temperature=2.0)
  labels = loss(Tags())
  mixed = 0.25 * labels + 0.75 * 4 * apart.mean()
  assert loss(both, teacher_logits=taught) == pytest.approx(mixed, rel=1e-5)


def test_balance_gives_yes_and_no_the_same_weight():
  task = Tags(balance=1.0).for_training(source([[1, 1], [0, 1], [0, 0], [0, -1]]))
  # One yes and three no; two yes and one no.
  np.testing.assert_allclose(task.weights, [[2, 2 / 3], [0.75, 1.5]])
  assert Tags().for_training(source([[1, 1]])) == Tags()
  with pytest.raises(TrainingError, match=r'balance=1 needs .* only folders tell'):
    Tags(balance=1.0).for_training(source([[1]], fields=None))


def test_a_tag_that_never_holds_is_named():
  never = source([[1, 0], [1, -1]])
  with pytest.raises(TrainingError, match=r'no photo of train in photos has b: ') as e:
    Tags().for_training(never)
  assert '\n' not in str(e.value)
  assert Tags(hard=0.0).for_training(never)  # the teacher knows it
  with pytest.raises(TrainingError, match=r'has no tags to learn from: set .*=tags'):
    Tags().check_training(source([[1]], marks=()), '')
  unknown = source([[-1, -1], [-1, -1]])
  with pytest.raises(TrainingError, match=r'no tag is known .*: --split=$'):
    Tags().check_training(unknown, '--split')
  Tags(hard=0.0).check_training(unknown, '--split')


def test_answers_of_files_are_logits_again():
  shares = sigmoid(LOGITS).astype(np.float32)
  logits = Tags().answered({'probabilities': shares})
  np.testing.assert_allclose(logits[:1], LOGITS[:1], rtol=1e-5)
  assert np.isfinite(Tags().answered({'probabilities': np.float32([[0, 1]])})).all()
