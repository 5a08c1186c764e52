"""The file for Prometheus, read with the parser of Prometheus' own client."""

import math
import time

import pytest

from mobilenet.training import logs
from mobilenet.watching import prometheus
from mobilenet.watching.prometheus import METRICS_FILE, Prometheus
from mobilenet.watching.watchers import Watchers

TRAIN = {
  'loss': 2.5,
  'learning_rate': 0.1,
  'skipped': 3,
  'images_per_second': 64.0,
  'waiting_share': 0.25,
  'seconds': 12.0,
}


@pytest.fixture
def folder(tmp_path):
  return tmp_path / 'a "run"'


def started(folder, start_step=0):
  watcher = Prometheus(folder, total_steps=20, batch_size=16)
  return logs.Writer(
    folder, start_step=start_step, also=Watchers({'prometheus': watcher})
  )


def read(folder):
  """{name or (name, metric): value} of the file."""
  from prometheus_client import parser

  found = {}
  for family in parser.text_string_to_metric_families(
    (folder / METRICS_FILE).read_text()
  ):
    assert family.type == 'gauge'
    assert family.documentation
    for sample in family.samples:
      labels = dict(sample.labels)
      assert labels.pop('run') == folder.name
      assert labels.pop('folder') == str(folder)
      metric = labels.pop('metric', None)
      assert not labels
      assert sample.timestamp is None  # node_exporter refuses files with timestamps
      found[(sample.name, metric) if metric else sample.name] = sample.value
  return found


def test_every_gauge_has_its_number(folder):
  before = time.time()
  with started(folder) as writer:
    assert read(folder)['mobilenet_step'] == 0
    assert 'mobilenet_learning_rate' not in read(folder)  # it is not 0, it is unknown
    writer.write(4, TRAIN)
    writer.write(4, {'top1': 50.0, 'ema_loss': math.nan}, 'eval')
    found = read(folder)
  assert before <= found.pop('mobilenet_last_log_timestamp_seconds') <= time.time()
  assert math.isnan(found.pop(('mobilenet_eval_metric', 'ema_loss')))
  assert found == {
    'mobilenet_step': 4,
    'mobilenet_total_steps': 20,
    'mobilenet_examples_seen': 64,
    'mobilenet_step_seconds': 0.25,
    'mobilenet_images_per_second': 64,
    'mobilenet_data_wait_share': 0.25,
    'mobilenet_skipped_steps': 3,
    'mobilenet_learning_rate': 0.1,
    'mobilenet_run_seconds': 12,
    'mobilenet_running': 1,
    ('mobilenet_train_metric', 'loss'): 2.5,
    ('mobilenet_eval_metric', 'top1'): 50,
  }
  assert read(folder)['mobilenet_running'] == 0
  assert {path.name for path in folder.iterdir()} == {
    *(METRICS_FILE, logs.METRICS_FILE, logs.TENSORBOARD_FOLDER)
  }


def test_a_run_that_fails_stays_marked_as_running(folder):
  def fail():
    with started(folder):
      raise OSError('no such step')

  with pytest.raises(OSError, match='no such step'):
    fail()
  assert read(folder)['mobilenet_running'] == 1


def test_a_resumed_run_shows_what_it_had(folder):
  with started(folder) as writer:
    writer.write(4, TRAIN)
    writer.write(4, {'top1': 50.0}, 'eval')
    writer.write(8, TRAIN | {'loss': 1.0})
  with started(folder, start_step=4):
    found = read(folder)
  assert found['mobilenet_step'] == 4
  assert found['mobilenet_step_seconds'] == 0.25
  assert found['mobilenet_train_metric', 'loss'] == 2.5
  assert found['mobilenet_eval_metric', 'top1'] == 50


def test_the_page_names_every_gauge(request):
  text = (request.config.rootpath / 'docs' / 'watching.md').read_text()
  for name in (*prometheus.GAUGES, *prometheus.METRIC_GAUGES):
    assert f'| `{name}`' in text
