"""The command that says how well rows tell networks."""

import csv
import dataclasses
import types
from unittest import mock

import pytest

from mobilenet.models import table, zoo
from mobilenet.models.classifier import Classifier
from mobilenet.models.rows import Style
from mobilenet.reports import csv_file
from mobilenet.search import channels, costs, wiring
from mobilenet.search.costs import check, latency_table, parts
from mobilenet.search.costs.latency_table import Key
from mobilenet.search.strategies import proposals
from mobilenet.search.strategies import start as starts
from tests.search.conftest import NETWORKS

SMALL = ['--network=small', '--resolution=32', '--networks=6']


@pytest.fixture(autouse=True)
def small():
  with mock.patch.dict(zoo.NETWORKS, small=NETWORKS['universal']):
    yield


def test_random_widths_are_those_of_the_seed_and_spread():
  network = NETWORKS['inverted']
  found = check.random_widths(network, 12, seed=1)
  assert found == check.random_widths(network, 12, seed=1)
  assert found != check.random_widths(network, 12, seed=2)
  assert len(set(found)) > 9
  for each in found:
    wires = wiring.of(each)
    assert all(size % 8 == 0 for size in wires.sizes.values())
    assert [type(row) for row in each.rows] == [type(row) for row in network.rows]
  counts = costs.make('multiply_adds', 64).predict(found)
  assert max(counts) > 2 * min(counts)


def test_a_device_from_wanted_lines_to_errors(tmp_path, capsys):
  """A made phone: a row takes its channels in ms, a network twice its rows and 7."""
  path = tmp_path / 'phone.csv'
  assert check.main([*SMALL, f'--wanted={path}']) == 0
  with open(path, newline='') as file:
    records = list(csv.DictReader(file))
  assert f'{path} has {len(records)} lines to be measured' in capsys.readouterr().out
  for record in records:
    whole = '|' in record['row']
    size = int(record['channels_in']) + int(record['channels_out'])
    record['median_ms'] = _whole(record) if whole else size
  with open(path, 'w', newline='') as file:
    writer = csv.DictWriter(file, list(records[0]))
    writer.writeheader()
    writer.writerows(records)
  asked = [*SMALL, '--kind=csv', f'--table={path}', f'--folder={tmp_path}']
  assert check.main(asked) == 0
  said = capsys.readouterr().out
  assert '2.000 x sum of rows +7.000 ms, from 6 networks' in said
  assert '0.0 % off on one left out' in said
  assert 'Kendall tau 1.00' in said


def test_what_a_search_asks_for_first_is_wanted(tmp_path):
  """The start and the smallest network, whatever widths are drawn."""
  path = tmp_path / 'phone.csv'
  assert check.main([*SMALL, f'--wanted={path}']) == 0
  there = latency_table.records(path)
  network = NETWORKS['universal']
  whole = channels.resized(network, wiring.of(network).sizes)
  for asked in (whole, proposals.least(whole)):
    assert set(map(Key.of, parts.of(asked, 32, 5))) <= there.keys()


def test_a_run_says_what_its_network_is(tmp_path, monkeypatch):
  style = Style(padding='torch')
  network = dataclasses.replace(NETWORKS['separable'], style=style)
  run = types.SimpleNamespace(
    config=types.SimpleNamespace(resolution=24), model=Classifier(network, 3)
  )
  monkeypatch.setattr(starts, 'opened', lambda folder: run)
  path = tmp_path / 'phone.csv'
  asked = [f'--start={tmp_path}', '--networks=4', f'--wanted={path}']
  assert check.main(asked) == 0
  there = latency_table.records(path)
  assert set(map(Key.of, parts.of(network, 24, 3))) <= there.keys()
  assert {line['style'] for line in there.values()} == {
    "Network(divisor=1, padding='torch')"
  }


def test_what_a_search_lacked_is_added(tmp_path, capsys):
  """What was measured stays, and so do columns of a person's own."""
  path, lacking = tmp_path / 'phone.csv', tmp_path / 'wanted.csv'
  cost = costs.make('bytes', 32, 5)
  cost.write_wanted([NETWORKS['separable']], path)
  lines = list(latency_table.records(path).values())
  csv_file.write_records(path, [{**n, 'median_ms': '2', 'by': 'me'} for n in lines])
  cost.write_wanted([NETWORKS['separable'], NETWORKS['mnasnet']], lacking)
  more = len(latency_table.records(lacking)) - len(lines)
  assert more > 1
  assert check.main([f'--lacking={lacking}', f'--wanted={path}']) == 0
  assert f'{path} has {more} lines to be measured' in capsys.readouterr().out
  after = list(latency_table.records(path).values())
  assert [line['by'] for line in after] == ['me'] * len(lines) + [''] * more
  assert [line['median_ms'] for line in after] == ['2'] * len(lines) + [''] * more


def test_help_is_of_the_command_and_says_defaults(capsys):
  with pytest.raises(SystemExit):
    check.parse(['--help'])
  said = ' '.join(capsys.readouterr().out.split())
  assert said.startswith('usage: python -m mobilenet.search.costs.check ')
  for default in ('milliseconds', 'mobilenet_v3_small', '1.0', '160', '5', '20'):
    assert f'(default: {default})' in said


def _whole(record):
  network = table.from_text(record['row'])
  keys = map(Key.of, parts.of(network, 32, 5))
  return 2 * sum(key.channels_in + key.channels_out for key in keys) + 7


@pytest.mark.parametrize(
  ('arguments', 'said'),
  [
    (['--kind=bytes'], 'only costs that are measured can be checked'),
    (['--network=smal'], 'did you mean small'),
    (['--network=resnet50'], 'a search cannot change Bottleneck rows'),
    (
      ['--kind=csv', '--table=nowhere.csv'],
      'nowhere.csv does not exist: `python -m mobilenet.search.costs.check '
      '--network=small --width=1.0 --resolution=32 --num_classes=5 '
      '--wanted=nowhere.csv --files=phone` writes it',
    ),
    (['--files=phone'], '--wanted=phone.csv'),
    (['--start=nowhere'], '--network, --resolution would: give the run alone'),
    (['--kind=csv'], '--table=phone.csv'),
    (['--networks=3'], '--networks=3: a line needs 4 or more'),
  ],
)
def test_mistakes_are_one_line(tmp_path, capsys, arguments, said):
  assert check.main([*SMALL, f'--folder={tmp_path}', *arguments]) == 1
  error = capsys.readouterr().err
  assert said in error
  assert error.startswith('error: ')
  assert error.count('\n') == 1
