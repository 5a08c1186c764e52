"""Other people's weights from the command line: import, predict, evaluate, export."""

import json
import os
import pathlib
import subprocess
import sys

import jax
import numpy as np
import pytest
from PIL import Image

from configs import finetune
from mobilenet.jobs import evaluate, import_weights
from mobilenet.models import zoo
from mobilenet.tasks import Written
from mobilenet.tasks.classification import pages
from mobilenet.training.errors import TrainingError
from mobilenet.weights import exporting, loading, own_file
from mobilenet.weights.sources import TIMM
from tests.weights.made_weights import CLASSES, same_variables, source

ROOT = pathlib.Path(__file__).parents[2]
SIZE = 64


def main(*arguments):
  done = subprocess.run(
    [sys.executable, 'main.py', *map(str, arguments)],
    cwd=ROOT,
    env={k: v for k, v in os.environ.items() if k != 'XLA_FLAGS'},
    capture_output=True,
    text=True,
    timeout=300,
    check=False,
  )
  assert 'Traceback' not in done.stderr, done.stderr
  return done


@pytest.fixture(scope='module')
def imported(weight_file, tmp_path_factory):
  """The workdir that the command makes, and what it prints."""
  folder = tmp_path_factory.mktemp('runs')
  (folder / 'names.txt').write_text('\n'.join(CLASSES) + '\n')
  done = main(
    '--job=import',
    f'--init={weight_file}',
    '--config=configs/finetune.py',
    f'--config.resolution={SIZE}',
    '--config.eval_batch_size=8',
    f'--class_names={folder / "names.txt"}',
    f'--workdir={folder / "v1"}',
  )
  assert done.returncode == 0, done.stderr
  return folder / 'v1', done.stdout


def test_import_makes_a_workdir(imported, weights):
  workdir, out = imported
  assert out.splitlines()[0] == "timm's mobilenet_v1 x0.25 in v1.pth"
  assert f'at {SIZE} px, 6 classes' in out
  assert f'images: {TIMM.eval_ops(SIZE).rpartition("|")[0]}|value_range(-1, 1)' in out
  assert 'padding torch, BatchNorm epsilon 1e-05' in out
  names = sorted(path.name for path in workdir.iterdir())
  assert names == ['classes.blake2b', 'classes.json', 'config.json', own_file.FILE]
  assert json.loads((workdir / 'classes.json').read_text()) == list(CLASSES)
  config = json.loads((workdir / 'config.json').read_text())
  assert config['model']['padding'] == 'torch'
  assert config['contract']['interpolation'] == 'bicubic'
  loaded = loading.load(workdir / own_file.FILE)
  assert same_variables(loaded.variables, weights.variables)
  assert loaded.class_names == CLASSES


def predicted(workdir, photos, out):
  """{photo's name: its five classes with probabilities}, by the command."""
  paths = [photos / 'val' / name / f'{name}.png' for name in CLASSES]
  done = main('--job=predict', f'--workdir={workdir}', f'--out={out}', *paths)
  assert done.returncode == 0, done.stderr
  assert 'oak.png' in done.stdout
  return {
    pathlib.Path(row['photo']).stem: [
      (each['class'], each['probability']) for each in row['predictions']
    ]
    for row in json.loads((out / 'predictions.json').read_text())
  }


def evaluated(workdir, photos, monkeypatch):
  """The same by the evaluation, which keeps the probabilities that it reports."""
  kept = {}

  def keep(evaluated, **_):
    rows, examples = evaluated.evaluation.predictions, evaluated.examples
    for index, row in zip(rows['index'], rows['probabilities'], strict=True):
      name = pathlib.Path(examples.describe(int(index))).stem
      kept[name] = first_five(row, evaluated.outputs)
    return Written({})

  with monkeypatch.context() as patch:
    patch.setattr(pages, 'write_report', keep)
    evaluate.evaluate_run(workdir, 'val', str(photos))
  return kept


def first_five(probabilities, names):
  order = np.argsort(-probabilities)[:5]
  return [(names[n], float(probabilities[n])) for n in order]


def by_hand(workdir, photos):
  """What config.json says, followed with PIL and NumPy."""
  config = json.loads((workdir / 'config.json').read_text())
  contract, size = config['contract'], config['resolution']
  assert (contract['resize'], contract['antialias']) == ('short_side', True)
  how, images = Image.Resampling[contract['interpolation'].upper()], []
  for name in CLASSES:
    photo = Image.open(photos / 'val' / name / f'{name}.png').convert('RGB')
    small = int(size / contract['crop_fraction'])
    width, height = (int(small * side / min(photo.size)) for side in photo.size)
    # In floats, channel by channel: bytes would be rounded.
    channels = [
      np.asarray(Image.fromarray(channel).resize((width, height), how))
      for channel in np.moveaxis(np.asarray(photo, np.float32), -1, 0)
    ]
    top, left = round((height - size) / 2), round((width - size) / 2)
    image = np.stack(channels, axis=-1)[top : top + size, left : left + size]
    images.append((image / 255 - contract['mean']) / contract['std'])
  saved = loading.load(workdir / own_file.FILE)
  model = zoo.create(**saved.model)
  logits = jax.jit(model.apply)(saved.variables, np.float32(images))
  rows = np.asarray(jax.nn.softmax(logits))
  return {
    name: first_five(row, CLASSES) for name, row in zip(CLASSES, rows, strict=True)
  }


def test_one_photo_has_one_answer(imported, photos, tmp_path, monkeypatch):
  """The same five classes by predict, by eval and by a script that uses neither."""
  workdir, _ = imported
  told = predicted(workdir, photos, tmp_path)
  seen = evaluated(workdir, photos, monkeypatch)
  assert told.keys() == seen.keys() == set(CLASSES)
  for other in (seen, by_hand(workdir, photos)):
    for name, rows in told.items():
      classes, probabilities = zip(*rows, strict=True)
      assert classes == tuple(each for each, _ in other[name])
      np.testing.assert_allclose(probabilities, [p for _, p in other[name]], atol=1e-3)
  # Photos that all look alike to the network would prove nothing.
  assert len({tuple(each for each, _ in row) for row in told.values()}) > 2


def test_eval_reports_imported_weights(imported, photos, capsys):
  workdir, _ = imported
  evaluate.evaluate_run(workdir, 'val', str(photos))
  out = capsys.readouterr().out
  assert 'v1, step 0, on val' in out
  assert f'data {photos}' in ' '.join(out.split())
  report = workdir / f'report-{photos.name}-val'
  assert out.endswith(f'report: {report / "report.html"}\n')
  lines = (report / 'predictions.csv').read_text().splitlines()
  assert len(lines) == 1 + len(CLASSES)
  said = json.loads((report / 'result.json').read_text())
  wanted = {'data': str(photos), 'split': 'val', 'num_examples': 6, 'steps': 0}
  wanted['examples_trained_on'] = None  # who knows
  assert said | wanted == said
  assert 0 <= said['top1'] <= said['top5'] <= 100
  assert said['loss'] > 0
  assert said['run'] == str(workdir)

  # One folder a class, of the same photos: all of them, and another report.
  evaluate.evaluate_run(workdir, None, str(photos / 'train'))
  whole = json.loads((workdir / 'report-train-all' / 'result.json').read_text())
  assert (whole['split'], whole['num_examples']) == ('all', len(CLASSES))
  assert whole['loss'] == pytest.approx(said['loss'], rel=1e-6)
  assert json.loads((report / 'result.json').read_text()) == said


def test_import_into_a_run_is_refused(imported, weight_file):
  workdir, _ = imported
  before = (workdir / 'config.json').read_bytes()
  done = main('--job=import', f'--init={weight_file}', f'--workdir={workdir}')
  assert done.returncode == 1
  assert done.stderr.splitlines()[-1] == (
    f'error: {workdir} holds a run already; choose another --workdir'
  )
  assert (workdir / 'config.json').read_bytes() == before


@pytest.mark.parametrize(
  ('name', 'text', 'message'),
  [
    ('names.txt', 'a\nb\n', 'names.txt has 2 names, the network 6 classes'),
    ('names.txt', 'a\nb\nc\nd\ne\na\n', 'has empty or repeated names'),
    ('names.txt', 'a\nb\nc\n\ne\nf\n', 'has empty or repeated names'),
    ('names.json', '["a", ', 'cannot read class names from .*names.json'),
    ('names.json', '3', 'cannot read class names from .*names.json'),
  ],
)
def test_class_names_that_do_not_fit(weights, tmp_path, name, text, message):
  (tmp_path / name).write_text(text)
  with pytest.raises(TrainingError, match=message) as error:
    import_weights.class_names(weights, str(tmp_path / name))
  assert '\n' not in str(error.value)


def test_class_names_that_fit(weights, tmp_path):
  path = tmp_path / 'names.json'
  path.write_text(json.dumps(CLASSES))
  assert import_weights.class_names(weights, str(path)) == CLASSES
  assert import_weights.class_names(weights, None)[0] == 'class 0'
  with pytest.raises(TrainingError, match='cannot read class names from'):
    import_weights.class_names(weights, str(tmp_path / 'nowhere.txt'))


def test_weights_without_a_classifier_are_for_training(weights, tmp_path):
  tensors = exporting._tensors(weights, source('timm', 'mobilenet_v1'))
  body = {k: v for k, v in tensors.items() if not k.startswith('classifier')}
  config = finetune.get_config()
  config.init = str(tmp_path / 'body.safetensors')
  exporting.torch_file.write_safetensors(config.init, body)
  with pytest.raises(TrainingError, match='has no classifier; train one on it with'):
    import_weights.import_weights(config, tmp_path / 'run')
  assert not (tmp_path / 'run').exists()
