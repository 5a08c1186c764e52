"""What an evaluation opens, warns of and where its report goes; no network runs."""

import dataclasses
import json
import shutil
import types

import pytest

from input_pipeline import DataError
from mobilenet import experiment
from mobilenet.jobs import evaluate
from mobilenet.reports import result
from mobilenet.runs import run_data
from mobilenet.runs.training_data import open_data as open_training
from mobilenet.training.errors import TrainingError


@pytest.fixture
def before(config, tmp_path):
  """What a run began with: sixteen photos to train on, four to evaluate."""
  return open_training(config, tmp_path / 'none').record


def overlap(config, before, source, capsys, data_dir=None):
  """(number of examples trained on, the line about them)."""
  capsys.readouterr()
  found = evaluate.warn_of_overlap(config, before, source, data_dir)
  return found, capsys.readouterr().out


def test_other_class_folders_are_evaluated_whole(config, before, photos, tmp_path):
  other = tmp_path / 'other'
  shutil.copytree(photos, other)
  source, notes = evaluate.open_data(config, before, None, str(other))
  assert (source.num_examples, source.split, source.origin) == (20, 'all', str(other))
  assert notes == []
  # The part that a seed puts aside has to be asked for.
  source, _ = evaluate.open_data(config, before, 'val', str(other))
  assert (source.num_examples, source.split) == (4, 'val')
  source, _ = evaluate.open_data(config, before, 'all', None)
  assert (source.num_examples, source.split) == (20, 'all')


def test_the_asked_part_of_other_folders_with_parts(config, before, photos, tmp_path):
  for part in ('train', 'Validation', 'test'):
    shutil.copytree(photos, tmp_path / 'other' / part)
  other = str(tmp_path / 'other')
  (tmp_path / 'other/test/a/0.jpg').unlink()
  sizes = {None: 20, 'test': 19, 'train': 20, 'val+test': 39, 'all': 59}
  for split, size in sizes.items():
    source, _ = evaluate.open_data(config, before, split, other)
    assert source.num_examples == size
  shutil.rmtree(tmp_path / 'other/Validation')
  with pytest.raises(DataError) as error:
    evaluate.open_data(config, before, None, other)
  assert str(error.value) == (
    f'no val/ in {other} (there is train/, test/); --split=test, or '
    f'--data_dir={other}/train to have that split by the seed'
  )


def test_the_split_of_a_seed_stays_what_it_was(config, before, photos, write):
  write(photos, *(f'a/new{n}.jpg' for n in range(40)))
  gone = before.evaluation.names[0]
  (photos / gone).unlink()
  for split, part in ((None, before.evaluation), ('train', before.train)):
    source, notes = evaluate.open_data(config, before, split, None)
    assert source.names == tuple(name for name in part.names if name != gone)
    assert notes == [
      f'1 photo gone ({gone}), 40 new (a/new0.jpg, a/new1.jpg, a/new10.jpg, ...) since '
      'this run began: new ones are left out; --split=all takes them in'
    ]
  source, _ = evaluate.open_data(config, before, 'all', None)
  assert source.num_examples == 59
  # Of a run of an older version nothing is known.
  source, notes = evaluate.open_data(config, None, None, None)
  assert (source.num_examples, notes) == (12, [])


def test_folders_with_parts_say_themselves_what_is_in_them(
  config, photos, write, tmp_path
):
  for part in ('train', 'val'):
    shutil.copytree(photos, tmp_path / 'parts' / part)
  config.data.dir = str(tmp_path / 'parts')
  before = open_training(config, tmp_path / 'none').record
  write(tmp_path / 'parts', 'val/b/new.jpg')
  source, notes = evaluate.open_data(config, before, None, None)
  assert source.num_examples == 21
  assert notes == ['1 new (val/b/new.jpg) since this run began']
  shutil.rmtree(tmp_path / 'parts' / 'train')
  _, notes = evaluate.open_data(config, before, None, None)
  assert notes[0].startswith('what it was trained on cannot be opened any more: no tra')


def test_photos_that_were_trained_on_are_told(config, before, photos, capsys, tmp_path):
  val, _ = evaluate.open_data(config, before, None, None)
  assert overlap(config, before, val, capsys) == (0, '')
  assert overlap(config, None, val, capsys) == (None, '')
  train, _ = evaluate.open_data(config, before, 'train', None)
  found, line = overlap(config, before, train, capsys)
  assert found == 16
  assert line.startswith('warning: all of these 16 examples were trained on (')
  whole, _ = evaluate.open_data(config, before, 'all', None)
  assert overlap(config, before, whole, capsys)[0] == 16
  # Another way to the same files.
  (tmp_path / 'link').symlink_to(photos)
  linked, _ = evaluate.open_data(config, before, None, str(tmp_path / 'link'))
  assert overlap(config, before, linked, capsys)[0] == 16


def test_copies_under_other_names_are_told(config, before, photos, write, capsys):
  other = photos.with_name('other')
  one, two = before.train.names[0], before.train.names[8]
  write(other, 'a/0.jpg', content=b'new')
  for empty in (photos / before.train.names[1], other / 'b' / 'empty.jpg'):
    empty.parent.mkdir(parents=True, exist_ok=True)
    empty.write_bytes(b'')
  write(other, 'a/x.jpg', content=(photos / one).read_bytes())
  write(other, 'b/deep/y.png', content=(photos / two).read_bytes())
  # As long, and with the same end, but another photo.
  write(other, 'b/z.jpg', content=b'~' + (photos / two).read_bytes()[1:])
  source, _ = evaluate.open_data(config, before, None, str(other))
  assert overlap(config, before, source, capsys, str(other)) == (
    2,
    f'warning: 2 of these 5 examples were trained on ({other}/a/x.jpg, '
    f'{other}/b/deep/y.png): new ones are harder\n',
  )


def test_only_the_end_of_a_large_file_is_the_same(
  config, photos, write, capsys, tmp_path
):
  write(photos, 'a/large.jpg', content=b'1' + bytes(9000))
  before = open_training(config, tmp_path / 'none').record
  assert 'a/large.jpg' in before.train.names
  other = photos.with_name('other')
  write(other, 'a/large.jpg', content=b'2' + bytes(9000))
  write(other, 'b/0.jpg', content=b'new')
  source, _ = evaluate.open_data(config, before, None, str(other))
  assert overlap(config, before, source, capsys, str(other)) == (0, '')
  write(other, 'b/same.jpg', content=b'1' + bytes(9000))
  source, _ = evaluate.open_data(config, before, None, str(other))
  assert overlap(config, before, source, capsys, str(other))[0] == 1


def test_a_folder_that_was_moved_is_known_by_its_names(config, before, photos, capsys):
  moved = photos.rename(photos.with_name('moved'))
  source, _ = evaluate.open_data(config, before, None, str(moved))
  found, line = overlap(config, before, source, capsys, str(moved))
  assert found == 16
  assert 'of these 20 examples were trained on, going by their names, (' in line


def test_a_photo_moved_from_train_to_val_was_trained_on(
  config, photos, capsys, tmp_path
):
  root = tmp_path / 'parts'
  shutil.copytree(photos, root / 'train')
  for label in 'ab':
    (root / 'val' / label).mkdir(parents=True)
    (root / f'train/{label}/9.jpg').rename(root / f'val/{label}/9.jpg')
  config.data.dir = str(root)
  before = open_training(config, tmp_path / 'none').record
  (root / 'train/a/3.jpg').rename(root / 'val/a/3.jpg')
  source, _ = evaluate.open_data(config, before, None, None)
  found, line = overlap(config, before, source, capsys)
  assert found == 1
  assert line == (
    'warning: 1 of these 3 examples were trained on, going by their names, '
    f'({root}/val/a/3.jpg): new ones are harder\n'
  )


def test_records_of_a_set_that_were_trained_on(config, capsys, tmp_path):
  config.data.name, config.data.dir = 'digits', str(tmp_path / 'tfds')
  config.data.train_split, config.data.eval_split = 'train[:90%]', 'train[90%:]'
  before = open_training(config, tmp_path / 'none').record
  sizes = {
    None: 0,
    'test': 0,
    'train': 3600,
    'train[:10]': 10,
    'train[3590:]': 10,
    'test+train[3599:3601]': 1,
    'all': 3600,
  }
  for split, expected in sizes.items():
    source, notes = evaluate.open_data(config, before, split, None)
    assert notes == []
    found, line = overlap(config, before, source, capsys)
    assert found == expected
    assert bool(line) == bool(expected)
  source, _ = evaluate.open_data(config, before, 'train[3599:3601]', None)
  assert overlap(config, before, source, capsys)[1] == (
    'warning: 1 of these 2 examples were trained on (digits/train[3599:3601][0]): new '
    'ones are harder\n'
  )


def test_made_data_that_was_trained_on(config, capsys, tmp_path):
  config.data.name, config.data.eval_split = 'made', 'validation'
  before = open_training(config, tmp_path / 'none').record
  for split, expected in ((None, 0), ('train', 1024), ('test', 0)):
    source, _ = evaluate.open_data(config, before, split, None)
    assert overlap(config, before, source, capsys)[0] == expected


def source_of(origin, split, names=('a.jpg',)):
  return types.SimpleNamespace(origin=origin, split=split, names=names)


def test_reports_have_folders_of_their_own(tmp_path):
  def name(source, own=False):
    report = evaluate.report_folder(tmp_path, source, own=own)
    report.mkdir(exist_ok=True)
    said = {'data': source.origin, 'split': source.split}
    (report / result.RESULT_FILE).write_text(json.dumps(said))
    return report.name

  own = source_of('/photos', 'val')
  assert name(own, own=True) == 'report-val'
  assert name(source_of('/photos', 'train+val'), own=True) == 'report-train+val'
  assert name(source_of('/new/field trip', 'all')) == 'report-field-trip-all'
  assert name(source_of('/old/field trip', 'all')) == 'report-field-trip-all-2'
  assert name(source_of('/photos/val', 'val')) == 'report-val-val'
  assert name(source_of('set/1.0.0', 'train[:9%]', None)) == 'report-set-1.0.0-train-9'
  assert (
    name(source_of('set/1.0.0', 'train[9%:]', None)) == 'report-set-1.0.0-train-9-2'
  )
  # Again: the same folders.
  assert name(own, own=True) == 'report-val'
  assert name(source_of('/old/field trip', 'all')) == 'report-field-trip-all-2'


def test_a_report_of_an_older_version_is_left_alone(tmp_path):
  (tmp_path / 'report-val').mkdir()
  (tmp_path / 'report-val' / 'classes.csv').write_text('mine')
  source = source_of('/photos', 'val')
  report = evaluate.report_folder(tmp_path, source, own=True)
  assert report == tmp_path / 'report-val-2'


def test_a_record_that_cannot_be_read(before, begin):
  folder = begin(before)
  assert run_data.read(folder) == before
  names = folder / run_data.NAMES_FILE
  whole = names.read_bytes()
  for spoiled in (whole[:-20], whole[:30] + b'xx' + whole[32:], b''):
    names.write_bytes(spoiled)
    with pytest.raises(TrainingError) as error:
      run_data.read(folder)
    assert f'{folder / run_data.FILE} and {run_data.NAMES_FILE}' in str(error.value)
    assert 'remove both to go on with the data as it is now' in str(error.value)
  part = dataclasses.replace(before.train, split=before.evaluation.split)
  run_data.write(
    folder.with_name('other'), dataclasses.replace(before, evaluation=part)
  )
  names.write_bytes((folder.with_name('other') / run_data.NAMES_FILE).read_bytes())
  with pytest.raises(TrainingError, match='holds other names'):
    run_data.read(folder)
  (folder / run_data.FILE).unlink()
  assert run_data.read(folder) is None


def test_a_record_is_the_same_bytes_for_the_same_data(before, tmp_path):
  for name in ('one', 'two'):
    run_data.write(tmp_path / name, before)
  for file in (run_data.FILE, run_data.NAMES_FILE):
    one, two = ((tmp_path / name / file).read_bytes() for name in ('one', 'two'))
    assert one == two
  said = json.loads((tmp_path / 'one' / run_data.FILE).read_text())
  assert said['train']['num_examples'] == 16
  assert len(said['train']['names_blake2b']) == 32


def test_what_is_typed_beside_the_config_of_the_run(config):
  typed = {'data.corrupt_limit': 99, 'data.dir': 'moved', 'seed': 3, 'resolution': 9}
  config.update_from_flattened_dict(experiment.harmless(typed))
  assert (config.data.corrupt_limit, config.data.dir) == (99, 'moved')
  assert (config.seed, config.resolution) == (0, 96)
