"""Exact evaluation: every example once."""

import jax
import numpy as np
import pytest

from mobilenet.training.errors import TrainingError
from mobilenet.training.evaluation import evaluate
from mobilenet.training.step import make_eval_step
from tests.training import conftest


@pytest.mark.parametrize(
  ('devices', 'batch_size'), [(1, 4), (1, 8), (3, 6), (8, 8), (8, 16)]
)
def test_metrics_do_not_depend_on_batches_or_devices(make_run, devices, batch_size):
  """Of 11 examples, which neither devices nor batches divide."""
  run = make_run(devices=devices, batch_size=batch_size)
  variables = run.variables()
  evaluations = evaluate(
    make_eval_step(run.model, run.task, run.mesh),
    run.task,
    {'raw': variables, 'ema': jax.tree.map(np.zeros_like, variables)},
    conftest.eval_batches(batch_size),
    run.mesh,
    num_examples=conftest.EVAL,
    keep_predictions=True,
  )
  # Zero weights say nothing: every class is as likely as the others.
  np.testing.assert_allclose(evaluations['ema'].metrics['loss'], np.log(4), rtol=1e-5)
  evaluation = evaluations['raw']
  images, labels = conftest.examples(conftest.EVAL, 1)
  logits = np.asarray(run.model.apply(variables, images), np.float64)
  shifted = logits - logits.max(1, keepdims=True)
  log_probabilities = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
  assert evaluation.count == conftest.EVAL
  np.testing.assert_allclose(
    evaluation.metrics['loss'],
    -log_probabilities[np.arange(conftest.EVAL), labels].mean(),
    rtol=1e-4,
  )
  top1 = 100 * np.mean(logits.argmax(1) == labels)
  np.testing.assert_allclose(evaluation.metrics['top1'], top1, rtol=1e-5)
  assert evaluation.metrics['top5'] == 100  # four classes
  kept = evaluation.predictions
  np.testing.assert_array_equal(kept['index'], np.arange(conftest.EVAL))
  np.testing.assert_array_equal(kept['label'], labels)
  np.testing.assert_array_equal(kept['prediction'], logits.argmax(1))
  np.testing.assert_allclose(
    kept['probabilities'], np.exp(log_probabilities), rtol=1e-3, atol=1e-5
  )


def test_a_lost_example_is_a_bug_not_a_rounding(run):
  with pytest.raises(AssertionError, match='evaluated 8 examples of 11'):
    evaluate(
      make_eval_step(run.model, run.task, run.mesh),
      run.task,
      {'raw': run.variables()},
      list(conftest.eval_batches(8))[:1],
      run.mesh,
      num_examples=conftest.EVAL,
    )


def test_unreadable_examples_are_counted_apart(run):
  batches = list(conftest.eval_batches(8))
  batches[0]['mask'][2] = 0
  evaluation = evaluate(
    make_eval_step(run.model, run.task, run.mesh),
    run.task,
    {'raw': run.variables()},
    iter(batches),
    run.mesh,
    num_examples=conftest.EVAL,
  )['raw']
  assert (evaluation.count, evaluation.unreadable) == (conftest.EVAL - 1, 1)


def test_examples_that_cannot_be_measured_are_counted_apart(run):
  batches = list(conftest.eval_batches(8))
  batches[0]['mask'][2] = 0
  batches[0]['label'][:2] = batches[1]['label'][0] = -1
  evaluation = evaluate(
    make_eval_step(run.model, run.task, run.mesh),
    run.task,
    {'raw': run.variables()},
    iter(batches),
    run.mesh,
    num_examples=conftest.EVAL,
    keep_predictions=True,
  )['raw']
  counts = (evaluation.count, evaluation.unreadable, evaluation.untold)
  assert counts == (conftest.EVAL - 4, 1, 3)
  kept = evaluation.predictions
  told = kept['label'] >= 0
  assert told.sum() == conftest.EVAL - 4
  right = kept['prediction'][told] == kept['label'][told]
  np.testing.assert_allclose(evaluation.metrics['top1'], 100 * right.mean(), rtol=1e-6)
  assert np.isfinite(evaluation.metrics['loss'])


def test_a_device_without_memory_for_its_batches_is_one_line(run):
  def eval_step(variables, batch):
    raise jax.errors.JaxRuntimeError('RESOURCE_EXHAUSTED: Out of memory')

  with pytest.raises(TrainingError, match=r'too little .* --config\.eval_batch_size$'):
    evaluate(
      eval_step,
      run.task,
      {'raw': {}},
      conftest.eval_batches(8),
      run.mesh,
      num_examples=conftest.EVAL,
    )
