"""The benchmark as a whole: with made contenders, and once with real ones."""

import csv
import dataclasses
import json
import os
import pathlib
import subprocess
import sys

import jax
import numpy as np
import pytest

from mobilenet.bench import contenders, grow, measure, ours, recipe, run
from mobilenet.bench.contenders import Model
from mobilenet.models import detectors, rows, zoo
from mobilenet.models.rows import ModelError
from mobilenet.training.errors import TrainingError
from mobilenet.weights import searched
from tests import tiny

ROOT = pathlib.Path(__file__).parents[2]


def read(path):
  with open(path, newline='') as file:
    return list(csv.DictReader(file))


def test_names_on_the_command_line():
  assert contenders.chosen_models('mobilenet_v2, mobilenet_v3_small:0.5') == [
    Model('mobilenet_v2'),
    Model('mobilenet_v3_small', 0.5),
  ]
  assert Model('mobilenet_v3_small', 0.5).label == 'mobilenet_v3_small:0.5'
  assert contenders.chosen_peers('none') == []
  assert contenders.chosen_peers('timm,stock') == ['timm', 'stock']
  assert contenders.chosen_peers('auto') == list(contenders.PEERS)
  assert contenders.chosen_against('ours', [], ['grow']) == 'ours'
  assert contenders.chosen_against('tflite', ['tflite'], ['train', 'latency'])
  assert contenders.interpreters('timm=/a/python') == {'timm': '/a/python'}
  assert contenders.interpreters(None) == {}


def test_a_network_of_rows_is_timed_like_any_other(tmp_path):
  path = tmp_path / searched.FILE
  searched.write(path, searched.Searched('mine', tiny.NETWORK, {}))
  (model,) = contenders.chosen_models(str(path))
  assert (model.label, model.network.rows) == ('mine', tiny.NETWORK.rows)
  assert contenders.why_not('timm', model, 'float32') == 'has no mine'
  settings = measure.Settings(2, 32, 'float32', 1, 1, logs=tmp_path)
  spec = measure.make_spec('ours', model, 'infer', settings)
  assert ours.network(spec).network.rows == tiny.NETWORK.rows


@pytest.mark.parametrize(
  ('choose', 'text', 'message'),
  [
    (contenders.chosen_models, 'mobilenet_v5', 'did you mean'),
    (contenders.chosen_models, 'mobilenet_v2:wide', 'NAME:WIDTH'),
    (contenders.chosen_models, ' ,', 'is empty'),
    (contenders.chosen_models, 'lraspp_mobilenet_v2', 'is a network for segmentation'),
    (contenders.chosen_modes, 'trian', 'did you mean train'),
    (contenders.chosen_peers, 'tim', 'did you mean timm'),
    (contenders.interpreters, 'timm', 'PEER=/path'),
    (contenders.interpreters, 'torch=/a', 'unknown'),
  ],
)
def test_mistakes_are_told(choose, text, message):
  with pytest.raises((TrainingError, ModelError), match=message):
    choose(text)


@pytest.mark.parametrize(
  ('against', 'message'),
  [
    ('timn', "--against 'timn' is unknown; did you mean timm"),
    ('openvino', "'openvino' is unknown; .*known: ours, tflite, timm"),
    ('tflite', '--against=tflite: it is timed in latency, processor only; add one'),
  ],
)
def test_ratios_are_of_one_that_is_timed(against, message):
  with pytest.raises(TrainingError, match=message):
    contenders.chosen_against(against, ['tflite', 'timm'], ['train'])


def test_windows_counts_processor_time_too_coarsely(monkeypatch):
  monkeypatch.setattr(contenders.os, 'name', 'nt')
  with pytest.raises(TrainingError, match='--modes=processor needs Linux or macOS'):
    contenders.chosen_modes('latency,processor')
  assert contenders.chosen_modes('latency') == ['latency']


def test_modes_of_classifiers_alone():
  models = [Model('mobilenet_v2'), Model('ssdlite_mobilenet_v2')]
  assert contenders.chosen_modes('train,grow', models[:1]) == ['train', 'grow']
  message = '--modes=grow takes classifiers only: leave out ssdlite_mobilenet_v2'
  with pytest.raises(TrainingError, match=message):
    contenders.chosen_modes('train,grow', models)


@pytest.mark.parametrize('field', ['batch', 'resolution', 'rounds', 'threads'])
def test_no_less_than_one(settings, field):
  with pytest.raises(TrainingError, match=f'--{field} is 0'):
    run.check(dataclasses.replace(settings, **{field: 0}))


def test_no_more_threads_than_cores(settings):
  with pytest.raises(TrainingError, match='this process may use'):
    run.check(dataclasses.replace(settings, threads=run.cores() + 1))


def test_who_has_which_model():
  small, thin = Model('mobilenet_v4_conv_small'), Model('mobilenet_v2', 0.25)
  assert contenders.why_not('timm', small, 'float32') is None
  assert contenders.their_name('timm', small) == 'mobilenetv4_conv_small'
  assert contenders.their_name('keras_jax', thin) == 'MobileNetV2'
  assert contenders.their_name('tflite', thin) == 'mobilenet_v2'
  assert 'mobilenet_v2:0.25' in contenders.why_not('timm', thin, 'float32')
  assert contenders.why_not('keras_jax', small, 'float32') == (
    'has no mobilenet_v4_conv_small'
  )
  for contender in ('tflite', 'onnxruntime_int8', 'keras_tflite'):
    assert contenders.why_not(contender, small, 'bfloat16') == 'has no bfloat16 here'
  for contender, row in contenders.CONTENDERS.items():
    reason = contenders.why_not(contender, Model('mobilenet_v2'), 'float32')
    expected = 'has no networks for classification here'
    assert reason == (None if 'classification' in row.kinds else expected)


def test_who_has_the_detector():
  detector = Model('ssdlite_mobilenet_v3_large_torchvision')
  able = [
    name
    for name in contenders.CONTENDERS
    if contenders.why_not(name, detector, 'float32') is None
  ]
  assert able == ['ours', 'plain', 'torchvision', 'torchvision_compile']
  theirs = contenders.their_name('torchvision', detector)
  assert theirs == 'ssdlite320_mobilenet_v3_large'
  for other in (Model(detector.name, 0.5), Model('ssdlite_mobilenet_v2')):
    reason = contenders.why_not('torchvision', other, 'float32')
    assert reason == f'has no {other.label}'


def test_a_detector_has_its_own_size(settings):
  models = [Model('mobilenet_v2'), Model('ssdlite_mobilenet_v2')]
  unset = dataclasses.replace(settings, batch=None, resolution=None)
  specs = [measure.make_spec('ours', model, 'train', unset) for model in models]
  names = ('kind', 'batch', 'resolution', 'num_classes')
  assert [tuple(spec[name] for name in names) for spec in specs] == [
    ('classification', 16, 224, 1000),
    ('detection', 8, 320, 90),
  ]
  given = measure.make_spec('ours', models[1], 'latency', settings)
  assert (given['batch'], given['resolution']) == (1, settings.resolution)


def test_made_boxes_are_in_the_image_and_have_sides():
  boxes, classes = recipe.made_boxes({'batch': 3, 'num_classes': 5})
  assert boxes.shape == (3, recipe.BOXES, 4)
  assert boxes.min() >= 0
  assert boxes.max() <= 1
  assert (boxes[..., 2:] - boxes[..., :2]).min() >= 0.09
  assert set(np.unique(classes)) <= set(range(5))


def test_the_input_benchmark_gets_the_flags(settings, tmp_path):
  settings = dataclasses.replace(settings, pythons={'timm': '/torch/python'})
  given = run.input_arguments(['stock', 'timm'], settings, tmp_path)
  assert given.contenders == ['ours', 'plain', 'torchvision', 'timm']
  assert (given.out, given.peer_python) == (tmp_path, '/torch/python')
  assert (given.rounds, given.threads) == (settings.rounds, settings.threads)
  assert run.input_arguments(['stock'], settings, tmp_path).contenders == [
    'ours', 'plain',
  ]  # fmt: skip
  assert run.input_arguments([], settings, tmp_path).contenders == ['ours']


def test_a_run_writes_what_it_measured(fake, settings, tmp_path, monkeypatch):
  monkeypatch.setattr(grow, 'AXES', {'batch': (1, 2), 'width': (0.5,)})
  out = tmp_path / 'out'
  code = run.run(
    [Model('mobilenet_v4_conv_small')],
    ['train', 'latency', 'compile', 'memory', 'grow'],
    ['keras_tflite', 'timm', 'timm_compile', 'keras_jax', 'tflite'],
    dataclasses.replace(settings, rounds=2),
    out,
    against='timm',
    start=fake(
      timm={'seconds': 0.05},
      timm_compile={'behaviour': 'missing'},
      tflite={'behaviour': 'raises'},
    ),
    show=False,
  )
  assert code == 0
  records = read(out / 'bench.csv')
  names = [(r['mode'], r['contender']) for r in records]
  # Missing once is missing for good; TFLite takes one image alone.
  assert names == [
    ('train', 'ours'),
    ('train', 'timm'),
    ('train', 'timm_compile'),
    ('latency', 'ours'),
    ('latency', 'timm'),
    ('latency', 'tflite'),
    ('compile', 'ours'),
    ('compile', 'timm'),
    ('memory', 'ours'),
    ('memory', 'timm'),
  ]
  assert float(records[0]['timm_over_this']) > 1
  assert records[1]['timm_over_this'] == ''
  assert len(read(out / 'rounds.csv')) >= 8
  text = (out / 'bench.md').read_text()
  assert 'Keras on JAX has no mobilenet_v4_conv_small' in text
  assert 'timm, torch.compile: a_framework_that_nobody_has is not installed' in text
  assert 'ours in TFLite (mobilenet_v4_conv_small, latency): failed: Runtime' in text
  assert text.count('Keras in TFLite has no mobilenet_v4_conv_small') == 1
  points = read(out / 'grow-mobilenet_v4_conv_small.csv')
  assert [(p['axis'], p['value']) for p in points] == [
    ('batch', '1'),
    ('batch', '2'),
    ('width', '0.5'),
  ]
  assert int(points[1]['multiply_adds']) == 2 * int(points[0]['multiply_adds'])
  for name in ('bench.png', 'grow-mobilenet_v4_conv_small.png'):
    assert (out / name).read_bytes()[:4] == b'\x89PNG'


def test_a_detector_has_a_section_of_its_own(fake, settings, tmp_path):
  out = tmp_path / 'out'
  run.run(
    [Model('ssdlite_mobilenet_v3_large_torchvision'), Model('mobilenet_v2')],
    ['infer'],
    ['torchvision'],
    dataclasses.replace(settings, batch=None, resolution=None, rounds=1),
    out,
    start=fake(),
    show=False,
  )
  text = (out / 'bench.md').read_text()
  titles = [line for line in text.splitlines() if line.startswith('## ')]
  assert titles == [
    '## Inference of a batch', '## Detection: Inference of a batch', '## Remarks'
  ]  # fmt: skip
  assert 'batch 8, 320 px (detection), batch 16, 224 px (classification)' in text
  assert 'torchvision, eager has no networks for classification here' in text
  assert [(r['model'], r['images']) for r in read(out / 'bench.csv')] == [
    ('ssdlite_mobilenet_v3_large_torchvision', '8'),
    ('ssdlite_mobilenet_v3_large_torchvision', '8'),
    ('mobilenet_v2', '16'),
  ]


def test_ours_failing_is_an_exit_code(fake, settings, tmp_path):
  code = run.run(
    [Model('mobilenet_v2')],
    ['train'],
    ['stock'],
    settings,
    tmp_path / 'out',
    start=fake(ours={'behaviour': 'raises'}),
    show=False,
  )
  assert code == 1
  ours, stock = read(tmp_path / 'out' / 'bench.csv')
  assert ours['error'] == 'RuntimeError: no kernel for this'
  assert float(stock['median']) > 0
  assert stock['ours_over_this'] == ''


@pytest.mark.parametrize(
  'contender', ['ours', pytest.param('stock', marks=pytest.mark.heavy)]
)
def test_ours_and_stock_make_training_steps(contender, monkeypatch, settings):
  whole = zoo.NETWORKS['mobilenet_v3_small']
  # The stem and one block: a whole network takes a minute to compile.
  short = dataclasses.replace(whole, rows=whole.rows[:2], head=rows.Head())
  monkeypatch.setitem(zoo.NETWORKS, 'short', short)
  monkeypatch.setattr(ours, 'keep_freed_memory', lambda: True)
  spec = measure.make_spec(contender, Model('short'), 'train', settings, cold=True)
  states = []
  make = ours.step.make_train_step

  def spied(*arguments, **options):
    train_step = make(*arguments, **options)

    def spy(state, batch):
      states.append(jax.device_get(state))
      return train_step(state, batch)

    return spy

  monkeypatch.setattr(ours.step, 'make_train_step', spied)
  prepared = ours.prepare(spec)
  prepared.run()
  prepared.run()
  before, after = states
  for what in ('params', 'batch_stats'):
    assert changed(before.variables[what], after.variables[what])
    assert changed(before.ema[what], after.ema[what])
  assert int(after.step) == 1
  assert int(after.skipped) == 0
  assert prepared.platform == jax.default_backend()
  assert prepared.parameters == sum(
    leaf.size for leaf in jax.tree.leaves(before.variables['params'])
  )


@pytest.mark.heavy
def test_a_detector_makes_training_steps_and_boxes(monkeypatch, settings):
  monkeypatch.setitem(zoo.NETWORKS, 'tiny_trunk', tiny.TRUNK)
  monkeypatch.setitem(detectors.DETECTORS, 'tiny_ssd', tiny.SSD)
  monkeypatch.setattr(ours, 'keep_freed_memory', lambda: True)
  spec = measure.make_spec('ours', Model('tiny_ssd'), 'train', settings)
  spec |= {'num_classes': 2, 'batch': 2}
  told = []
  make = ours.step.make_train_step

  def spied(*arguments, **options):
    assert options['ema_decay'] is None
    train_step = make(*arguments, **options)

    def spy(state, batch):
      new, found = train_step(state, batch)
      told.append((float(found['loss']), int(new.skipped), new.ema))
      return new, found

    return spy

  monkeypatch.setattr(ours.step, 'make_train_step', spied)
  prepared = ours.prepare(spec)
  for _ in range(3):
    prepared.run()
  losses, skipped, averages = zip(*told, strict=True)
  assert losses[0] > losses[2] > 0
  assert (set(skipped), set(averages)) == ({0}, {None})
  model = ours.network(spec)
  variables = ours.init_variables(model, (32, 32, 3), 0)
  images = ours.with_boxes(spec)['image']
  boxes, scores = ours.inference_fn(model, variables, 'detection')(images)
  # Norms are folded: the same boxes as those of the network as it is.
  found = jax.jit(model.apply)(variables, images)
  expected = ours.boxes.decode(found.codes, found.anchors)
  np.testing.assert_allclose(boxes, expected, rtol=1e-3, atol=1e-4)
  assert scores.shape == (*boxes.shape[:2], 2)


def changed(old, new):
  """Whether every array differs."""
  pairs = zip(jax.tree.leaves(old), jax.tree.leaves(new), strict=True)
  return all(np.any(a != b) for a, b in pairs)


@pytest.mark.heavy
def test_the_command_times_ours_and_stock(tmp_path):
  arguments = {
    'models': 'mobilenet_v1:0.25',
    'modes': 'latency',
    'peers': 'stock',
    'batch': 2,
    'resolution': 32,
    'rounds': 2,
    'workdir': tmp_path,
  }
  done = subprocess.run(
    [
      *(sys.executable, 'main.py', '--job=bench'),
      *(f'--{name}={value}' for name, value in arguments.items()),
    ],
    cwd=ROOT,
    env={k: v for k, v in os.environ.items() if k != 'XLA_FLAGS'},
    capture_output=True,
    text=True,
    timeout=300,
    check=False,
  )
  logs = [path.read_text() for path in (tmp_path / 'workers').glob('*.log')]
  assert done.returncode == 0, (done.stderr, *logs)
  records = read(tmp_path / 'bench.csv')
  assert [(r['mode'], r['contender'], r['rounds']) for r in records] == [
    ('latency', 'ours', '2'),
    ('latency', 'stock', '2'),
  ]
  assert len({r['parameters'] for r in records}) == 1
  assert json.dumps(records[0]['versions']).count('jax') == 2
  assert 'Latency of one image' in done.stdout
  assert 'below 1: ours is faster' in (tmp_path / 'bench.md').read_text()
