"""The command that says how well rows tell networks."""

import csv
from unittest import mock

import pytest

from mobilenet.models import table, zoo
from mobilenet.search import costs, wiring
from mobilenet.search.costs import check, parts
from mobilenet.search.costs.latency_table import Key
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


def _whole(record):
  network = table.from_text(record['row'])
  keys = map(Key.of, parts.of(network, 32, 5))
  return 2 * sum(key.channels_in + key.channels_out for key in keys) + 7


@pytest.mark.parametrize(
  ('arguments', 'said'),
  [
    (['--kind=bytes'], 'what is checked are milliseconds'),
    (['--network=smal'], 'did you mean small'),
    (['--network=resnet50'], 'a search cannot change Bottleneck rows'),
    (['--kind=csv', '--table=nowhere.csv'], 'nowhere.csv does not exist'),
    (['--kind=csv'], 'needs table='),
    (['--networks=3'], '--networks=3: a line needs 4 or more'),
  ],
)
def test_mistakes_are_one_line(tmp_path, capsys, arguments, said):
  assert check.main([*SMALL, f'--folder={tmp_path}', *arguments]) == 1
  error = capsys.readouterr().err
  assert said in error
  assert error.startswith('error: ')
  assert error.count('\n') == 1
