"""The table and the figure of a sweep, from rows made by hand."""

import json

import pytest
from PIL import Image

from mobilenet.reports import canvas, csv_file
from mobilenet.sweeps import figure as sweep_figure
from mobilenet.sweeps import items as sweep_items
from mobilenet.sweeps import table as sweep_table


def row(top1, seed=0, adds=1e6, status='done', **fields):
  return {
    'index': 0,
    'item': 'x',
    'status': status,
    **fields,
    'top1': top1,
    'raw_top1': top1,
    'multiply_adds': adds,
    'seed': seed,
  }


def test_runs_that_differ_by_seed_are_one_number_with_its_spread():
  rows = [row(90.0, 0, w=1.0), row(92.0, 1, w=1.0), row(80.0, 0, w=0.5)]
  rows.append(row(None, 1, status='failed', w=0.5))
  means = sweep_table.over_seeds(rows, ['w', 'seed'])
  assert [mean['w'] for mean in means] == [1.0, 0.5]
  assert (means[0]['n'], means[0]['top1_mean']) == (2, 91.0)
  assert means[0]['top1_std'] == pytest.approx(2**0.5)
  assert (means[1]['n'], means[1]['top1_mean'], means[1]['top1_std']) == (1, 80.0, None)
  assert sweep_table.over_seeds(rows, ['w']) == []


def test_a_grid_is_drawn_over_multiply_adds_a_line_for_each_width():
  rows = [
    row(50 * w + r / 10, adds=1e6 * w * r, width=w, r=r)
    for w in (1.0, 0.5)
    for r in (32, 64, 96)
  ]
  rows.append(row(None, adds=None, status='failed', width=0.25, r=32))
  axes = sweep_figure.draw(rows, ['width', 'r']).axes[0]
  assert axes.get_xscale() == 'log'
  assert 'multiply-adds' in axes.get_xlabel()
  labels = [text.get_text() for text in axes.get_legend().get_texts()]
  assert labels == ['1', '0.5']
  line = next(line for line in axes.lines if line.get_label() == '0.5')
  assert list(line.get_xdata()) == [16e6, 32e6, 48e6]
  assert axes.get_title(loc='right') == '6 of 7 runs done'


def test_one_number_is_drawn_over_its_values():
  field = 'schedule.learning_rate'
  rates = (0.01, 0.03, 0.1)
  rows = [row(90.0 + s, s, **{field: rate}) for rate in rates for s in (0, 2)]
  axes = sweep_figure.draw(rows, [field, 'seed']).axes[0]
  assert axes.get_xscale() == 'log'
  assert axes.get_xlabel() == 'learning rate'
  assert list(axes.containers[0].lines[0].get_ydata()) == [91.0] * 3


def test_names_and_seeds_are_dots():
  rows = [row(90.0 + s, s, name=name) for name in ('a', 'b') for s in (0, 2)]
  axes = sweep_figure.draw(rows, ['name', 'seed']).axes[0]
  assert [label.get_text() for label in axes.get_yticklabels()] == ['a', 'b']
  assert '91.00 % ± 1.41 (n = 2)' in [text.get_text() for text in axes.texts]
  axes = sweep_figure.draw([row(90.0, s) for s in (0, 1)], ['seed']).axes[0]
  assert axes.texts[0].get_text() == '90.00 % ± 0.00 (n = 2)'
  assert sweep_figure.draw([row(None, status='failed')], ['seed']) is None


def test_other_tasks_are_compared_by_their_own_metric():
  rows = [
    row(None, s, metric='recall_at_1', recall_at_1=70.0 + s, raw_recall_at_1=60.0, w=w)
    for w in (0.5, 1.0)
    for s in (0, 2)
  ]
  assert [
    n['recall_at_1_mean'] for n in sweep_table.over_seeds(rows, ['w', 'seed'])
  ] == [
    71.0,
    71.0,
  ]
  axes = sweep_figure.draw(rows, ['w', 'seed']).axes[0]
  assert axes.get_ylabel().startswith('recall at 1 (%), mean')
  assert list(axes.containers[0].lines[0].get_ydata()) == [71.0, 71.0]


def test_items_that_set_many_fields_are_told_apart_by_their_names():
  fields = ['a', 'b', 'c']
  rows = [row(90.0, item=n, a=n, b=1.0, c='long ' * 40) for n in ('one', 'two')]
  figure = sweep_figure.draw(rows, fields)
  assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == ['one', 'two']
  assert canvas.png(figure)  # no room for the values: matplotlib would warn


ROWS = 'Conv(3, 16, stride=2); ' * 20  # as a config keeps them


def networks_swept(folder, networks):
  """The items of a sweep that have ended; networks: (name, file, rows, width)."""
  items = []
  for n, (name, file, rows, width) in enumerate(networks):
    config = {'model': {'name': name, 'table': rows, 'width': width}, 'seed': 0}
    overrides = {'model.table': file} if file else {}
    overrides |= {'model.width': width, 'seed': 0}
    item = sweep_items.Item(f'item_{n}', overrides, config, folder / f'item_{n}', [])
    item.folder.mkdir()
    (item.folder / 'config.json').write_text(json.dumps(config))
    ended = {'metric': 'top1', 'top1': 40.0 + n, 'raw_top1': 40.0, 'loss': 1.0}
    ended |= {'parameters': 9, 'multiply_adds': 10**6 * (n + 1), 'train_seconds': 1.0}
    ended |= {'images_per_second': 5.0, 'steps': 3}
    (item.folder / 'result.json').write_text(json.dumps(ended))
    items.append(item)
  return items


@pytest.mark.parametrize('count', [2, 30])
def test_networks_of_files_are_told_by_their_names(tmp_path, count):
  networks = [
    (f'found_{n:02d}', f'networks/found_{n:02d}.json', f'{ROWS}#{n}', 1.0)
    for n in range(count)
  ]
  networks += [('v3_small', None, None, width) for width in (0.5, 1.0)]
  items = networks_swept(tmp_path, networks)
  rows = sweep_table.write_tables(items, tmp_path, title='alone', command=['a'])
  names = [name for name, *_ in networks]
  assert [row['model.table'] for row in rows] == names
  written = csv_file.read_records(tmp_path / sweep_table.CSV_FILE)
  assert [row['model.table'] for row in written] == names
  page = (tmp_path / sweep_table.MARKDOWN_FILE).read_text()
  assert '| item_0 | found_00 | 1.0 |' in page
  assert 'None' not in page
  assert 'Conv' not in page
  axes = sweep_figure.draw(rows, ['model.table', 'model.width']).axes[0]
  if count == 2:  # a line for each network
    legend = axes.get_legend()
    shown = [text.get_text() for text in legend.get_texts()]
    assert shown == ['found_00', 'found_01', 'v3_small']
    assert legend.get_title().get_text() == 'network'
  else:  # more than a legend has room for
    assert axes.get_legend() is None
    assert axes.get_yticklabels()[0].get_text() == 'found_00, 1.0'
  with Image.open(tmp_path / sweep_table.FIGURE_FILE) as picture:
    assert picture.width > 1000


def test_networks_that_share_a_name_stay_apart(tmp_path):
  networks = [
    ('mine', 'runs/a/searched.json', f'{ROWS}#1', 1.0),
    ('mine', 'runs/b/searched.json', f'{ROWS}#2', 1.0),
    ('v1', 'Conv(3, 16)', f'{ROWS}#3', 1.0),
    ('v1', None, None, 1.0),
  ]
  rows = sweep_table.collect(networks_swept(tmp_path, networks))
  assert [row['model.table'] for row in rows] == [
    'runs/a/searched.json',
    'runs/b/searched.json',
    'v1 (1)',
    'v1',
  ]


def test_texts_that_would_push_the_lines_out_are_dots(tmp_path):
  rows = [row(90.0 + n, item=f'i{n}', ops='crop|' * 60, w=n, adds=n) for n in (1, 2)]
  figure = sweep_figure.draw(rows, ['ops', 'w'])
  assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == ['i1', 'i2']
  assert canvas.png(figure)
