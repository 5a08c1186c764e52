"""The decision: chosen, kept, checked, and used on predictions."""

import dataclasses
import json

import numpy as np
import pytest

from mobilenet.tasks.classification import calibration, decision
from mobilenet.training.errors import TrainingError

NAMES = ('well', 'ill')


def made(number=200, seed=0):
  rng = np.random.default_rng(seed)
  labels = (rng.random(number) < 0.3).astype(int)
  scores = 1 / (1 + np.exp(-(3 * (labels - 0.5) + rng.normal(size=number)) * 2))
  return np.stack([1 - scores, scores], axis=1).astype(np.float32), labels


def decide(probabilities, labels, **changed):
  wanted = {'positive': 1, 'accept_share': 0.95, 'split': 'val', 'step': 7}
  return decision.decide(probabilities, labels, NAMES, **(wanted | changed))


def test_the_accepted_share_of_right_answers():
  probabilities, labels = made()
  found = decide(probabilities, labels)
  scaled = calibration.scaled(probabilities, found.temperature)
  right = scaled.argmax(1) == labels
  sure = scaled.max(axis=1)[right].astype(float)
  assert (sure >= found.accept).mean() >= 0.95
  assert (sure > found.accept).mean() < 0.95 + 1 / right.sum()
  assert (found.of, found.num_examples, found.step) == ('val', 200, 7)
  assert found.positive == 'ill'


@pytest.mark.parametrize(('share', 'expected'), [(0.5, 6), (0.9, 2), (1, 1), (0.95, 1)])
def test_accepting_by_hand(share, expected):
  assert decision.accepting(np.arange(1, 11), share) == expected


def test_the_positive_class_may_be_the_first():
  probabilities, labels = made()
  one, other = (decide(probabilities, labels, positive=place) for place in (1, 0))
  assert (one.positive, other.positive) == ('ill', 'well')
  assert one.threshold != other.threshold


@pytest.mark.parametrize('number', [1, 29])
def test_too_few_examples_say_so(number):
  probabilities, labels = made(number)
  said = decide(probabilities, labels)
  assert f'{number} evaluation photos are too few' in said
  assert 'it takes 30' in said


def test_it_is_read_as_it_was_written(tmp_path, capsys):
  found = decide(*made())
  decision.write(tmp_path, found)
  assert decision.read(tmp_path, 7, NAMES) == found
  said = json.loads((tmp_path / 'decision.json').read_text())
  assert set(said) >= {'temperature', 'accept', 'positive', 'threshold', 'of'}
  assert capsys.readouterr().out == ''
  assert decision.read(tmp_path, 8, NAMES) is None
  assert 'belongs to step 7 and is not used' in capsys.readouterr().out
  decision.remove(tmp_path)
  decision.remove(tmp_path)
  assert decision.read(tmp_path, 7, NAMES) is None


@pytest.mark.parametrize(
  ('change', 'expected'),
  [
    ({'temperature': 0}, 'temperature is 0'),
    ({'accept': 40}, 'accept is 40'),
    ({'threshold': -1}, 'threshold is -1'),
    ({'positive': 'sick'}, "'sick', which is no class"),
    ({'more': 1}, 'more'),
    ({'positive': ''}, "positive is '', which is no class"),
    ({'positive': None}, 'positive is None, which is no class'),
    ({'positive': ['ill']}, r"positive is \['ill'\], which is no class"),
    ({'num_examples': 'x'}, "num_examples is 'x'"),
    ({'num_examples': -1}, 'num_examples is -1'),
    ({'step': 7.5}, 'step is 7.5'),
    ({'threshold': True}, 'threshold is True'),
    ({'threshold': '0.5'}, "threshold is '0.5'"),
    ({'accept': False}, 'accept is False'),
    ({'accept': None}, 'accept is None'),
    ({'accept': float('nan')}, 'accept is nan'),
    ({'of': [1]}, r'of is \[1\]'),
  ],
)
def test_one_that_was_edited_wrongly_is_refused(change, expected, tmp_path):
  said = dataclasses.asdict(decide(*made())) | change
  (tmp_path / 'decision.json').write_text(json.dumps(said))
  with pytest.raises(TrainingError, match=expected) as error:
    decision.read(tmp_path, 7, NAMES)
  assert '\n' not in str(error.value)


def test_one_of_many_classes_has_no_positive_one(tmp_path):
  kept = decision.Decision(1.5, 0.5, '', None, 'val', 100, 7)
  decision.write(tmp_path, kept)
  assert decision.read(tmp_path, 7, (*NAMES, 'other')) == kept


def test_answers_and_flags():
  rows = np.array([[0.9, 0.1], [0.55, 0.45], [0.4, 0.6], [0.05, 0.95]], np.float32)
  kept = decision.Decision(1.0, 0.58, 'ill', 0.45, 'val', 100, 7)
  assert decision.answers(rows, NAMES, kept) == {
    'answer': ['well', 'none of these', 'ill', 'ill'],
    'flagged': ['', 'ill' if np.float64(rows[1, 1]) >= 0.45 else '', 'ill', 'ill'],
  }
  assert decision.answers(rows, NAMES, None) == {
    'answer': ['well', 'well', 'ill', 'ill']
  }
