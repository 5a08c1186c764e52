"""Scores as files and as a table."""

import csv
import json

from mobilenet.yardsticks import scores

SCORE = scores.Score(
  set='imagenet_a',
  data='imagenet_a/0.1.0',
  run='/runs/v2',
  model='mobilenet_v2 x1',
  img_size=224,
  top1=2.5,
  top5=100 / 3,
  num_examples=7490,
  unreadable=10,
  unlabelled=0,
  answers=200,
  examples_trained_on=None,
  param_count=3_504_872,
  crop_pct=0.875,
  interpolation='bilinear',
  ops='resize(224)',
)
REAL = {'set': 'imagenet_real', 'answers': 1000, 'unlabelled': 3163}


def other(**fields):
  return scores.dataclasses.replace(SCORE, **fields)


def test_the_csv_has_the_columns_of_timm(tmp_path):
  none = other(set='imagenet_r', top1=None, top5=None, crop_pct=None, num_examples=0)
  scores.write(tmp_path, [SCORE, none], {'command': 'typed'})
  with open(tmp_path / scores.CSV_FILE, newline='') as file:
    rows = list(csv.reader(file))
  assert ','.join(rows[0][:10]) == (
    'set,model,img_size,top1,top1_err,top5,top5_err,param_count,crop_pct,interpolation'
  )
  assert rows[1][:10] == [
    'imagenet_a', 'mobilenet_v2 x1', '224', '2.500', '97.500', '33.333', '66.667',
    '3.50', '0.875', 'bilinear',
  ]  # fmt: skip
  assert rows[2][3:9] == ['', '', '', '', '3.50', '']
  said = json.loads((tmp_path / scores.JSON_FILE).read_text())
  assert said['command'] == 'typed'
  assert said['scores'][0]['top5'] == 100 / 3
  assert said['sets']['imagenet_a']['restricted'] is True
  assert list(said['sets']) == ['imagenet_a', 'imagenet_r']


def test_the_table_has_a_row_for_each_network(capsys):
  small = {'run': '/runs/small', 'model': 'mobilenet_v3_small x1'}
  scores.show([SCORE, other(**REAL, top1=80.0), other(**small, top1=1.25)])
  lines = capsys.readouterr().out.splitlines()
  heads, *rows = (line.split() for line in lines if 'px' in line or 'x1' in line)
  assert heads[3:] == [
    'imagenet_a',
    'top-1',
    'top-5',
    'imagenet_real',
    'top-1',
    'top-5',
  ]
  numbers = [[cell for cell in row if cell[0].isdigit() or cell == '–'] for row in rows]
  assert numbers == [
    ['224', '2.50', '33.33', '80.00', '33.33'],
    ['224', '1.25', '33.33', '–', '–'],
  ]
  assert lines[-2:] == [
    'imagenet_a: 7,490 photos of imagenet_a/0.1.0, answers chosen among 200 classes',
    'imagenet_real: 7,490 photos of imagenet_a/0.1.0, answers chosen among 1,000 '
    'classes, right if the answer is one of those of the photo, 3,163 without any left '
    'out',
  ]
