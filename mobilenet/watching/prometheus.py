"""A run's numbers as a file of Prometheus' text format, for node_exporter to read.

A file, and no port: see docs/watching.md for the reason and the settings.
"""

import pathlib
import time
from collections.abc import Mapping
from typing import Any

from mobilenet.training import logs

METRICS_FILE = 'metrics.prom'

# Gauge -> what it is; all have the labels `run` and `folder`.
GAUGES = {
  'mobilenet_step': 'Training steps done.',
  'mobilenet_total_steps': 'Training steps of the whole run.',
  'mobilenet_examples_seen': 'Training images seen, repeats counted.',
  'mobilenet_step_seconds': 'Time of a training step since the last log line.',
  'mobilenet_images_per_second': 'Training images a second since the last log line.',
  'mobilenet_data_wait_share': 'Share of that time spent waiting for data, 0 to 1.',
  'mobilenet_skipped_steps': 'Steps left out because of a non-finite number.',
  'mobilenet_learning_rate': 'Learning rate of the last update.',
  'mobilenet_run_seconds': 'Time of all starts of the run together.',
  'mobilenet_last_log_timestamp_seconds': 'When the last line, or the start, was.',
  'mobilenet_running': '1 while the process trains, 0 once it has ended in order.',
}
# The same with a label `metric`, since each task has its own.
METRIC_GAUGES = {
  'mobilenet_train_metric': 'Metrics over the training steps since the last log line.',
  'mobilenet_eval_metric': 'Metrics of the last evaluation.',
}
# Name in a log line -> gauge.
_OWN = {
  'images_per_second': 'mobilenet_images_per_second',
  'waiting_share': 'mobilenet_data_wait_share',
  'skipped': 'mobilenet_skipped_steps',
  'learning_rate': 'mobilenet_learning_rate',
  'seconds': 'mobilenet_run_seconds',
}


class Prometheus:
  """Replaces `metrics.prom` in the run's folder at each log line, whole or not at all.

  Args:
    folder: the run's, as an absolute path.
    total_steps: of the run.
    batch_size: over all devices.
  """

  def __init__(self, folder: pathlib.Path, *, total_steps: int, batch_size: int):
    self._folder, self._batch_size = folder, batch_size
    self._total_steps = total_steps

  def open(self, start_step: int) -> None:
    import prometheus_client

    self._write_file = prometheus_client.write_to_textfile
    self._registry = prometheus_client.CollectorRegistry()
    # Two folders may have the same name, and two series may not have the same labels.
    labels = {'run': self._folder.name, 'folder': str(self._folder)}
    self._labels, self._gauges = labels, {}
    # A gauge without a value yet would be shown as 0: each is made with its first one.
    self._make = lambda name, text, *more: prometheus_client.Gauge(
      name, text, [*labels, *more], registry=self._registry
    )
    self._set('mobilenet_total_steps', self._total_steps)
    self._set_step(start_step)
    for line in {
      line['kind']: line for line in logs.read_metrics(self._folder)
    }.values():
      numbers = {k: v for k, v in line.items() if k not in ('step', 'kind', 'epoch')}
      self._set_line(numbers, line['kind'])
    self._save(running=True)

  def write(self, step: int, metrics: Mapping[str, Any], kind: str) -> None:
    self._set_step(step)
    self._set_line(metrics, kind)
    self._save(running=True)

  def close(self, failed: bool) -> None:
    # After an error it stays 1, and a line that does not come raises the alarm.
    if not failed:
      self._set('mobilenet_running', 0)
      self._write()

  def _set_step(self, step: int) -> None:
    self._set('mobilenet_step', step)
    self._set('mobilenet_examples_seen', step * self._batch_size)

  def _set_line(self, metrics: Mapping[str, Any], kind: str) -> None:
    for name, value in metrics.items():
      if kind == 'train' and name in _OWN:
        self._set(_OWN[name], value)
      else:
        self._set(f'mobilenet_{kind}_metric', value, metric=name)
    if kind == 'train' and metrics.get('images_per_second'):
      seconds = self._batch_size / metrics['images_per_second']
      self._set('mobilenet_step_seconds', seconds)

  def _set(self, name: str, value: Any, **more: str) -> None:
    if name not in self._gauges:
      text = {**GAUGES, **METRIC_GAUGES}[name]
      self._gauges[name] = self._make(name, text, *more)
    self._gauges[name].labels(**self._labels, **more).set(float(value))

  def _save(self, *, running: bool) -> None:
    self._set('mobilenet_running', int(running))
    self._set('mobilenet_last_log_timestamp_seconds', time.time())
    self._write()

  def _write(self) -> None:
    self._write_file(str(self._folder / METRICS_FILE), self._registry)
