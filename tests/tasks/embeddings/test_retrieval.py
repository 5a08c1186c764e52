"""Recall at k and MAP@R, by hand and against a plain loop."""

import math

import numpy as np
import pytest

from mobilenet.tasks.embeddings import cosines, retrieval


def on_a_circle(*degrees):
  angles = np.radians(degrees)
  return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def test_by_hand():
  """0 asks: 10 (right), 20 (wrong), 90. 20 is alone. 90 asks: 20, 10, 0."""
  found = retrieval.measure(
    on_a_circle(0, 10, 19, 90), np.array([1, 1, 2, 1]), ks=(1, 2)
  )
  # R = 2: of 0: right, wrong: 1/2. Of 10: wrong (19), right: (1/2)/2. Of 90: 19, 10.
  assert found.numbers['recall_at_1'] == pytest.approx(100 / 3)
  assert found.numbers['recall_at_2'] == pytest.approx(100)
  assert found.numbers['map_at_r'] == pytest.approx(100 * (0.5 + 0.25 + 0.25) / 3)
  assert (found.queries, found.alone) == (3, 1)


def plain(embeddings, labels, ks):
  every = cosines.unit(embeddings) @ cosines.unit(embeddings).T
  hits, precisions = [], []
  for n, label in enumerate(labels):
    order = [m for m in np.argsort(-every[n], kind='stable') if m != n]
    right = [labels[m] == label for m in order]
    if not any(right):
      continue
    hits.append([any(right[:k]) for k in ks])
    size = sum(right)
    some = [sum(right[: r + 1]) / (r + 1) for r in range(size) if right[r]]
    precisions.append(sum(some) / size)
  return [*(100 * np.mean(hits, axis=0)), 100 * np.mean(precisions)]


@pytest.mark.parametrize('at_once', [40, 2**20])
def test_as_a_plain_loop(at_once, monkeypatch):
  monkeypatch.setattr(cosines, '_AT_ONCE', at_once)
  rng = np.random.default_rng(1)
  labels = rng.integers(0, 9, 40)
  embeddings = rng.standard_normal((40, 6)) + labels[:, None] * [1, 0, 0, 0, 0, 0.4]
  numbers = retrieval.recall_at(embeddings, labels, ks=(1, 3))
  assert list(numbers) == ['recall_at_1', 'recall_at_3', 'map_at_r']
  np.testing.assert_allclose(
    list(numbers.values()), plain(embeddings, labels, (1, 3)), rtol=1e-6
  )


def test_photos_without_a_label_are_left_out():
  embeddings = on_a_circle(0, 1, 2, 3)
  found = retrieval.measure(embeddings, np.array([0, -1, -1, 0]))
  assert found.queries == 2
  assert found.numbers['recall_at_1'] == 100


@pytest.mark.parametrize('labels', [[0, 1, 2], [], [-1, -1, -1]])
def test_without_queries_there_is_no_number(labels):
  found = retrieval.measure(np.eye(3)[: len(labels)], np.array(labels, int))
  assert found.queries == 0
  assert all(map(math.isnan, found.numbers.values()))


def test_a_diverged_network_has_no_number():
  numbers = retrieval.recall_at(np.array([[1, 0], [math.nan, 1]]), np.array([0, 0]))
  assert all(map(math.isnan, numbers.values()))
