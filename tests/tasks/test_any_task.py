"""The loop and the evaluation with a task that has no class and no label."""

import dataclasses
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict

from mobilenet import tasks
from mobilenet.training import logs
from mobilenet.training.errors import TrainingError
from mobilenet.training.evaluation import evaluate
from mobilenet.training.step import make_eval_step
from tests.training import conftest


@dataclasses.dataclass(frozen=True)
class Colour:
  """Four numbers of an image: its mean colour, and their median error over all."""

  metric: ClassVar = tasks.Metric('median_error', 'Median error', '')
  fields: ClassVar = ('colour',)
  needs_examples: ClassVar = False

  def loss(self, params, outputs, batch):
    return jnp.mean((outputs - batch['colour']) ** 2)

  def sums(self, outputs, batch):
    mask = batch.get('mask', jnp.ones(len(outputs)))
    error = jnp.abs(outputs - batch['colour']) * mask[:, None]
    worst = jnp.where(error > 0.5, 1, 0)
    return {
      'error': jnp.sum(error, 0),
      'wrong': jnp.sum(worst, 0, dtype=jnp.int32),
      'count': jnp.sum(mask),
    }

  def weight(self, sums):
    return 1.0

  def zero_sums(self):
    return {
      'error': np.zeros(4, np.float32),
      'wrong': np.zeros(4, np.int32),
      'count': np.zeros((), np.float32),
    }

  def metrics(self, sums):
    return {
      'loss': float(np.mean(sums['error']) / sums['count']),
      'wrong': int(np.sum(sums['wrong'])),
    }

  def predictions(self, outputs):
    return {'said': outputs}

  def kept(self, outputs, batch):
    return self.predictions(outputs)

  def finish(self, metrics, kept):
    if kept is None:
      return metrics
    errors = np.abs(kept['said'] - kept['colour'])
    return {**metrics, 'median_error': float(np.median(errors))}


def with_colours(batches):
  for batch in batches:
    label = batch.pop('label')
    means = batch['image'].mean(axis=(1, 2))
    colour = np.concatenate([means, label[:, None]], axis=1).astype(np.float32)
    yield {**batch, 'colour': colour}


@pytest.fixture
def run():
  return conftest.Run(
    task=Colour(),
    total_steps=4,
    log_steps=2,
    eval_steps=2,
    checkpoint_steps=4,
    train=lambda step, size: with_colours(conftest.train_batches(step, size)),
  )


def test_arrays_add_up_and_the_task_has_the_last_word(run):
  found = evaluate(
    make_eval_step(run.model, run.task, run.mesh),
    run.task,
    {'raw': run.variables()},
    with_colours(conftest.eval_batches(4)),
    run.mesh,
    num_examples=conftest.EVAL,
    keep_predictions=True,
  )['raw']
  images, labels = conftest.examples(conftest.EVAL, 1)
  said = np.asarray(run.model.apply(run.variables(), images))
  errors = np.abs(said - np.concatenate([images.mean((1, 2)), labels[:, None]], 1))
  np.testing.assert_allclose(found.metrics['loss'], errors.mean(), rtol=1e-5)
  np.testing.assert_allclose(found.metrics['median_error'], np.median(errors), 1e-4)
  assert found.metrics['wrong'] == np.sum(errors > 0.5)
  np.testing.assert_array_equal(found.predictions['colour'][:, 3], labels)
  assert set(found.predictions) == {'index', 'colour', 'said'}


def test_the_loop_trains_it(run, tmp_path, monkeypatch):
  evaluation = conftest.eval_batches
  monkeypatch.setattr(
    conftest, 'eval_batches', lambda size: with_colours(evaluation(size))
  )
  outcome = run(tmp_path)
  assert outcome.evaluations['raw'].metrics['median_error'] > 0
  lines = [line for line in logs.read_metrics(tmp_path) if line['kind'] == 'train']
  assert [line['step'] for line in lines] == [2, 4]
  assert all(line['wrong'] >= 0 and line['loss'] > 0 for line in lines)


def test_a_task_that_does_not_exist():
  with pytest.raises(TrainingError, match='did you mean classification'):
    tasks.make_task(ConfigDict({'task': 'clasification'}))
