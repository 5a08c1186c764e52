"""Layer tables: grouping, totals, CSV."""

import csv
import io
import types

import pytest
import rich.console

from mobilenet.reports import summary


def layer(name, kind, input_shape, output_shape, parameters, multiply_adds):
  return types.SimpleNamespace(
    name=name,
    kind=kind,
    input_shape=input_shape,
    output_shape=output_shape,
    parameters=parameters,
    multiply_adds=multiply_adds,
  )


LAYERS = [
  layer('backbone/stem/conv', 'conv 3x3', (224, 224, 3), (112, 112, 16), 432, 5419008),
  layer('backbone/stem/norm', 'norm', (112, 112, 16), (112, 112, 16), 32, 0),
  layer(
    'backbone/block_00/depthwise/conv',
    'depthwise 3x3',
    (112, 112, 16),
    (56, 56, 16),
    144,
    451584,
  ),
  layer(
    'backbone/block_00/project/conv', 'conv 1x1', (56, 56, 16), (56, 56, 8), 128, 401408
  ),
  layer('head/classifier', 'dense', (8,), (1000,), 9000, 8000),
]


def test_every_layer_is_a_row():
  rows = summary.group(LAYERS)
  assert [row.name for row in rows] == [layer.name for layer in LAYERS]
  assert rows[2] == (LAYERS[2].name, 'depthwise 3x3', *rows[2][2:4], 144, 451584)


def test_blocks_add_up():
  assert summary.group(LAYERS, 1) == [
    ('backbone/stem', '2 layers', (224, 224, 3), (112, 112, 16), 464, 5419008),
    ('backbone/block_00', '2 layers', (112, 112, 16), (56, 56, 8), 272, 852992),
    ('head/classifier', 'dense', (8,), (1000,), 9000, 8000),
  ]


def test_depth_two_goes_into_the_blocks():
  assert [row.name for row in summary.group(LAYERS, 2)][2:] == [
    'backbone/block_00/depthwise',
    'backbone/block_00/project',
    'head/classifier',
  ]


@pytest.mark.parametrize('depth', [None, 0, 1, 2, 9])
def test_totals_do_not_depend_on_the_depth(depth):
  rows = summary.group(LAYERS, depth)
  assert sum(row.parameters for row in rows) == 9736
  assert sum(row.multiply_adds for row in rows) == 6280000


def test_total_alone():
  assert summary.group(LAYERS, 0) == [
    ('total', '5 layers', (224, 224, 3), (1000,), 9736, 6280000)
  ]


def test_negative_depth_is_refused():
  with pytest.raises(ValueError, match='at least 0, not -1'):
    summary.group(LAYERS, -1)


def printed(**kwargs):
  file = io.StringIO()
  console = rich.console.Console(file=file, width=40)
  summary.print_summary(LAYERS, 'V3 [large]', console=console, **kwargs)
  return file.getvalue()


def test_table_in_a_log_is_whole_however_narrow():
  text = printed()
  assert 'V3 [large]' in text
  assert 'backbone/block_00/depthwise/conv' in text
  assert '224×224×3' in text
  (total,) = [line for line in text.splitlines() if line.strip().startswith('total')]
  assert '9,736' in total
  assert '6,280,000' in total
  assert '100.0 %' in total
  (stem,) = [line for line in text.splitlines() if 'stem/conv' in line]
  assert '86.3 %' in stem


def test_narrow_terminal_leaves_out_columns_but_cuts_no_number():
  file = io.StringIO()
  console = rich.console.Console(
    file=file, width=80, force_terminal=True, color_system=None
  )
  summary.print_summary(LAYERS, 'V3', depth=2, console=console)
  text = file.getvalue()
  assert max(len(line) for line in text.splitlines()) <= 80
  assert 'share' not in text
  (row,) = [line for line in text.splitlines() if 'block_00/project' in line]
  assert row.split() == [
    'backbone/block_00/project',
    *row.split()[1:-2],
    '128',
    '401,408',
  ]


def test_total_stands_once():
  assert printed(depth=0).count('total') == 1
  assert printed(depth=1).count('total') == 1


def test_csv(tmp_path):
  path = summary.write_summary(tmp_path / 'report' / 'summary.csv', LAYERS, depth=1)
  with open(path, newline='') as file:
    rows = list(csv.DictReader(file))
  assert rows[1] == {
    'name': 'backbone/block_00',
    'kind': '2 layers',
    'input_shape': '112x112x16',
    'output_shape': '56x56x8',
    'parameters': '272',
    'multiply_adds': '852992',
  }
  assert len(rows) == 3
