"""A run keeps to the photos it began with."""

import shutil

import pytest

from configs import places
from input_pipeline import DataError, made_places
from mobilenet.runs import preparation, run_data, training_data
from mobilenet.training import workdir
from mobilenet.training.errors import TrainingError


@pytest.fixture
def run(config, begin, tmp_path):
  """(folder, data): of a run that began with the twenty photos."""
  data = training_data.open_data(config, tmp_path / 'run')
  return begin(data.record), data


def test_a_new_run_takes_what_is_there(config, tmp_path):
  data = training_data.open_data(config, tmp_path / 'run')
  assert (data.train.num_examples, data.evaluation.num_examples) == (16, 4)
  assert data.record == run_data.of(data.train, data.evaluation)
  assert data.record.train.names == data.train.names
  assert data.notes == []
  assert not (tmp_path / 'run').exists()


@pytest.mark.parametrize('place', ['.', 'run', 'a/deep/run'])
def test_no_run_among_its_photos(config, photos, place):
  before = sorted(photos.rglob('*'))
  with pytest.raises(TrainingError, match=r'lies in the folder of the data.*: choose'):
    preparation.open_run(config, None, photos / place)
  assert sorted(photos.rglob('*')) == before


def test_unchanged_photos_need_no_word(config, run):
  folder, before = run
  data = training_data.open_data(config, folder)
  assert (data.record, data.notes) == (before.record, [])
  assert data.train.names == before.train.names


def test_no_photo_changes_sides(config, run, photos, write):
  """So many are deleted that the seed would put others aside."""
  folder, before = run
  gone = [*before.train.names[:5], before.evaluation.names[-1]]
  for name in gone:
    (photos / name).unlink()
  write(photos, *(f'b/new{n}.jpg' for n in range(4)))
  other = training_data.open_data(config, folder.with_name('another run'))
  assert set(other.train.names) & set(before.evaluation.names)

  data = training_data.open_data(config, folder)
  kept = [
    tuple(name for name in part.names if name not in gone)
    for part in (before.train, before.evaluation)
  ]
  assert [data.train.names, data.evaluation.names] == kept
  assert [data.train.num_examples, data.evaluation.num_examples] == [11, 3]
  shown = ', '.join(sorted(gone)[:3])
  assert data.notes == [
    f'6 photos gone ({shown}, ...), 4 new (b/new0.jpg, b/new1.jpg, b/new2.jpg, ...) '
    'since this run began: new ones are left out; to train on them, choose another '
    '--workdir'
  ]
  assert data.record == before.record, 'what it began with stays what it was'


def test_one_photo_gone(config, run, photos):
  folder, before = run
  name = before.train.names[0]
  (photos / name).unlink()
  assert training_data.open_data(config, folder).notes == [
    f'1 photo gone ({name}) since this run began'
  ]


def test_a_folder_that_was_moved(config, run, photos):
  folder, before = run
  config.data.dir = str(photos.rename(photos.with_name('moved')))
  data = training_data.open_data(config, folder)
  assert data.notes == []
  assert data.record.origin == str(photos.with_name('moved'))
  assert data.record.train == before.record.train


def test_of_a_photo_that_was_replaced_the_first_size_is_kept(config, run, photos):
  folder, before = run
  name = before.train.names[0]
  (photos / name).write_bytes(bytes(9999))
  data = training_data.open_data(config, folder)
  assert data.record == before.record
  now = run_data.of(data.train, data.evaluation)
  assert now.train.changed(data.record.train) == [name]
  assert not run_data.same(now, before.record)
  run_data.write(folder, data.record)
  assert run_data.read(folder) == before.record


def test_other_photos_altogether(config, run, photos, write):
  folder, _ = run
  config.data.dir = str(photos.with_name('others'))
  write(photos.with_name('others'), 'a/x.jpg', 'a/y.jpg', 'b/x.jpg', 'b/y.jpg')
  with pytest.raises(DataError, match='none of the 16 images that the run began with'):
    training_data.open_data(config, folder)


def test_a_run_without_a_checkpoint_begins_anew(config, run, photos):
  folder, before = run
  shutil.rmtree(folder / 'checkpoints')
  (photos / before.train.names[0]).unlink()
  data = training_data.open_data(config, folder)
  assert data.notes == []
  assert data.record.train.num_examples == data.train.num_examples


def test_photos_in_train_and_val_folders(config, begin, photos, write, tmp_path):
  root = tmp_path / 'parts'
  for part in ('train', 'val'):
    shutil.copytree(photos, root / part)
  config.data.dir = str(root)
  folder = begin(training_data.open_data(config, tmp_path / 'run').record)
  (root / 'train/a/0.jpg').rename(root / 'val/a/moved.jpg')
  data = training_data.open_data(config, folder)
  assert (data.train.num_examples, data.evaluation.num_examples) == (19, 20)
  assert data.notes[0].startswith(
    '1 photo gone (train/a/0.jpg), 1 new (val/a/moved.jpg) since this run began: new'
  )


def test_a_class_with_one_image_is_told_once(config, photos, write, tmp_path):
  write(photos, 'c/0.jpg')
  assert training_data.open_data(config, tmp_path / 'run').notes == [
    'class c has one image: it is trained on and cannot be evaluated'
  ]


def test_a_set_of_another_version(config, begin, monkeypatch, tmp_path):
  config.data.name, config.data.eval_split = 'made', 'validation'
  began = training_data.open_data(config, tmp_path / 'run').record
  assert (began.train.num_examples, began.train.names) == (1024, None)
  folder = begin(began)
  assert training_data.open_data(config, folder).record == began
  config.data.made_examples = 1000
  with pytest.raises(TrainingError) as error:
    training_data.open_data(config, folder)
  assert str(error.value) == (
    'this run began with made (train: 1,024, validation: 256), here is made (train: '
    '1,000, validation: 250): give that data back, or choose another --workdir'
  )


def test_a_file_that_moves_photos_to_the_other_side_moves_none(tmp_path):
  """Of tags and places a CSV says the parts, and the photos keep their names."""
  photos = tmp_path / 'photos'
  made_places.write_photos(photos, 12, size=16)
  table = next(photos.glob('*.csv'))
  head, *rows = table.read_text().splitlines()

  def say(parts):
    lines = [f'{row},{part}' for row, part in zip(rows, parts, strict=True)]
    table.write_text('\n'.join([f'{head},split', *lines]))

  config = places.get_config('most=9,fewest=1')
  config.data.dir = str(photos)
  folder = tmp_path / 'run'
  say(['train'] * 8 + ['val'] * 4)
  before = training_data.open_data(config, folder)
  run_data.write(folder, before.record)
  workdir.write_classes(folder, before.train.class_names)
  (folder / 'checkpoints' / '1').mkdir(parents=True)
  say(['val'] + ['train'] * 8 + ['val'] * 3)
  data = training_data.open_data(config, folder)
  assert '2 photos on the other side' in data.notes[-1]
  assert set(data.train.names) < set(before.train.names)
  assert set(data.evaluation.names) < set(before.evaluation.names)
  assert data.record == before.record
