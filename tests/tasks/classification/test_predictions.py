"""Predictions: what is asked of the network, printed, written, and named."""

import csv
import io
import json
import pathlib
import subprocess
import sys

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import pytest
import rich.console
from PIL import Image

from input_pipeline import DataError, parse_ops
from mobilenet.reports import prediction
from mobilenet.tasks.classification import Classification, predictions
from mobilenet.training.errors import TrainingError
from mobilenet.weights import class_names

NAMES = ('n02123045', 'dog', '[red]')
PROBABILITIES = np.array([[0.2, 0.7, 0.1], [0.4, 0.2, 0.4]], np.float32)
OPS = parse_ops('resize(8)|value_range(0, 1)', 'eval')


def top(photos=('a.jpg', 'b/c.png'), probabilities=PROBABILITIES, k=2):
  return predictions.top_predictions(photos, probabilities, NAMES, k)


def test_the_most_probable_first_and_of_equals_the_first_class():
  assert [(p.photo, p.rank, p.class_name, p.name) for p in top()] == [
    ('a.jpg', 1, 'dog', 'dog'),
    ('a.jpg', 2, 'n02123045', 'tabby'),
    ('b/c.png', 1, 'n02123045', 'tabby'),
    ('b/c.png', 2, '[red]', '[red]'),
  ]
  assert [p.probability for p in top()] == pytest.approx([0.7, 0.2, 0.4, 0.4])


def test_more_than_all_classes_is_all_classes():
  assert [p.rank for p in top(k=9)] == [1, 2, 3, 1, 2, 3]


@pytest.mark.parametrize(
  ('names', 'probabilities', 'k', 'expected'),
  [
    (NAMES, PROBABILITIES, 0, 'at least 1'),
    (NAMES[:2], PROBABILITIES, 1, 'tells 3 classes apart, but 2 are named'),
    (NAMES, PROBABILITIES * np.nan, 1, 'probabilities of a.jpg are not numbers'),
  ],
)
def test_what_cannot_be_told(names, probabilities, k, expected):
  with pytest.raises(TrainingError, match=expected) as error:
    predictions.top_predictions(('a.jpg', 'b.jpg'), probabilities, names, k)
  assert '\n' not in str(error.value)


def printed(rows, **kwargs):
  console = rich.console.Console(file=io.StringIO(), width=20)
  predictions.print_predictions(rows, console=console, **kwargs)
  return console.file.getvalue()


def test_a_log_has_whole_lines():
  long = 'a/very/long/name/of/a/photo/somewhere/deep.jpg'
  lines = printed(top((long, 'b.jpg')), title='of [my] run').splitlines()
  assert lines[0].strip() == 'of [my] run'
  (line,) = (line for line in lines if long in line)
  assert line.split() == [long, 'dog', '70.00', '%']
  assert any(line.split() == ['tabby', '20.00', '%'] for line in lines)
  assert any('[red]' in line for line in lines)


def test_photos_beyond_the_limit_are_counted():
  rows = top([f'{n}.jpg' for n in range(5)], np.repeat(PROBABILITIES[:1], 5, axis=0))
  text = printed(rows, most_photos=3)
  assert '2.jpg' in text
  assert '3.jpg' not in text
  assert 'and 2 more photos' in text
  assert 'more photos' not in printed(rows, most_photos=5)


def test_files(tmp_path):
  rows = top(('käse, "1".jpg', 'b.jpg'))
  paths = predictions.write_predictions(tmp_path / 'new', rows)
  assert [path.name for path in paths] == ['predictions.csv', 'predictions.json']
  with open(paths[0], encoding='utf-8', newline='') as file:
    table = list(csv.DictReader(file))
  assert tuple(table[0]) == predictions.CSV_COLUMNS
  assert table[1] == {
    'photo': 'käse, "1".jpg',
    'rank': '2',
    'class': 'n02123045',
    'name': 'tabby',
    'probability': '0.200000',
  }
  assert json.loads(paths[1].read_text(encoding='utf-8'))[1] == {
    'photo': 'b.jpg',
    'predictions': [
      {'class': 'n02123045', 'name': 'tabby', 'probability': 0.4},
      {'class': '[red]', 'name': '[red]', 'probability': 0.4},
    ],
  }


def test_a_file_name_that_is_no_text(tmp_path):
  rows = top((pathlib.Path('caf\udce9.jpg'), 'b.jpg'))
  assert rows[0].photo == r'caf\udce9.jpg'
  assert 'caf' in printed(rows)
  predictions.write_predictions(tmp_path, rows)


def test_names_of_imagenet():
  names = class_names.imagenet()
  assert len(names) == 1000
  assert names[0] == ('n01440764', 'tench')
  assert names[281] == ('n02123045', 'tabby')
  assert names[999] == ('n15075141', 'toilet tissue')
  ids, readable = zip(*names, strict=True)
  assert list(ids) == sorted(set(ids))
  assert all(len(i) == 9 and i[0] == 'n' and i[1:].isdigit() for i in ids)
  assert len(set(readable)) == 1000, 'two classes have one name'
  assert all(name and name == name.strip() for name in readable)


def test_display_names():
  assert class_names.display_name('n02012849') == 'crane (bird)'
  assert class_names.display_name('n03126707') == 'crane (machine)'
  assert class_names.display_name('n00000000') == 'n00000000'
  assert class_names.display_name('roses') == 'roses'


class Anything(nn.Module):
  """Logits (N, 3), all 0, for images of any size."""

  def __call__(self, images):
    return jnp.zeros((len(images), 3))


class Brightness(nn.Module):
  """Logits (N, 2) from the mean of an image; its batch must be full."""

  batch_size: int

  def __call__(self, images):
    assert images.shape == (self.batch_size, 8, 8, 3)
    mean = images.mean(axis=(1, 2, 3))
    return jnp.stack([mean, 1 - mean], axis=-1)


def grey_photos(folder, levels):
  for n, level in enumerate(levels):
    Image.new('RGB', (10, 12), (level, level, level)).save(folder / f'{n:02d}.png')
  return sorted(folder.iterdir())


def predict(paths, batch_size=4, ops=OPS, told=None):
  tell = [].append if told is None else told.append
  found = prediction.predict_photos(
    Brightness(batch_size), Classification(), {}, paths, ops, batch_size, tell=tell
  )
  return found.photos, found.outputs['probabilities'], found.unreadable


@pytest.mark.parametrize('batch_size', [1, 3, 4, 7, 16])
def test_every_photo_once_in_order_whatever_the_batch(tmp_path, batch_size):
  levels = np.arange(0, 245, 35)
  paths = grey_photos(tmp_path, levels)
  photos, probabilities, unreadable = predict(paths, batch_size)
  assert photos == paths
  assert unreadable == []
  mean = levels / 255
  expected = 1 / (1 + np.exp(1 - 2 * mean))
  np.testing.assert_allclose(probabilities[:, 0], expected, atol=1e-5)
  np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)


def test_one_shape_is_compiled(tmp_path):
  paths = grey_photos(tmp_path, range(0, 90, 10))
  before = prediction._predictions._cache_size()
  predict(paths, 5)
  assert prediction._predictions._cache_size() == before + 1


def test_unreadable_photos_are_told_and_left_out(tmp_path):
  paths = grey_photos(tmp_path, range(0, 100, 10))
  for n in (0, 5, 9):
    paths[n].write_bytes(b'broken')
  told = []
  photos, probabilities, unreadable = predict(paths, told=told)
  good = [path for n, path in enumerate(paths) if n not in (0, 5, 9)]
  assert photos == good
  np.testing.assert_array_equal(probabilities, predict(good)[1])
  assert [str(paths[n]) in line for n, line in zip((0, 5, 9), told, strict=True)]
  assert [f'left out: {reason}' for reason in unreadable] == told


def test_no_readable_photo_is_an_error(tmp_path):
  paths = grey_photos(tmp_path, [0, 1])
  for path in paths:
    path.write_bytes(b'broken')
  with pytest.raises(DataError, match=r'none of the 2 photos .*00\.png') as error:
    predict(paths)
  assert '\n' not in str(error.value)
  with pytest.raises(DataError, match='no photos to predict'):
    predict([])


@pytest.mark.parametrize('batch_size', [1, 4])
def test_photos_must_end_up_in_one_size(tmp_path, batch_size):
  paths = grey_photos(tmp_path, [0, 1])
  Image.new('RGB', (8, 16)).save(paths[1])
  ops = parse_ops('resize_small(8)|value_range(0, 1)', 'eval')
  said = r'00\.png is 9 x 8 and .*01\.png 16 x 8 pixels; add central_crop'
  with pytest.raises(DataError, match=said):
    prediction.predict_photos(Anything(), Classification(), {}, paths, ops, batch_size)


def test_ops_that_do_not_fit_name_the_photo(tmp_path):
  paths = grey_photos(tmp_path, [0])
  with pytest.raises(DataError, match=r'00\.png: central_crop\(11\)'):
    predict(paths, ops=parse_ops('central_crop(11)', 'eval'))


def test_predicting_imports_no_tensorflow(tmp_path):
  grey_photos(tmp_path, [0, 100])
  code = f"""
import sys
from input_pipeline import parse_ops, photos
from mobilenet.models.classifier import Classifier
from mobilenet.models.initial import init_variables
from mobilenet.models.rows import Conv, Network
from mobilenet.reports import prediction
from mobilenet.tasks.classification import Classification, activation_map, predictions

model = Classifier(Network((Conv(3, 8, 2), Conv(3, 8, 2))), 3)
variables = init_variables(model, (8, 8, 3), 0)
ops = parse_ops('resize(8)|normalize()', 'eval')
paths = photos.find_photos([{str(tmp_path)!r}])
found = prediction.predict_photos(model, Classification(), variables, paths, ops, 2)
probabilities = found.outputs['probabilities']
rows = predictions.top_predictions(found.photos, probabilities, 'abc', 2)
predictions.print_predictions(rows)
predictions.write_predictions({str(tmp_path)!r}, rows)
photo = photos.read_photo(paths[0])
image = photos.prepare(photo, ops)
heat = activation_map.activation_maps(model, variables, image[None], [0])[0]
window = photos.seen_window(photo.shape, ops)
picture = {str(tmp_path / 'map.png')!r}
activation_map.activation_picture(picture, photo, window, heat, 'a')
assert not {{'tensorflow', 'tensorflow_datasets'}} & set(sys.modules)
"""
  done = subprocess.run(
    [sys.executable, '-c', code], capture_output=True, text=True, check=False
  )
  assert done.returncode == 0, done.stderr
  assert '01.png' in done.stdout
  assert (tmp_path / 'map.png').stat().st_size > 1000
