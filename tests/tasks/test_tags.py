"""Tags from the command line: trained, resumed, judged, shown, exported, taught."""

import csv
import json
import shutil

import jax
import numpy as np
import pytest
from PIL import Image

from mobilenet import trained
from tests import tiny

SMALL = (
  '--config=configs/tag_folder.py:epochs=2',
  '--config.model.name=tiny',
  '--config.resolution=32',
  '--config.model.lowering=native',  # compiles faster
  '--config.batch_size=8',
  '--config.eval_batch_size=8',
  '--config.log_steps=2',
)
TAGS = ('bright', 'left', 'never seen in evaluation')


@pytest.fixture(scope='module')
def photos(tmp_path_factory):
  """24 photos, grey or bright, some with a bright left half; 8 are for evaluation."""
  folder = tmp_path_factory.mktemp('photos')
  rows = [','.join(['photo', 'split', *TAGS])]
  for n in range(24):
    bright, left = n % 2, n // 2 % 2
    pixels = np.full((40, 40, 3), 60 + 120 * bright, np.uint8)
    pixels[:, :20] += np.uint8(60 * left)
    Image.fromarray(pixels).save(folder / f'{n}.png')
    part, third = ('train', n % 2) if n < 16 else ('val', 0)
    own = ['', '', ''] if n == 23 else [bright, left, third]
    rows.append(','.join(map(str, [f'{n}.png', part, *own])))
  (folder / 'tags.csv').write_text('\n'.join(rows))
  return folder


@pytest.fixture(scope='module')
def tagger(photos, tmp_path_factory):
  folder = tmp_path_factory.mktemp('runs') / 'tagger'
  done = tiny.run(*SMALL, f'--config.data.dir={photos}', f'--workdir={folder}')
  assert done.returncode == 0, done.stderr
  return folder, done.stdout


def read(path):
  with path.open() as file:
    return list(csv.DictReader(file))


def result(folder):
  return json.loads((folder / 'result.json').read_text())


def test_a_run_leaves_numbers_and_a_page(tagger):
  folder, out = tagger
  said = result(folder)
  assert (said['metric'], said['num_examples']) == ('mAP', 7)
  rows = read(folder / 'report' / 'tags.csv')
  assert [row['tag'] for row in rows] == list(TAGS)
  assert [row['known'] for row in rows] == ['7', '7', '7']
  assert rows[2]['AP'] == ''  # nothing shows how well it is told
  assert said['mAP'] == pytest.approx(np.mean([float(row['AP']) for row in rows[:2]]))
  chosen = json.loads((folder / 'thresholds.json').read_text())
  assert list(chosen['thresholds']) == list(TAGS)
  assert len(read(folder / 'report' / 'predictions.csv')) == 8
  page = (folder / 'report' / 'report.html').read_text()
  for part in ('Each tag', 'Nobody can say', 'Where it is wrong', 'Average precision'):
    assert part in page
  assert '1 class has no images for evaluation (never seen in evaluation)' in out


def test_from_its_first_checkpoint_it_ends_the_same_to_the_bit(
  tagger, photos, tmp_path
):
  folder, copy = tagger[0], tmp_path / 'copy'
  shutil.copytree(folder, copy)
  steps = sorted(int(p.name) for p in (copy / 'checkpoints').iterdir() if p.is_dir())
  shutil.rmtree(copy / 'checkpoints' / str(steps[-1]))
  (copy / 'result.json').unlink()
  done = tiny.run(
    *SMALL, f'--config.data.dir={photos}', f'--workdir={copy}', report=False
  )
  assert done.returncode == 0, done.stderr
  with tiny.patched():
    ours, theirs = (trained.load_run(place) for place in (copy, folder))
  assert ours.step == theirs.step == steps[-1]
  leaves = (jax.tree.leaves(jax.device_get(run.variables)) for run in (ours, theirs))
  for one, other in zip(*leaves, strict=True):
    np.testing.assert_array_equal(one, other)


def test_other_data_is_read_by_the_names_of_its_tags(tagger, photos, tmp_path):
  """The same photos with the columns in another order: the same numbers."""
  folder, other = tagger[0], tmp_path / 'others'
  shutil.copytree(photos, other)
  rows = read(photos / 'tags.csv')
  lines = ['photo,new,left,bright']
  lines += [f'{row["photo"]},1,{row["left"]},{row["bright"]}' for row in rows[16:]]
  (other / 'tags.csv').write_text('\n'.join(lines))
  done = tiny.run('--job=eval', f'--workdir={folder}', f'--data_dir={other}')
  assert done.returncode == 0, done.stderr
  assert 'says nothing of never seen in evaluation: not measured' in done.stdout
  assert 'the run does not know new: left out' in done.stdout
  again = result(folder / 'report-others-all')
  assert again['mAP'] == pytest.approx(result(folder)['mAP'])


def test_tags_are_printed_and_written(tagger, photos, tmp_path):
  folder, out = tagger[0], tmp_path / 'out'
  done = tiny.run('--job=predict', f'--workdir={folder}', f'--out={out}', photos)
  assert done.returncode == 0, done.stderr
  assert "each tag's threshold, the report's choice" in done.stdout
  rows = read(out / 'predictions.csv')
  thresholds = json.loads((folder / 'thresholds.json').read_text())['thresholds']
  for row in rows:
    said = [tag for tag in TAGS if float(row[tag]) >= thresholds[tag]]
    assert row['tags'] == '|'.join(said)
  assert (out / 'predictions.html').stat().st_size > 1000
  few = tiny.run('--job=predict', f'--workdir={folder}', '--score=1', photos / '1.png')
  assert '1 photos: no tag' in few.stdout
  refused = tiny.run(
    '--job=predict', f'--workdir={folder}', f'--out={out}', '--cam', photos / '1.png'
  )
  assert '--cam draws where one class is seen' in refused.stderr


def test_a_file_answers_for_the_run(tagger, photos):
  folder = tagger[0]
  done = tiny.run(
    '--job=export', f'--workdir={folder}', '--format=onnx', '--answer=probabilities'
  )
  assert done.returncode == 0, done.stderr
  file = folder / 'export' / 'tagger-float32.onnx'
  done = tiny.run('--job=eval', f'--exported={file}')
  assert done.returncode == 0, done.stderr
  own = result(folder / 'report-val-tagger-float32.onnx')
  assert own['mAP'] == pytest.approx(result(folder)['mAP'], abs=1e-3)
  done = tiny.run('--job=predict', f'--exported={file}', photos / '1.png')
  assert "each tag's threshold, the report's choice" in done.stdout


@pytest.mark.parametrize(
  'teacher', ['logits', pytest.param('weights', marks=pytest.mark.heavy)]
)
def test_a_student_needs_no_label(teacher, tagger, photos, tmp_path):
  """Taught by a run, or by what it said of each photo before."""
  folder, unlabelled = tagger[0], tmp_path / 'photos'
  shutil.copytree(photos, unlabelled)
  lines = (photos / 'tags.csv').read_text().splitlines()
  lines[1:17] = [f'{n}.png,train,,,' for n in range(16)]
  (unlabelled / 'tags.csv').write_text('\n'.join(lines))
  given = {'weights': folder, 'logits': tmp_path / 'logits.npz'}[teacher]
  if teacher == 'logits':
    done = tiny.run(
      '--job=logits', f'--init={folder}', f'--data_dir={unlabelled}', f'--out={given}'
    )
    assert done.returncode == 0, done.stderr
  run = (*SMALL, f'--config.data.dir={unlabelled}', '--config.epochs=1')
  refused = tiny.run(*run, f'--workdir={tmp_path / "none"}')
  assert 'no tag is known of any photo of train' in refused.stderr
  done = tiny.run(
    *run,
    '--config.teacher.hard=0',
    f'--config.teacher.{teacher}={given}',
    f'--workdir={tmp_path / "student"}',
    report=False,
  )
  assert done.returncode == 0, done.stderr
  assert 'labels are 0% of the loss' in done.stdout
  other = tiny.run(
    *tiny.CONFIG,
    f'--config.teacher.weights={folder}',
    '--config.teacher.hard=0.5',
    f'--workdir={tmp_path / "other"}',
  )
  assert 'was trained for tags, and the student is for classification' in other.stderr


@pytest.mark.heavy  # tests/weight_jobs/test_embeddings.py has its parts
def test_a_classifier_of_tags_learns_on_what_a_frozen_network_made(photos, tmp_path):
  done = tiny.run(
    *SMALL,
    f'--config.data.dir={photos}',
    '--config.model.trained=classifier',
    '--config.data.train_ops=resize(32)|value_range(-1, 1)',
    '--config.data.eval_ops=resize(32)|value_range(-1, 1)',
    f'--workdir={tmp_path}',
    report=False,
  )
  assert done.returncode == 0, done.stderr
  assert 'embeddings of 16 images of train: computed for 16' in done.stdout
