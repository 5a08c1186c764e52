"""--job=export, eval and predict with files of detectors and segmenters."""

import json

import numpy as np
import pytest
from PIL import Image

from mobilenet import tasks, trained
from mobilenet.export import formats
from mobilenet.export.errors import ExportError
from mobilenet.runs import exporting, exporting_marks
from mobilenet.runs.exporting_marks import Compared
from tests import tiny

pytest.importorskip('litert_converter', reason='requirements-export.txt')
pytest.importorskip('onnxruntime', reason='requirements-export.txt')

SMALL = (
  '--config.resolution=64',
  '--config.model.lowering=native',  # compiles faster
  '--config.data.made_examples=16',
  '--config.batch_size=8',
  '--config.eval_batch_size=8',
  '--config.epochs=2',
)
CONFIGS = {
  'detection': ('configs/ssdlite_v2.py:quick', 'tiny_ssd'),
  'segmentation': ('configs/lraspp_v3.py:quick', 'tiny_lraspp'),
}


@pytest.fixture(scope='module')
def runs(tmp_path_factory):
  folder, made = tmp_path_factory.mktemp('runs'), {}
  for task, (config, model) in CONFIGS.items():
    made[task] = folder / task
    done = tiny.run(
      f'--config={config}',
      f'--config.model.name={model}',
      *SMALL,
      f'--workdir={made[task]}',
      report=False,
    )
    assert done.returncode == 0, done.stderr
  said = {'score': 0.25, 'precision': 1, 'recall': 1, 'split': 'val', 'step': 4}
  (made['detection'] / 'scores.json').write_text(json.dumps(said))
  return made


@pytest.fixture(scope='module')
def tflites(runs):
  """A file of floats of each, exported from the command line."""
  made = {}
  for task, folder in runs.items():
    done = tiny.run('--job=export', f'--workdir={folder}', '--format=tflite')
    assert done.returncode == 0, done.stderr
    made[task] = folder / 'export' / f'{task}-float32.tflite'
  return made


@pytest.mark.parametrize(
  ('task', 'answer', 'outputs'),
  [
    ('detection', 'boxes', ['boxes', 'scores']),
    ('segmentation', 'logits', ['logits']),
  ],
)
def test_a_file_says_what_it_answers(tflites, task, answer, outputs):
  said = formats.open_file(tflites[task]).said
  assert (said['task'], said['answer'], said['outputs']) == (task, answer, outputs)
  assert len(said['class_names']) == 3
  if task == 'detection':
    assert said['box_order'] == ['top', 'left', 'bottom', 'right']
    assert said['decision'] == {'score': 0.25}
    assert said['finding']['scores'] == 'sigmoid'


@pytest.mark.heavy
@pytest.mark.parametrize('task', CONFIGS)
def test_a_file_has_the_metric_of_its_run(runs, tflites, task):
  done = tiny.run('--job=eval', f'--exported={tflites[task]}')
  assert done.returncode == 0, done.stderr
  folder = runs[task]
  report = folder / f'report-validation-{tflites[task].name}'
  theirs = json.loads((report / 'result.json').read_text())
  done = tiny.run('--job=eval', f'--workdir={folder}')
  assert done.returncode == 0, done.stderr
  ours = json.loads((folder / 'report-validation' / 'result.json').read_text())
  assert ours['num_examples'] == theirs['num_examples'] > 0
  assert theirs[ours['metric']] == pytest.approx(ours[ours['metric']], abs=0.05)
  # A detector's file does not tell its losses, and says so by leaving them out.
  assert (theirs['loss'] is not None) == (task == 'segmentation')


@pytest.mark.parametrize('task', CONFIGS)
def test_a_file_shows_photos_as_its_run_does(runs, tflites, task, tmp_path):
  pixels = np.random.default_rng(0).integers(0, 256, (50, 90, 3), np.uint8)
  Image.fromarray(pixels).save(tmp_path / 'photo.png')
  for name, source in (
    ('run', f'--workdir={runs[task]}'),
    ('file', f'--exported={tflites[task]}'),
  ):
    out = f'--out={tmp_path / name}'
    done = tiny.run('--job=predict', source, out, tmp_path / 'photo.png')
    assert done.returncode == 0, done.stderr
    if task == 'detection':
      assert "scores from 0.25, the report's choice" in ' '.join(done.stdout.split())
  if task == 'segmentation':
    ours, theirs = (
      np.asarray(Image.open(tmp_path / name / 'photo-mask.png'))
      for name in ('run', 'file')
    )
    assert np.mean(ours == theirs) >= 0.999


@pytest.mark.parametrize(
  'format',
  [
    'onnx',
    pytest.param('savedmodel', marks=pytest.mark.heavy),
    pytest.param('stablehlo', marks=pytest.mark.heavy),
  ],
)
@pytest.mark.parametrize(
  ('task', 'answer'), [('detection', 'boxes'), ('segmentation', 'labels')]
)
def test_other_formats_answer_alike(runs, task, answer, format, tmp_path, capsys):
  out = tmp_path / f'x{formats.FORMATS[format].suffix}'
  with tiny.patched():
    exporting.export(
      runs[task], exporting.Wanted(format, 'float32', out=out, answer=answer)
    )
  assert f'written: {out}' in capsys.readouterr().out


@pytest.mark.heavy
@pytest.mark.parametrize('format', ['tflite', 'onnx'])
@pytest.mark.parametrize('task', CONFIGS)
def test_halves_answer_alike(runs, task, format, tmp_path, capsys):
  out = tmp_path / f'x{formats.FORMATS[format].suffix}'
  with tiny.patched():
    exporting.export(runs[task], exporting.Wanted(format, 'float16', out=out))
  assert f'written: {out}' in capsys.readouterr().out


@pytest.mark.heavy
def test_objects_are_found_in_the_file(runs, tmp_path, capsys):
  out = tmp_path / 'x.npz'
  with tiny.patched():
    exporting.export(
      runs['detection'], exporting.Wanted('stablehlo', 'float32', out, 'objects')
    )
  opened = formats.open_file(out)
  found = opened.named_answers(np.zeros((2, 64, 64, 3), np.float32))
  assert {name: values.shape for name, values in found.items()} == {
    'boxes': (2, 100, 4),
    'scores': (2, 100),
    'classes': (2, 100),
  }


@pytest.mark.parametrize('format', ['tflite', 'onnx'])
def test_where_objects_cannot_be_found_is_one_line(runs, format):
  wanted = exporting.Wanted(format, 'float32', answer='objects')
  with tiny.patched(), pytest.raises(ExportError, match='give --answer=boxes'):
    exporting.export(runs['detection'], wanted)


def test_an_unknown_answer_is_one_line(runs):
  wanted = exporting.Wanted('onnx', 'float32', answer='logits')
  with tiny.patched(), pytest.raises(ExportError, match='it is boxes or objects'):
    exporting.program_of(trained.load_run(runs['detection']), wanted.answer)


@pytest.mark.heavy
@pytest.mark.parametrize('task', CONFIGS)
def test_what_integers_lose_is_measured(runs, task, tmp_path, capsys):
  out = tmp_path / 'x.onnx'
  wanted = exporting.Wanted('onnx', 'int8', out, most_lost=100)
  with tiny.patched():
    exporting.export(runs[task], wanted)
  said = capsys.readouterr().out
  metric = {'detection': 'mAP', 'segmentation': 'mIoU'}[task]
  assert f'{metric} on validation' in said
  assert (tmp_path / 'x-layers.csv').is_file()
  nodes = formats.open_file(out).operators
  assert nodes['QuantizeLinear'] > 20


@pytest.mark.parametrize(
  ('differences', 'values', 'precision', 'line'),
  [
    ({'boxes, px': 2.0}, (50, 50), 'float32', 'boxes, px: 2 apart'),
    ({'boxes, px': 0.1}, (50, 10), 'float32', None),
    ({'boxes, px': 9.0}, (50, 49), 'int8', None),
    ({'boxes, px': 9.0}, (50, 40), 'int8', 'loses 10.0 points of mAP'),
    ({'boxes, px': 9.0}, (50, np.nan), 'int8', 'loses nan points'),
    ({'boxes, px': 9.0}, (), 'int8', 'no marks of its classes'),
    ({'boxes, px': np.nan}, (50, 50), 'int8', 'not numbers'),
  ],
)
def test_refusals(differences, values, precision, line):
  found = Compared('detection', 8, differences, 'mAP', values)
  said = exporting_marks.refusal(found, precision, 2.0)
  assert said is None if line is None else line in said


def test_answers_are_compared_as_people_see_them():
  of_task = tasks.exported('detection')
  said = {'candidates': 9, 'most': 3, 'threshold': 0.6, 'least_score': 1e-8}
  task = of_task.task_of({'finding': {'scores': 'softmax', **said}})
  assert (task.class_loss, task.overlap) == ('hard_negatives', 0.6)
  boxes = np.array([[[0.1, 0.1, 0.5, 0.5], [-3, -3, 9, 9]]], np.float32)
  ours = {'boxes': boxes, 'scores': np.array([[[0.5], [0.25]]])}
  # The second moves beyond the image alone.
  moved = boxes + np.array([[[0.01, 0, 0, 0], [-2, 0, 0, 0]]])
  theirs = {'boxes': moved, 'scores': np.array([[[0.5], [0.375]]])}
  found = of_task.differences(task, ours, theirs, 100)
  assert found['boxes, px'] == pytest.approx(1.0, rel=1e-4)
  assert found['scores'] == 0.125


def test_objects_in_another_order_are_the_same():
  of_task = tasks.exported('detection')
  ours = {
    'boxes': np.array([[[0, 0, 0.5, 0.5], [0.2, 0.2, 0.9, 0.9], [0, 0, 0, 0]]]),
    'scores': np.array([[0.7, 0.7, 0.0]]),
    'classes': np.array([[0, 1, 0]]),
  }
  turned = {name: values[:, [1, 0, 2]] for name, values in ours.items()}
  assert set(of_task.differences(None, ours, turned, 64).values()) == {0}
  other = {**turned, 'classes': np.array([[0, 0, 0]])}
  assert set(of_task.differences(None, ours, other, 64).values()) == {50}
