"""The ten folds and the ROC, against scikit-learn's pieces."""

import numpy as np
import pytest
from sklearn import metrics, model_selection

from mobilenet.tasks.embeddings import verification, verification_pages
from mobilenet.tasks.embeddings.pairs import Pairs
from mobilenet.training.errors import TrainingError


@pytest.fixture
def made():
  """60 embeddings of 12 classes, and 200 pairs in ten folds of 20."""
  rng = np.random.default_rng(0)
  labels = np.arange(60) % 12
  centres = rng.standard_normal((12, 8))
  embeddings = centres[labels] + 0.8 * rng.standard_normal((60, 8))
  first, second = rng.integers(0, 60, (2, 200))
  second[::2] = (first[::2] + 12 * rng.integers(1, 5, 100)) % 60  # of one class
  fold = np.arange(200) // 20
  return embeddings, Pairs(first, second, labels[first] == labels[second], fold)


def test_distances_are_of_embeddings_of_length_one(monkeypatch):
  monkeypatch.setattr(verification, '_AT_ONCE', 2)
  embeddings = np.array([[2.0, 0], [5, 0], [0, 1], [-3, 0]])
  pairs = Pairs(np.array([0, 0, 0]), np.array([1, 2, 3]), np.ones(3, bool), np.zeros(3))
  found = verification.squared_distances(embeddings, pairs)
  np.testing.assert_allclose(found, [0, 2, 4], atol=1e-6)


def test_the_folds_are_those_of_scikit_learn(made):
  """InsightFace's protocol, written out: KFold, the best threshold, its accuracy."""
  embeddings, pairs = made
  distances = verification.squared_distances(embeddings, pairs)
  thresholds = np.arange(0, 4, 0.01)
  accuracies, chosen = [], []
  folds = model_selection.KFold(n_splits=10, shuffle=False)
  for train, test in folds.split(np.arange(200)):
    on_train = [
      metrics.accuracy_score(pairs.same[train], distances[train] < threshold)
      for threshold in thresholds
    ]
    chosen.append(thresholds[np.argmax(on_train)])
    said = distances[test] < chosen[-1]
    accuracies.append(100 * metrics.accuracy_score(pairs.same[test], said))
  found = verification.ten_folds(embeddings, pairs)
  np.testing.assert_allclose(found.folds, accuracies)
  np.testing.assert_allclose(found.thresholds, chosen)
  assert found.accuracy == pytest.approx(np.mean(accuracies))
  assert found.deviation == pytest.approx(np.std(accuracies))
  assert 60 < found.accuracy < 100


def test_folds_that_stand_in_any_order(made):
  embeddings, pairs = made
  order = np.random.default_rng(1).permutation(200)
  mixed = Pairs(*(values[order] for values in pairs))._replace(
    fold=3 * pairs.fold[order] + 7
  )
  found = verification.ten_folds(embeddings, mixed)
  np.testing.assert_allclose(
    found.folds, verification.ten_folds(embeddings, pairs).folds
  )


def test_the_curve_is_that_of_scikit_learn(made):
  embeddings, pairs = made
  found = verification.ten_folds(embeddings, pairs)
  false, true, thresholds = metrics.roc_curve(
    pairs.same, -found.distances, drop_intermediate=False
  )
  np.testing.assert_allclose(found.curve.false_accepts, false)
  np.testing.assert_allclose(found.curve.true_accepts, true)
  np.testing.assert_allclose(found.curve.thresholds[1:], -thresholds[1:])
  assert found.area == pytest.approx(metrics.auc(false, true))
  assert found.true_accepts[0.1] == pytest.approx(100 * true[false <= 0.1].max())


def test_too_few_different_pairs_tell_nothing_of_a_rare_mistake():
  distances = np.concatenate([np.linspace(0, 1, 10), np.linspace(0.5, 2, 100)])
  curve = verification.roc(distances, np.arange(110) < 10)
  assert verification.true_accepts(curve, 1e-2, 100) == pytest.approx(50)
  assert verification.true_accepts(curve, 1e-3, 100) is None


def test_equal_distances_are_one_point():
  """A network that says the same of all photos tells nothing: the area is a half."""
  curve = verification.roc(np.ones(8), np.arange(8) < 4)
  np.testing.assert_array_equal(curve.true_accepts, [0, 1])
  assert curve.area == 0.5


def broken(pairs, **changes):
  return pairs._replace(**{k: np.full(200, v) for k, v in changes.items()})


@pytest.mark.parametrize(
  ('changes', 'message'),
  [
    ({'same': True}, 'none of the 200 pairs is of different ones'),
    ({'same': False}, 'none of the 200 pairs is of same ones'),
    ({'fold': 3}, 'all 200 pairs are of one fold'),
  ],
)
def test_what_cannot_be_measured_is_said(made, changes, message):
  embeddings, pairs = made
  with pytest.raises(TrainingError, match=message):
    verification.ten_folds(embeddings, broken(pairs, **changes))


def test_embeddings_that_are_no_numbers(made):
  embeddings, pairs = made
  embeddings[pairs.first[0]] = np.nan
  with pytest.raises(TrainingError, match='no finite numbers'):
    verification.ten_folds(embeddings, pairs)


def test_distances_that_no_threshold_parts_are_told(made, capsys):
  embeddings, pairs = made
  assert not verification_pages.doubt(verification.ten_folds(embeddings, pairs))
  close = verification.ten_folds(embeddings + 100, pairs)
  assert 'thresholds are 0.01 apart' in verification_pages.doubt(close)
  verification_pages.show(close, pairs, 'Pairs')
  assert 'warning: Most pairs have squared distances of' in capsys.readouterr().out
