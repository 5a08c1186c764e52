"""The papers' tables: what is published, counted, and called ours."""

import csv
import dataclasses
import itertools
import json
import pathlib

import pytest

from mobilenet.models import counting, named, zoo
from mobilenet.tables import architecture, drawing, our_runs, results, sheet, writing
from mobilenet.tables.catalogue import TABLES
from mobilenet.tables.quality import CITYSCAPES, COCO, DOGS, IMAGENET, QUALITIES
from mobilenet.tables.rows import Architecture, Row, Table, compare, millions
from mobilenet.training.errors import TrainingError

RESULTS = {n: t for n, t in TABLES.items() if isinstance(t, Table)}
ARCHITECTURES = {n: t for n, t in TABLES.items() if isinstance(t, Architecture)}
COMMITTED = pathlib.Path(__file__).parents[2] / 'docs' / 'tables'
# Few networks, small ones: the whole set takes most of a minute.
COUNTED = ('v1/6', 'v1/9', 'v2/4')


@pytest.fixture(scope='module')
def written(tmp_path_factory):
  """Folder of some tables, as the command writes them."""
  out = tmp_path_factory.mktemp('tables')
  names = ('v1/9', 'v2/4', 'v3/2')
  return out, writing.write_tables(names, out, show=False)


def row_of(name, label):
  rows = tuple(row for row in TABLES[name].rows if row.label == label)
  (entry,) = results.fill(dataclasses.replace(TABLES[name], rows=rows), [])
  return entry


@pytest.mark.parametrize('name', RESULTS)
def test_rows_are_well_formed(name):
  table = TABLES[name]
  labels = [row.label for row in table.rows]
  assert len(set(labels)) == len(labels)
  for row in table.rows:
    if row.model is not None:
      results.sizes.of_row(row).make()
      (kind,) = [kind for kind, (known, _) in named.KINDS.items() if row.model in known]
      metrics = {'classification': 'top1', 'detection': 'mAP', 'segmentation': 'mIoU'}
      # Of V1's places and faces no run can be: the photos are not public.
      known = table.quality in QUALITIES
      assert known is (table.quality.examples > 0)
      assert not known or metrics[kind] == table.quality.metric
    assert float(row.quality) > (10 if table.quality is COCO else 30)
    assert len(row.other.split()) <= len(table.other)
    for printed in (row.parameters, row.multiply_adds):
      assert printed == '' or millions(printed) > 0
  for about in table.notes.values():
    assert about
    assert set(about) <= set(labels)
  assert set(table.axes) <= {'multiply-adds', 'parameters', *table.other}
  assert table.source


def test_all_tables_are_there():
  wanted = {f'v1/{n}' for n in range(4, 15)} | {f'v3/{n}' for n in range(1, 10)}
  wanted |= {'v2/2', 'v2/4', 'v2/6', 'v2/7', 'v3/search'}
  wanted |= {'v4/1', 'v4/4', 'v4/5', 'v4/6', 'v4/7', 'mnasnet/tpu', 'mnasnet/pytorch'}
  wanted |= {'slim/v1', 'slim/v2', 'slim/v3'}
  wanted |= {f'shufflenet_v1/{n}' for n in range(2, 7)}
  wanted |= {f'shufflenet_v2/{n}' for n in (5, 6, 8)}
  assert set(TABLES) == wanted
  assert set(ARCHITECTURES) == {'v2/2', 'v3/1', 'v3/2'}


@pytest.mark.parametrize(
  ('printed', 'counted', 'mark'),
  [
    ('4.2', 4_231_976, ''),
    ('0.5', 470_072, '≈'),  # rounds to it
    ('5.4', 5_483_032, '≈'),  # cut off after its last digit
    ('6.9', 6_108_776, '≠'),
    ('1700', 818_924_992, '≠'),
    ('0.1G', 69_250_000, '≈'),
    ('5.9G', 6_376_220_000, '≠'),
    ('', 1_000_000, ''),
    ('3.9', None, ''),
  ],
)
def test_marks(printed, counted, mark):
  assert compare(printed, counted) == mark


@pytest.mark.parametrize('name', COUNTED)
def test_a_contradiction_has_its_reason(name):
  table = TABLES[name]
  for entry in results.fill(table, []):
    if '≠' in (entry.parameters_mark, entry.multiply_adds_mark):
      assert table.notes_of(entry.row), entry.row.label


@pytest.mark.parametrize('name', RESULTS)
def test_the_committed_tables_are_these(name):
  """All marks and reasons; after a change `--job=table --workdir=docs/tables`."""
  table = TABLES[name]
  with open(COMMITTED / f'{sheet.file_stem(name)}.csv', newline='') as file:
    records = list(csv.DictReader(file))
  assert [record['label'] for record in records] == [row.label for row in table.rows]
  for row, record in zip(table.rows, records, strict=True):
    assert record[f'published_{table.quality.metric}'] == row.quality
    for what, printed in (
      ('parameters', row.parameters),
      ('multiply_adds', row.multiply_adds),
    ):
      counted = record[f'counted_{what}']
      assert bool(counted) == (row.model is not None)
      mark = compare(printed, int(counted) if counted else None)
      assert record[f'{what}_mark'] == mark
      if mark == '≠':
        assert table.notes_of(row), row.label
    for text in table.notes_of(row):
      assert text in record['note']


@pytest.mark.parametrize(
  ('model', 'width', 'resolutions'),
  [
    ('mobilenet_v2', 0.35, (160, 96)),
    ('squeezenet_1_0', 1.0, (227, 224)),
    ('mobilenet_v4_hybrid_medium', 1.0, (96, 64)),  # attention
  ],
)
def test_counts_at_two_resolutions_in_one_trace(model, width, resolutions):
  networks = [results.sizes.Sized(model, width, size) for size in resolutions]
  counted = results.sizes.count_all(networks)
  last = networks[-1]
  expected = counting.count(zoo.create(model, width=width), last.resolution)
  assert counted[last][:2] == expected


def test_cells_of_the_v1_paper():
  entry = row_of('v1/6', '0.25 MobileNet-224')
  assert (entry.row.parameters, entry.parameters) == ('0.5', 470_072)
  assert (entry.row.multiply_adds, entry.row.quality) == ('41', '50.6')
  assert round(entry.multiply_adds / 1e6, 2) == 41.03
  entry = row_of('v1/9', 'Squeezenet')
  assert (entry.parameters, entry.multiply_adds_mark) == (1_248_424, '≠')
  assert 'FLOPs' in TABLES['v1/9'].notes_of(entry.row)[0]


def test_cells_of_the_other_papers():
  entry = row_of('v2/4', 'MobileNetV2 (1.4)')
  assert (entry.parameters, entry.parameters_mark) == (6_108_776, '≠')
  assert '6.06 M' in TABLES['v2/4'].notes_of(entry.row)[0]
  entry = row_of('shufflenet_v2/8', 'ShuffleNet v2 1x')
  assert (entry.parameters, entry.row.quality) == (2_278_604, '69.4')
  assert row_of('v3/4', 'V3-Large 1.0').row.quality == '73.8'
  assert row_of('v4/6', 'MNv4-Conv-S').parameters == 3_774_024
  assert row_of('slim/v1', 'v1_0.25_192').multiply_adds_mark == '≠'
  entry = row_of('v3/3', 'MnasNet-A1')
  assert (entry.parameters, entry.multiply_adds) == (3_887_038, 311_579_072)
  assert (entry.parameters_mark, entry.multiply_adds_mark) == ('', '≠')
  assert row_of('mnasnet/pytorch', 'mnasnet1_3').parameters == 6_282_256


def test_cells_of_detectors_and_segmenters():
  entry = row_of('v3/6', 'V3-Small, reduced')  # without norms
  assert (entry.parameters, entry.multiply_adds) == (1_765_279, 162_303_424)
  assert (entry.row.parameters, entry.parameters_mark) == ('1.77', '')
  entry = row_of('v2/6', 'MNet V2 + SSDLite')
  assert (entry.parameters, entry.multiply_adds_mark) == (4_337_013, '≈')
  assert row_of('v1/13', 'SSD 300, MobileNet').parameters == 6_819_839
  one, other = (row_of('v3/7', f'{n} V3, LR-ASPP') for n in (7, 8))  # filters
  assert (one.parameters, other.parameters) == (1_632_894, 1_507_198)
  assert one.multiply_adds == 10_008_049_248
  entry = row_of('v3/8', 'V3-Small, OS 32')
  assert (entry.parameters, entry.multiply_adds) == (468_830, 1_887_546_688)
  assert all(row.model is None for row in TABLES['v4/7'].rows)


def test_v2_architecture_is_grouped_as_in_the_paper():
  lines = architecture.lines(TABLES['v2/2'])
  assert [line.cells for line in lines[:4]] == [
    ('-', '32', '1', '2'),
    ('1', '16', '1', '1'),
    ('6', '24', '2', '2'),
    ('6', '32', '3', '2'),
  ]
  assert [line.input for line in lines[-2:]] == ['7²×1280', '1²×1280']
  assert sum(line.parameters for line in lines) == 3_504_872


def test_v3_architecture_has_the_papers_columns():
  lines = architecture.lines(TABLES['v3/2'])
  first = lines[1]
  assert (first.input, first.operator) == ('112²×16', 'bneck, 3x3')
  assert first.cells == ('16', '16', '✓', 'RE', '2')
  assert lines[-2].cells == ('-', '1024', '-', 'HS', '1')
  assert sum(line.parameters for line in lines) == 2_542_856


def make_run(folder, top1=71.2, metric='top1', **changes):
  """A finished run's two files; `changes` are dotted fields of the config."""
  config = {
    'resolution': 224,
    'model': {'name': 'mobilenet_v1', 'width': 0.5},
    'data': {'name': 'imagenet2012', 'eval_split': 'validation'},
  }
  examples = changes.pop('num_examples', 50_000)
  for field, value in changes.items():
    *path, last = field.split('.')
    section = config
    for part in path:
      section = section[part]
    section[last] = value
  folder.mkdir(parents=True)
  (folder / 'config.json').write_text(json.dumps(config))
  outcome = {metric: top1, 'num_examples': examples}
  (folder / 'result.json').write_text(json.dumps(outcome))


ROW = Row('0.5', 'mobilenet_v1', 0.5, 224)


def test_the_best_matching_run_is_ours(tmp_path):
  runs_folder = tmp_path / 'runs'
  make_run(runs_folder / 'one', 62.0)
  make_run(runs_folder / 'sweep' / 'item', 63.5)
  runs, unread = our_runs.find(runs_folder)
  assert not unread
  best = our_runs.best(ROW, runs)
  assert (best.quality, best.path) == (63.5, 'runs/sweep/item')
  (entry,) = results.fill(Table('t', 's', (ROW,)), runs)
  page = results.make_sheet('t/1', Table('t', 's', (ROW,)), [entry])
  assert {'63.50', 'runs/sweep/item'} <= set(page.rows[0])
  assert page.records[0]['our_top1'] == 63.5


@pytest.mark.parametrize(
  'changes',
  [
    {'data.name': 'imagenette'},
    {'data.eval_split': 'train[:50000]'},
    {'model.width': 0.75},
    {'model.name': 'mobilenet_v1_shallow'},
    {'resolution': 192},
    {'num_examples': 49_999},
    {'top1': float('nan')},
  ],
  ids=lambda changes: next(iter(changes)),
)
def test_other_runs_are_not_ours(tmp_path, changes):
  make_run(tmp_path / 'runs' / 'one', **changes)
  runs, _ = our_runs.find(tmp_path / 'runs')
  assert our_runs.best(ROW, runs) is None


def test_a_run_of_another_activation_is_not_the_result_of_an_ablation(tmp_path):
  make_run(tmp_path / 'runs' / 'one', **{'model.name': 'mobilenet_v3_large'})
  make_run(
    tmp_path / 'runs' / 'two',
    **{'model.name': 'mobilenet_v3_large', 'model.width': 1.0},
  )
  runs, _ = our_runs.find(tmp_path / 'runs')
  found = [our_runs.best(row, runs) for row in TABLES['v3/5'].rows]
  assert [run is not None for run in found] == [True, False, False, False]


def test_without_a_head_the_trunk_is_counted():
  """V1's three million parameters; the rest of the 13 is PlaNet's last layer."""
  entry = row_of('v1/11', 'PlaNet MobileNet')
  assert (entry.parameters, entry.multiply_adds) == (3_206_976, 567_716_352)
  assert row_of('v1/10', '1.0 MobileNet-224').parameters == 3_206_976 + 1025 * 120


def test_a_run_on_dogs_stands_in_its_table_alone(tmp_path):
  made = {
    'num_examples': 8_580, 'data.name': 'stanford_dogs', 'data.eval_split': 'test',
    'model.name': 'mobilenet_v1', 'model.width': 0.75, 'resolution': 192,
  }  # fmt: skip
  make_run(tmp_path / 'runs' / 'one', 80.0, **made)
  runs, unread = our_runs.find(tmp_path / 'runs')
  assert not unread
  found = [row.label for row in TABLES['v1/10'].rows if our_runs.best(row, runs, DOGS)]
  assert found == ['0.75 MobileNet-192']
  assert not any(our_runs.best(row, runs, IMAGENET) for row in TABLES['v1/6'].rows)


SIZED = 'pad((1025, 2049))|value_range(-1, 1)'
LARGE = 'lraspp_mobilenet_v3_large'
STREETS = {
  'metric': 'mIoU',
  'num_examples': 500,
  'task': 'segmentation',
  'resolution': 769,
  'model.width': 1.0,
  'model.name': LARGE,
  'data.name': 'cityscapes/semantic_segmentation',
  'data.eval_ops': SIZED,
}


@pytest.mark.parametrize(
  ('changes', 'label'),
  [
    ({}, '8 V3, LR-ASPP'),
    ({'model.filters': 256}, '7 V3, LR-ASPP'),
    ({'model.output_stride': 8}, None),
    ({'data.eval_ops': 'resize(512)|value_range(-1, 1)'}, None),
    ({'data.eval_ops': 'pad({resolution})|value_range(-1, 1)'}, None),
    ({'num_examples': 499}, None),
    ({'data.name': 'voc/2012'}, None),
  ],
  ids=str,
)
def test_a_run_of_a_segmenter_has_the_size_of_its_evaluation(tmp_path, changes, label):
  make_run(tmp_path / 'runs' / 'one', 72.0, **(STREETS | changes))
  runs, unread = our_runs.find(tmp_path / 'runs')
  assert not unread
  found = [
    row.label
    for row in TABLES['v3/7'].rows
    if our_runs.best(row, runs, CITYSCAPES) is not None
  ]
  assert found == ([] if label is None else [label])


def test_a_run_of_a_detector_stands_in_its_table(tmp_path):
  made = {
    'metric': 'mAP', 'num_examples': 5_000, 'task': 'detection', 'resolution': 320,
    'data.name': 'coco/2017:1.1.0', 'model.name': 'ssdlite_mobilenet_v3_small',
    'model.width': 1.0,
  }  # fmt: skip
  make_run(tmp_path / 'runs' / 'one', 15.5, **made)
  runs, _ = our_runs.find(tmp_path / 'runs')
  (row,) = [row for row in TABLES['v3/6'].rows if row.label == 'V3-Small']
  assert our_runs.best(row, runs, IMAGENET) is None
  table = dataclasses.replace(TABLES['v3/6'], rows=(row,))
  page = results.make_sheet('v3/6', table, results.fill(table, runs))
  assert [heading for heading, _ in page.columns][5:7] == [
    'mAP (%)\npublished (test)', 'mAP (%)\nours (val2017)'
  ]  # fmt: skip
  assert page.rows[0][5:7] == ('16.0', '15.50')
  assert page.records[0]['our_mAP'] == 15.5
  assert page.records[0]['options'] == 'num_classes=90'


def test_all_panels_show_what_has_a_place_in_one():
  table = TABLES['v3/8']
  quoted = [results.Filled(row) for row in table.rows]
  panels = drawing.accuracy('v3/8', table, quoted).axes
  for panel in panels:
    low, high = panel.get_ylim()
    assert low < 60.3 < 72.6 < high
  assert len(panels) == 2


def test_a_broken_result_is_told(tmp_path):
  make_run(tmp_path / 'runs' / 'one')
  (tmp_path / 'runs' / 'one' / 'result.json').write_text('{')
  runs, unread = our_runs.find(tmp_path / 'runs')
  assert runs == []
  assert 'result.json' in unread[0]


def test_a_missing_folder_of_runs_is_an_error(tmp_path):
  with pytest.raises(TrainingError, match='--runs='):
    our_runs.find(tmp_path / 'none')


def test_files_are_written(written):
  out, paths = written
  stems = ('v1-9', 'v2-4', 'v3-2')
  names = {f'{s}.{end}' for s, end in itertools.product(stems, ('md', 'csv', 'png'))}
  assert {path.name for path in paths} == names | {'README.md'}
  for stem in stems:
    assert (out / f'{stem}.png').read_bytes().startswith(b'\x89PNG')
    assert f'({stem}.md)' in (out / 'README.md').read_text()


def test_csv_and_markdown_say_the_same(written):
  out, _ = written
  with open(out / 'v2-4.csv', newline='') as file:
    records = list(csv.DictReader(file))
  lines = (out / 'v2-4.md').read_text().splitlines()
  body = [line for line in lines if line.startswith('| ')][1:]
  cells = [[cell.strip() for cell in line.strip('|').split('|')] for line in body]
  assert len(cells) == len(records) == len(TABLES['v2/4'].rows)
  for row, record in zip(cells, records, strict=True):
    assert row[0] == record['label']
    assert row[5] == record['published_top1']
    counted = record['counted_parameters']
    assert row[2] == (f'{int(counted) / 1e6:.3f}' if counted else '')
  assert records[3]['counted_parameters'] == ''  # NASNet is not one of ours
  assert records[5]['note'].startswith('6.9 M is not')
  assert '≠' in cells[5][1]


def test_nothing_is_ours_without_a_run(written):
  out, _ = written
  for stem in ('v1-9', 'v2-4'):
    with open(out / f'{stem}.csv', newline='') as file:
      for record in csv.DictReader(file):
        assert record['our_top1'] == record['run'] == ''
        assert 'measured_ms' not in record


def test_measured_latency_names_the_device(monkeypatch):
  monkeypatch.setattr(results.sizes, 'latency', lambda network: 1.25)
  table = Table('t', 's', (ROW, Row('another', None)))
  page = results.make_sheet('t/1', table, results.fill(table, [], measure=True))
  column = [heading for heading, _ in page.columns].index(
    f'latency (ms)\n{results.sizes.device()}'
  )
  assert [row[column] for row in page.rows] == ['1.25', '']
  assert page.records[0]['measured_ms'] == 1.25


def test_latency_is_measured():
  assert 0 < results.sizes.latency(results.sizes.Sized('mobilenet_v1', 0.25, 32)) < 1000


def test_the_terminal_shows_marks_and_notes(capsys):
  table = TABLES['v1/9']
  sheet.show(results.make_sheet('v1/9', table, results.fill(table, [])))
  shown = capsys.readouterr().out
  assert '1700 ≠' in shown
  assert '1. 1,700 M are FLOPs' in shown


def test_an_unknown_table_is_told_with_the_nearest(tmp_path):
  with pytest.raises(TrainingError, match=r"'v1/66' is unknown; did you mean v1/6"):
    writing.write_tables(['v1/6', 'v1/66'], tmp_path)
  assert not list(tmp_path.iterdir())


def test_names_are_chosen():
  assert writing.chosen('all') == list(TABLES)
  assert writing.chosen('v1/6, v2/4,v1/6') == ['v1/6', 'v2/4']
