"""Medians, ratios, tables, files and figures from made numbers."""

import csv

import pytest

from mobilenet.bench import drawing, grow, page
from mobilenet.bench.comparison import Spread, compare, remarks, spread
from mobilenet.bench.contenders import Model
from mobilenet.reports import csv_file

ENVIRONMENT = {'command': 'python main.py --job=bench', 'machine': 'a CPU, 2 cores'}


def test_a_spread_is_median_quartiles_and_extremes():
  assert spread([4.0, 1.0, 3.0, 2.0, 5.0]) == Spread(3, 2, 4, 1, 5)
  assert spread([7.0]) == Spread(7, 7, 7, 7, 7)
  assert spread([]) is None


def test_the_ratio_is_ours_over_theirs_round_by_round(measured):
  # The third round was slow for both: the pairs say what the medians hide.
  ours = measured(values=(10.0, 11.0, 40.0))
  peer = measured('timm', values=(20.0, 21.0, 80.0))
  first, second = compare([ours, peer])
  assert first.ratio is None
  assert second.ratio.median == pytest.approx(0.5)
  assert second.ratio.least == pytest.approx(0.5)
  assert second.ratio.most == pytest.approx(11 / 21)
  assert first.images_per_second == pytest.approx(16 / 0.011)


def test_a_ratio_is_of_the_same_model_mode_and_kind_of_device(measured):
  cpu = {**measured().prepared, 'platform': 'cpu'}
  gpu = {**cpu, 'platform': 'gpu'}
  lines = compare(
    [
      measured(prepared=gpu),
      measured('timm', prepared=cpu),
      measured('stock', model='mobilenet_v1', prepared=gpu),
      measured('keras_jax', mode='infer', prepared=gpu),
    ]
  )
  assert [line.ratio for line in lines] == [None] * 4
  assert remarks(lines, []) == ['timm, eager (mobilenet_v2): ran on the cpu: no ratio']


def test_the_ratio_is_to_whom_is_asked_for(measured):
  fewer = measured().prepared | {'parameters': 900}
  ours, tflite, keras = compare(
    [
      measured(mode='processor', values=(30.0, 33.0)),
      measured('tflite', mode='processor', values=(10.0, 11.0)),
      measured('keras_tflite', mode='processor', values=(20.0, 44.0), prepared=fewer),
    ],
    'tflite',
  )
  assert tflite.ratio is None
  assert ours.ratio.median == pytest.approx(1 / 3)
  assert (keras.ratio.least, keras.ratio.most) == (0.25, 0.5)
  assert remarks([keras], []) == [
    'Keras in TFLite (mobilenet_v2): another network: 900 parameters, ours in TFLite '
    'has 1,000'
  ]
  heading = 'ours in TFLite / this (below 1: ours in TFLite needs less)'
  assert [title for title, _ in page.columns(keras)][5:] == [
    heading, 'quartiles', 'this / ours in TFLite'
  ]  # fmt: skip
  # Of processors' time nobody can tell how many images leave in a second.
  assert page.cells(keras)[4:6] == ['', '0.38']
  record = page.record(keras, ENVIRONMENT)
  assert record['tflite_over_this'] == 0.375
  assert record['this_over_tflite'] == pytest.approx(8 / 3)
  assert '## Processor time of one image' in page.markdown([keras], [], ENVIRONMENT)


def test_another_network_is_told(measured):
  prepared = measured().prepared
  lines = compare(
    [
      measured(),
      measured('timm', prepared=prepared | {'parameters': 1100}),
      measured('stock', prepared=prepared | {'parameters': 1001}),
    ]
  )
  assert remarks(lines, []) == [
    'timm, eager (mobilenet_v2): another network: 1,100 parameters, ours has 1,000'
  ]


def test_each_thing_is_told_once(measured):
  missing = {'values': (), 'error': 'torch is not installed: pip', 'missing': True}
  noted = measured().prepared | {'notes': ['averages weights only']}
  lines = compare(
    [
      measured(),
      measured('timm', **missing),
      measured('timm', mode='infer', **missing),
      measured('stock', values=(), error='RuntimeError: no'),
      measured('keras_jax', prepared=noted),
      measured('keras_jax', prepared=noted, model='mobilenet_v1'),
    ]
  )
  assert remarks(lines, ['TFLite has no bfloat16 here'] * 2) == [
    'timm, eager: torch is not installed: pip',
    'stock flax.linen (mobilenet_v2, train): failed: RuntimeError: no',
    'Keras on JAX: averages weights only',
    'TFLite has no bfloat16 here',
  ]


def test_the_page_has_a_table_a_mode(measured):
  lines = compare(
    [
      measured(values=(5.0,)),
      measured('timm', values=(10.0,)),
      measured('stock', values=(), error='RuntimeError: no'),
      measured(mode='memory', unit='MiB', values=(2000.0,)),
    ]
  )
  text = page.markdown(lines, ['a remark'], ENVIRONMENT, grown=['grow-x.png'])
  assert '    python main.py --job=bench' in text
  assert '- machine: a CPU, 2 cores' in text
  assert '## Training step' in text
  assert '| mobilenet_v2 | ours | 5.00 | 5.00–5.00 | 3,200 |  |  |  |' in text
  row = '| mobilenet_v2 | timm, eager | 10.0 | 10.0–10.0 | 1,600 | 0.50 | 0.50–0.50 |'
  assert f'{row} 2.00 |' in text
  assert '| mobilenet_v2 | stock flax.linen | failed |' in text
  assert 'ours / this (below 1: ours is faster)' in text
  assert '## Peak memory of training' in text
  assert '| mobilenet_v2 | ours | 2,000 |' in text
  assert '- a remark' in text
  assert '(grow-x.png)' in text
  width = [line.count('|') for line in text.splitlines() if line.startswith('|')]
  assert set(width) == {9}


def test_the_tables_are_printed(measured, capsys):
  page.show(compare([measured(), measured('timm', values=(22.0, 24.0, 22.0))]))
  out = capsys.readouterr().out
  assert 'Training step' in out
  assert 'this / ours' in out
  assert '2.00' in out


def test_the_csv_has_every_number_and_where_it_was_made(measured, tmp_path):
  memory = {'running_mib': 300.0, 'whole_mib': 500.0, 'device_mib': None}
  lines = compare(
    [
      measured(memory=memory),
      measured('timm', values=(22.0, 24.0, 22.0)),
      measured('stock', values=(), error='RuntimeError: no'),
    ]
  )
  path = csv_file.write_records(
    tmp_path / 'bench.csv', [page.record(line, ENVIRONMENT) for line in lines]
  )
  ours, timm, stock = csv.DictReader(path.read_text().splitlines())
  assert ours['median'] == '11.0'
  assert ours['ours_over_this'] == ''
  assert ours['running_mib'] == '300.0'
  assert float(timm['ours_over_this']) * float(timm['this_over_ours']) == 1.0
  assert timm['versions'] == 'timm 1.0'
  assert timm['machine'] == 'a CPU, 2 cores'
  assert stock['median'] == ''
  assert stock['error'] == 'RuntimeError: no'
  values = [record['value'] for record in page.rounds(lines)]
  assert values == [10.0, 12.0, 11.0, 22.0, 24.0, 22.0]


def test_the_figure_has_a_bar_a_number(measured):
  lines = compare(
    [
      measured(),
      measured('timm', values=(22.0, 24.0, 22.0)),
      measured('stock', values=(), error='no'),
      measured(model='mobilenet_v1', values=(30.0,)),
      measured(mode='infer'),
    ]
  )
  train, infer = drawing.contenders(lines, 'where').axes
  assert [bar.get_width() for bar in train.patches] == [11.0, 22.0, 30.0]
  labels = [label.get_text() for label in train.get_yticklabels()]
  assert labels == ['mobilenet_v2   ours', 'timm, eager', 'mobilenet_v1   ours']
  assert train.get_xscale() == 'log'
  assert len(infer.patches) == 1


def test_growth_is_drawn_beside_its_multiply_adds():
  axes = {
    'batch': [(n, 100 * n, Spread(5 + n, n, n + 6, n, n)) for n in (1, 4, 16)],
    'width': [(w, int(100 * w), Spread(w, w, w, w, w)) for w in (0.5, 1.0)],
  }
  figure = drawing.grown(axes, {'batch': 16, 'width': 1.0}, 'what')
  batch, width = figure.axes
  time, line = batch.lines
  assert list(time.get_ydata()) == [6, 9, 21]
  # They meet at the value that the other panels are made with.
  assert line.get_ydata()[-1] == pytest.approx(21)
  assert line.get_ydata()[0] == pytest.approx(21 / 16)
  assert width.get_xlabel() == 'width'


def test_widths_are_those_that_exist():
  assert grow.values_of('width', Model('mobilenet_v2')) == (0.35, 0.5, 0.75, 1.0, 1.4)
  assert grow.values_of('width', Model('shufflenet_v2')) == (0.5, 1.0, 1.5, 2.0)
  assert max(grow.values_of('batch', Model('mobilenet_v2'))) == 64
