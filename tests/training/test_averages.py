"""Raw or averaged weights: one rule, whoever asks."""

import math
import types

import pytest

from mobilenet.training import averages, logs


@pytest.mark.parametrize(
  ('raw', 'ema', 'kind'),
  [
    (69.7, 55.6, 'raw'),
    (69.7, 69.8, 'ema'),
    (69.7, 69.7, 'ema'),
    (None, None, 'ema'),
    (69.7, None, 'ema'),
    (math.nan, 1.0, 'ema'),
    (50.0, math.nan, 'ema'),
  ],
)
def test_the_better_ones_count(raw, ema, kind):
  assert averages.better(raw, ema) == kind
  scores = {'raw': raw, 'ema': ema}
  evaluations = {
    name: types.SimpleNamespace(metrics={'top1': score})
    for name, score in scores.items()
  }
  assert averages.choose(evaluations, 'top1') == kind


def test_without_averages_the_raw_ones_count():
  only = {'raw': types.SimpleNamespace(metrics={'top1': 1.0})}
  assert averages.choose(only, 'top1') == 'raw'


def test_a_run_on_disk_follows_its_last_evaluation(tmp_path):
  writer = logs.Writer(tmp_path)
  for step, raw, ema in ((2, 90.0, 10.0), (4, 60.0, 70.0), (6, 80.0, 75.0)):
    writer.write(step, {'top1': raw, 'ema_top1': ema}, 'eval')
    writer.write(step, {'top1': 1.0}, 'train')
  writer.close()
  kinds = [averages.choose_at(tmp_path, step, 'top1') for step in (1, 2, 3, 4, 5, 6)]
  assert kinds == ['ema', 'raw', 'raw', 'ema', 'ema', 'raw']
  assert averages.choose_at(tmp_path / 'nowhere', 3, 'top1') == 'ema'
