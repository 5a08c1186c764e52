"""Curves of a run: their lines, labels and axes."""

import math

import numpy as np
import pytest

from mobilenet.reports import curves
from mobilenet.tasks import Metric
from mobilenet.training import logs
from mobilenet.training.errors import TrainingError
from tests.tasks.classification.test_figures import png_size, texts

TOP1 = Metric('top1', 'Top-1 accuracy', '%')


def metrics(steps=8):
  records = []
  for step in range(1, steps + 1):
    records.append(
      {
        'step': step,
        'kind': 'train',
        'epoch': step / 4,
        'loss': 2.0 / step,
        'top1': 100 * step / (steps + 1),
        'lr': 0.1,
      }
    )
    if step % 4 == 0:
      evaluation = {'loss': 2.5 / step, 'top1': 50.0, 'ema_loss': 1.0, 'ema_top1': 62.5}
      records.append({'step': step, 'kind': 'eval', 'epoch': step / 4} | evaluation)
  return records


def test_curves_have_their_lines_and_labels():
  figure = curves.draw_curves(metrics(), TOP1, title='v3_small')
  loss, accuracy, rate = figure.axes
  assert [len(axes.lines) for axes in figure.axes] == [3, 3, 1]
  assert [axes.get_xlabel() for axes in figure.axes] == ['epoch'] * 3
  assert accuracy.get_title(loc='left') == 'Top-1 accuracy (%)'
  # In the order of their heights at the right end.
  assert texts(loss) == ['train\n0.25', 'eval\n0.312', 'eval, EMA\n1']
  assert texts(accuracy) == ['eval\n50.0 %', 'eval, EMA\n62.5 %', 'train\n88.9 %']
  np.testing.assert_allclose(accuracy.lines[0].get_ydata()[-1], 100 * 8 / 9)
  np.testing.assert_allclose(accuracy.lines[0].get_xdata()[[0, -1]], [0.25, 2.0])
  np.testing.assert_allclose(rate.lines[0].get_ydata(), 0.1)


def test_labels_of_lines_that_end_together_stay_apart():
  records = [
    {'step': s, 'kind': k, 'loss': 1.0 / s + shift, 'ema_loss': 1.0 / s + 0.01}
    for s in (1, 2, 3)
    for k, shift in (('train', 0.0), ('eval', 0.005))
  ]
  loss = curves.draw_curves(records, TOP1).axes[0]
  heights = sorted(text.get_position()[1] for text in loss.texts)
  assert len(heights) == 3
  assert min(np.diff(heights)) >= 0.115 - 1e-9


def test_many_train_points_are_also_shown_smoothed():
  figure = curves.draw_curves(metrics(200), TOP1)
  raw, smooth = figure.axes[0].lines[:2]
  assert len(figure.axes[0].lines) == 4
  roughness = [np.abs(np.diff(line.get_ydata(), 2)).sum() for line in (raw, smooth)]
  assert roughness[1] < roughness[0]


def test_steep_losses_get_a_logarithmic_axis():
  assert curves.draw_curves(metrics(100), TOP1).axes[0].get_yscale() == 'log'
  assert curves.draw_curves(metrics(8), TOP1).axes[0].get_yscale() == 'linear'


def test_curves_without_epochs_eval_or_finite_numbers():
  records = [
    {'step': 1, 'kind': 'train', 'loss': math.nan},
    {'step': 2, 'kind': 'train', 'loss': math.inf},
    {'step': 3, 'kind': 'train', 'loss': 1.0},
  ]
  figure = curves.draw_curves(records, TOP1)
  assert figure.axes[0].get_xlabel() == 'step'
  assert [len(axes.lines) for axes in figure.axes] == [1, 0, 0]
  low, high = figure.axes[0].get_ylim()
  assert low < 1.0 < high < 2.0


def test_curves_of_a_workdir(tmp_path):
  with logs.Writer(tmp_path, steps_per_epoch=4) as writer:
    for record in metrics():
      values = {k: v for k, v in record.items() if k not in ('step', 'kind', 'epoch')}
      writer.write(record['step'], values, record['kind'])
  path = curves.write_curves(tmp_path, TOP1, title='a$b$')
  assert path == tmp_path / 'report' / 'curves.png'
  width, height = png_size(path)
  assert width > 2 * height


def test_no_metrics_no_curves(tmp_path):
  with pytest.raises(TrainingError, match=r'metrics.jsonl holds no metrics yet'):
    curves.write_curves(tmp_path, TOP1)


def test_another_metric_has_its_own_title_and_no_percent():
  records = [{'step': n, 'kind': 'eval', 'loss': 1.0, 'map': 0.25} for n in (1, 2)]
  figure = curves.draw_curves(records, Metric('map', 'Mean average precision', ''))
  _, score, _ = figure.axes
  assert score.get_title(loc='left') == 'Mean average precision'
  assert texts(score) == ['eval\n0.25']
