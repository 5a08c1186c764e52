"""Predicted photos: what is called none of the classes, columns, the contact sheet."""

import csv
import pathlib
import re

import numpy as np
import pytest
from PIL import Image

from input_pipeline import photos as photo_files
from mobilenet import trained
from mobilenet.tasks import Shown
from mobilenet.tasks.classification import (
  activation_map,
  calibration,
  contact_sheet,
  decision,
  photo_pages,
)


@pytest.fixture
def photos(tmp_path):
  paths = [tmp_path / 'photos' / f'{n}.jpg' for n in range(6)]
  paths[0].parent.mkdir()
  for n, path in enumerate(paths):
    Image.new('RGB', (40, 30 + n), (40 * n, 0, 0)).save(path)
  return paths


def shown(tmp_path, names):
  run = trained.Run(tmp_path, None, None, None, tuple(names), 3)
  return Shown('a run', run.outputs, ops=(), top=2, out=tmp_path / 'out', run=run)


def read(path):
  with open(path, encoding='utf-8', newline='') as file:
    return list(csv.DictReader(file))


def sections(path):
  """(heading, number of pictures) of each section."""
  text = pathlib.Path(path).read_text(encoding='utf-8')
  found = re.findall(r'<h2>(.*?)</h2>(.*?)</section>', text, re.DOTALL)
  return [(heading, body.count('<img')) for heading, body in found]


CERTAIN = np.float32([0.9, 0.6, 0.55, 0.2, 0.45, 0.05])
ROWS = np.stack([CERTAIN, 1 - CERTAIN], axis=1)
KEPT = decision.Decision(2.0, 0.6, 'ill', 0.3, 'val', 100, 3)


def test_all_is_said_of_each_photo(tmp_path, photos, capsys):
  decision.write(tmp_path, KEPT)
  photo_pages.show_predictions(photos, ROWS, shown(tmp_path, ('well', 'ill')))
  out = capsys.readouterr().out
  assert 'temperature 2, "none of these" below 60.0 %' in out
  assert 'flagged as ill from 30.0 % on' in out
  assert 'none of these (well)' in out
  rows = read(tmp_path / 'out' / 'predictions.csv')
  assert len(rows) == 12
  first = [row for row in rows if row['rank'] == '1']
  scaled = calibration.scaled(ROWS, 2.0)
  assert [row['class'] for row in first] == ['well'] * 3 + ['ill'] * 3
  for row, (well, ill) in zip(first, scaled, strict=True):
    assert float(row['probability']) == pytest.approx(max(well, ill), abs=1e-6)
    assert float(row['probability of well']) == pytest.approx(well, abs=1e-6)
    assert float(row['probability of ill']) == pytest.approx(ill, abs=1e-6)
    assert row['answer'] == (row['class'] if max(well, ill) >= 0.6 else 'none of these')
    assert row['flagged'] == ('ill' if ill >= 0.3 else '')
  assert {row['answer'] for row in rows if row['rank'] == '2'} == {''}
  assert sections(tmp_path / 'out' / 'predictions.html') == [
    ('well (1)', 1),
    ('ill (2)', 2),
    ('none of these (3)', 3),
  ]


def test_without_a_decision_the_network_has_the_word(tmp_path, photos, capsys):
  photo_pages.show_predictions(photos, ROWS, shown(tmp_path, ('well', 'ill')))
  rows = read(tmp_path / 'out' / 'predictions.csv')
  assert 'none of these' not in capsys.readouterr().out
  assert 'flagged' not in rows[0]
  assert rows[0]['probability'] == '0.900000'


def test_many_classes_have_a_file_of_their_own(tmp_path, photos):
  names = [f'c{n}' for n in range(51)]
  rows = np.full((6, 51), 0.01, np.float32)
  rows[np.arange(6), np.arange(6)] = 0.5
  photo_pages.show_predictions(photos, rows, shown(tmp_path, names))
  assert 'probability of c3' not in read(tmp_path / 'out' / 'predictions.csv')[0]
  table = read(tmp_path / 'out' / 'predictions_all.csv')
  assert len(table) == 6
  assert table[3]['answer'] == 'c3'
  assert table[3]['probability of c3'] == '0.500000'


def test_of_many_photos_both_ends_of_each_class_are_shown(
  tmp_path, photos, monkeypatch
):
  monkeypatch.setattr(contact_sheet, 'MOST', 4)
  path = contact_sheet.write(
    tmp_path / 'sheet.html',
    photos,
    ['well'] * 3 + ['ill'] * 3,
    ROWS,
    ('well', 'ill'),
    title='a run',
  )
  (_, none), *classes = sections(path)
  assert none == 0
  assert classes == [('well (3)', 2), ('ill (3)', 2)]
  text = path.read_text(encoding='utf-8')
  assert '4 of 6 photos are shown' in text
  captions = re.findall(r'<figcaption>(.*?)</figcaption>', text)
  assert captions == [
    '90.0 %, 0.jpg',
    '55.0 %, 2.jpg',
    '95.0 %, 5.jpg',
    '55.0 %, 4.jpg',
  ]


def test_a_small_copy_of_a_photo_is_that_photo(tmp_path):
  """Turned as its EXIF says, and not smaller than was asked."""
  noise = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
  image = Image.fromarray(noise).resize((800, 600), Image.Resampling.BICUBIC)
  exif = Image.Exif()
  exif[0x0112] = 6
  image.save(tmp_path / 'a.jpg', quality=95, exif=exif)
  small = photo_files.read_small(tmp_path / 'a.jpg', 100)
  whole = photo_files.read_photo(tmp_path / 'a.jpg')
  assert whole.shape == (800, 600, 3)
  assert small.shape == (200, 150, 3)
  same = np.asarray(Image.fromarray(whole).resize((150, 200), Image.Resampling.BOX))
  assert np.abs(small.astype(int) - same).mean() < 4


def test_heat_at_the_size_of_the_photo(tmp_path, monkeypatch):
  photo = np.full((120, 200, 3), 128, np.uint8)
  heat = np.zeros((4, 4), np.float32)
  heat[:, 3] = 1
  window = (10.0, 50.0, 100.0, 100.0)
  path = activation_map.write_own_size(tmp_path / 'a.jpg', photo, window, heat)
  pixels = photo_files.read_photo(path).astype(int)
  assert pixels.shape == photo.shape
  assert np.abs(pixels[:, :40] - 128).max() < 6  # outside of what was seen
  red = pixels[..., 0] - pixels[..., 2]
  assert red[60, 145] > 40
  assert red[60, 55] < 0
  monkeypatch.setattr(activation_map, 'LARGEST', 50)
  path = activation_map.write_own_size(tmp_path / 'b.jpg', photo, window, heat)
  assert photo_files.read_photo(path).shape == (30, 50, 3)
