"""Average precision against scikit-learn and by hand; thresholds; what nobody knows."""

import math

import numpy as np
import pytest
from sklearn import metrics

from mobilenet.tasks.tags import judgement, mistakes, scoring, threshold_file
from mobilenet.training.errors import TrainingError


def test_average_precision_by_hand():
  tags = np.array([0, 1, 0, 1, 1, -1])
  logits = np.array([3.0, 2.0, 1.0, 0.0, -1.0, 9.0])
  expected = (1 / 2 + 2 / 4 + 3 / 5) / 3
  assert scoring.average_precision(logits, tags) == pytest.approx(expected)


def test_the_mean_is_scikit_learns_over_the_tags_that_can_be_measured():
  rng = np.random.default_rng(0)
  logits = rng.normal(size=(50, 4)) * 30
  tags = rng.integers(-1, 2, (50, 4))
  tags[:, 2] = np.minimum(tags[:, 2], 0)  # never
  tags[:, 3] = 1  # always
  known = tags[:, :2] >= 0
  expected = [
    metrics.average_precision_score(tags[known[:, n], n], logits[known[:, n], n])
    for n in range(2)
  ]
  kept = {'logits': logits, 'tags': tags}
  found = scoring.mean_average_precision(kept)
  assert found == pytest.approx(100 * np.mean(expected))
  never, always = (scoring.score(logits[:, n], tags[:, n]) for n in (2, 3))
  assert (never.average_precision, never.auc, never.recall) == (None, None, None)
  assert (never.positives, never.threshold) == (0, scoring.DEFAULT)
  assert (always.average_precision, always.auc, always.positives) == (None, None, 50)


def test_there_may_be_nothing_to_measure():
  never = {'logits': np.zeros((2, 1)), 'tags': np.zeros((2, 1))}
  broken = {'logits': np.array([[math.nan], [0]]), 'tags': np.array([[1], [0]])}
  for kept in ({}, never, broken):
    assert math.isnan(scoring.mean_average_precision(kept))


def test_the_threshold_has_the_highest_f1():
  tags = np.array([1, 1, 0, 1, 0, 0, 0])
  logits = np.array([4.0, 3.0, 2.0, 1.0, 0.0, -1.0, -2.0])
  own = scoring.score(logits, tags)
  assert own.threshold == pytest.approx(np.mean(scoring.probabilities([1.0, 0.0])))
  assert (own.precision, own.recall) == (0.75, 1.0)
  assert own.f1 == pytest.approx(6 / 7)
  assert own.auc == pytest.approx(metrics.roc_auc_score(tags, logits))
  lowest = scoring.best_threshold(logits, 1 - tags)
  assert lowest == pytest.approx(scoring.probabilities(-2.0) / 2)
  given = scoring.score(logits, tags, 0.999)
  assert (given.precision, given.recall, given.f1) == (None, 0.0, 0.0)


def test_what_is_most_wrong_comes_first():
  kept = {
    'logits': np.array([[3.0, 9], [-3, -9], [2, 9], [-9, -9]]),
    'tags': np.array([[0, 1], [1, 0], [-1, 1], [1, 0]]),
  }
  scores = [scoring.score(*(kept[k][:, n] for k in kept), 0.5) for n in (0, 1)]
  (found,) = mistakes.find(kept, scores).items()
  assert (found[0], [place for place, _ in found[1]]) == (0, [3, 1, 0])


def test_thresholds_belong_to_the_weights_of_a_step(tmp_path):
  assert threshold_file.read(tmp_path, 5, 'ab') is None
  threshold_file.write(tmp_path, ('a', 'b'), (0.25, 0.5), split='val', step=5)
  assert threshold_file.read(tmp_path, 5, ('b', 'a')) == [0.5, 0.25]
  assert threshold_file.read(tmp_path, 6, ('a', 'b')) is None
  with pytest.raises(TrainingError, match=r"\(KeyError\('c'\)\); remove"):
    threshold_file.read(tmp_path, 5, ('a', 'c'))


def score(positives, known, precision):
  return scoring.Score(positives, known, precision, 0.5, 0.5, 0.5, 0.5, 0.5)


def test_what_is_said_of_tags():
  scores = {
    'good': score(50, 100, 0.9),
    'weak': score(20, 100, 0.45),
    'chance': score(40, 100, 0.42),
    'rare': score(3, 100, 0.9),
    'never': score(0, 100, None),
    'all': score(50, 100, 0.9)._replace(precision=0.5, recall=1.0),
  }
  found = judgement.lines(judgement.Facts(scores, {'good': 90, 'rare': 4}, True, True))
  text = ' '.join(line.text for line in found)
  assert [line.kind for line in found] == ['warning'] * 6 + ['note']
  for part in (
    'Do not trust chance (42 %, chance is 40 %)',
    'Weak: weak (45 %)',
    'how well never can be told',
    'Nearly every photo is said to have all:',
    'few photos with, or without, rare (3)',
    'learn from show rare (4)',
  ):
    assert part in text
  assert 'good' not in text
  facts = judgement.Facts({'good': scores['good']}, {}, False, False)
  (line,) = judgement.lines(facts)
  assert line.kind == 'good'
  # As of a run without a report of its own, such as an imported one.
  _, line = judgement.lines(facts._replace(chose_thresholds=True))
  assert line.text.startswith('These photos chose the thresholds:')
