"""Tables that were measured on a device: what must be in them, and what is told."""

import csv
import dataclasses

import pytest

from mobilenet.models import table
from mobilenet.search import costs
from mobilenet.search.costs import check, parts, wanted
from mobilenet.search.costs.latency_table import KEY, Key
from mobilenet.search.strategies.gauge import Gauge
from mobilenet.training.errors import TrainingError
from tests.search.conftest import NETWORKS

SIDE, CLASSES = 32, 4
NETWORK = NETWORKS['universal']


def filled(path, ms=lambda number: 0.5 + number, wholes=()):
  """What a person makes of the lines that are wanted."""
  costs.make('bytes', SIDE, CLASSES).write_wanted([NETWORK], path, wholes)
  with open(path, newline='') as file:
    records = list(csv.DictReader(file))
  for number, record in enumerate(records):
    record['median_ms'] = ms(number)
  write(path, records)
  return records


def write(path, records):
  with open(path, 'w', newline='') as file:
    writer = csv.DictWriter(file, list(records[0]))
    writer.writeheader()
    writer.writerows(records)


def made(path, **given):
  return costs.make('csv', SIDE, CLASSES, table=path, **given)


def test_wanted_lines_are_filled_and_looked_up(tmp_path):
  path = tmp_path / 'phone.csv'
  records = filled(path, wholes=[NETWORK])
  assert tuple(records[0]) == (*KEY, 'median_ms', 'style', 'file')
  asked = parts.of(NETWORK, SIDE, CLASSES)
  assert len(records) == len(set(asked)) + 1
  cost = made(path)
  times = {
    Key.of(part): 0.5 + number for number, part in enumerate(dict.fromkeys(asked))
  }
  assert cost.predict([NETWORK]) == [sum(times[Key.of(part)] for part in asked)]
  assert cost.measure([NETWORK]) == [0.5 + len(times)]
  assert cost.write_wanted([NETWORK], tmp_path / 'more.csv') == 0
  assert not (tmp_path / 'more.csv').exists()


def test_what_is_lacking_is_named_counted_and_written(tmp_path):
  path = tmp_path / 'phone.csv'
  records = filled(path)
  records[1]['median_ms'] = ''  # not measured yet
  more = tmp_path / 'search' / 'wanted.csv'
  write(path, [records[1], *records[4:]])
  with pytest.raises(TrainingError) as found:
    made(path, folder=tmp_path / 'search').predict([NETWORK])
  said = str(found.value)
  assert said.startswith(
    f'{path} lacks {records[0]["row"]} at 32 x 32 x 3 to 16 and 2 more (and has no '
    f'median_ms yet of {Key.of(parts.of(NETWORK, SIDE, CLASSES)[1]).said()}): '
    '`python -m mobilenet.search.costs.check '
    f'--lacking={more} --wanted={path} --files=phone` adds them and writes'
  )
  with open(more, newline='') as file:
    rows = [record['row'] for record in csv.DictReader(file)]
  assert rows == [record['row'] for record in (records[0], *records[2:4])]
  with pytest.raises(TrainingError, match=r'check --start=RUN --wanted=\S+ --files'):
    made(path).measure([NETWORK])


def test_whole_networks_in_the_table_give_the_line(tmp_path):
  """Three are too few; those of another resolution or of lacking rows do not count."""
  path, networks = tmp_path / 'phone.csv', check.random_widths(NETWORK, 5, seed=0)
  others = costs.make('bytes', 2 * SIDE, CLASSES)
  others.write_wanted(networks, path, networks)
  costs.make('bytes', SIDE, CLASSES).write_wanted(networks[1:], path, networks)
  with open(path, newline='') as file:
    records = list(csv.DictReader(file))
  counted = costs.make('multiply_adds', SIDE, CLASSES)
  for record in records:
    part = wanted.part_of(path, record)
    adds = counted.measure([part.network])[0] if '|' in record['row'] else 0
    record['median_ms'] = 3 * adds + 5 if adds else parts.count(part).multiply_adds
  write(path, records)
  found = made(path).correction
  assert (found.a, found.b, found.networks) == (pytest.approx(3), pytest.approx(5), 4)
  (more,) = made(path).predict(networks[1:2])
  assert more == pytest.approx(3 * counted.predict(networks[1:2])[0] + 5)
  here = [r for r in records if '|' in r['row'] and r['height'] == str(SIDE)]
  write(path, [r for r in records if r is not here[-1]])
  assert made(path).correction is None
  for record, ms in zip(here, (4, 3, 2, 1, 1), strict=True):
    record['median_ms'] = (
      ms / counted.measure([wanted.part_of(path, record).network])[0]
    )
  write(path, records)
  with pytest.raises(TrainingError, match='do not take longer where') as error:
    made(path)
  assert str(error.value).startswith(f'{path}: ')


def test_a_table_that_has_changed_stops_a_search_that_goes_on(tmp_path):
  path = tmp_path / 'phone.csv'
  records = filled(path)
  gauge = Gauge(made(path), here=False, start=NETWORK, like=table.from_text)
  gauge.begin(NETWORK, seed=0)
  began = gauge.start_cost
  gauge.resume(began, [])
  write(path, [{**records[0], 'median_ms': 2.5}, *records[1:]])
  with pytest.raises(TrainingError, match=r'the start costs .* began with: give'):
    Gauge(made(path), False, NETWORK, table.from_text).resume(began, [])


def test_what_is_not_filled_in_is_not_called_lacking(tmp_path):
  path = tmp_path / 'phone.csv'
  records = filled(path, ms=lambda number: '')
  with pytest.raises(TrainingError) as found:
    made(path, folder=tmp_path / 'search').predict([NETWORK])
  assert str(found.value).startswith(
    f'{path} has no median_ms yet of {records[0]["row"]} at 32 x 32 x 3 to 16 and '
    f'{len(records) - 1} more: measure'
  )
  assert not (tmp_path / 'search').exists()


@pytest.mark.parametrize(
  ('change', 'said'),
  [
    (
      lambda r: r.update(median_us=r.pop('median_ms')),
      'median_us: divide by 1,000 and',
    ),
    (lambda r: r.update(seconds=r.pop('median_ms')), 'seconds: multiply by 1,000 and'),
    (lambda r: r.pop('median_ms'), 'has no column median_ms; it has row, height'),
    (lambda r: r.pop('channels_in'), 'has no column channels_in'),
    (lambda r: r.update(median_ms='5,2'), "line 2: median_ms is '5,2'"),
    (lambda r: r.update(median_ms='-1'), "line 2: median_ms is '-1'"),
    (lambda r: r.update(median_ms='nan'), "line 2: median_ms is 'nan'"),
    (lambda r: r.update(height='tall'), 'line 2: height, width, channels_in'),
    (lambda r: r.update(height='-3'), 'must be whole numbers above zero'),
    (lambda r: r.update(row='Head()', height=1), 'line 3: Head() at 1 x'),
  ],
)
def test_what_is_wrong_with_a_table_is_one_line(tmp_path, change, said):
  path = tmp_path / 'phone.csv'
  records = filled(path)[:2]
  for record in records:
    record.update(width=1, channels_in=1, channels_out=1)
    change(record)
  write(path, records)
  with pytest.raises(TrainingError) as found:
    made(path)
  assert said in str(found.value)
  assert str(path) in str(found.value)
  assert '\n' not in str(found.value)


def test_no_table_says_how_to_get_one(tmp_path):
  said = r'does not exist: `python -m \S+ --start=runs/a --wanted=\S+ --files=phone`'
  with pytest.raises(TrainingError, match=said):
    made(tmp_path / 'phone.csv', networks=['--start=runs/a'])
  (tmp_path / 'phone.csv').write_text('row,height\n')
  with pytest.raises(TrainingError, match='has no lines'):
    made(tmp_path / 'phone.csv')


@pytest.mark.parametrize('kind', list(NETWORKS))
def test_a_line_says_all_that_its_program_needs(tmp_path, kind):
  style = dataclasses.replace(NETWORKS[kind].style, padding='torch')
  network = dataclasses.replace(NETWORKS[kind], style=style)
  asked = [*parts.of(network, SIDE, CLASSES), parts.whole(network, SIDE, CLASSES)]
  for key, line in wanted.records_of(asked).items():
    part = wanted.part_of(tmp_path / 'phone.csv', line)
    assert part in asked
    assert Key.of(part) == key


def test_a_row_that_is_none_is_one_line(tmp_path):
  line = {**wanted.records_of(parts.of(NETWORK, SIDE, CLASSES)).popitem()[1]}
  with pytest.raises(TrainingError, match=r'phone\.csv: the row .* does not exist'):
    wanted.part_of(tmp_path / 'phone.csv', {**line, 'row': 'Konv(3, 8)'})


def test_files_of_the_wanted_lines(tmp_path):
  pytest.importorskip('litert_converter', reason='requirements-export.txt')
  network = NETWORKS['separable']
  cost = costs.make('bytes', SIDE, CLASSES)
  count = cost.write_wanted([network], tmp_path / 'w.csv', files=tmp_path / 'phone')
  with open(tmp_path / 'w.csv', newline='') as file:
    names = [record['file'] for record in csv.DictReader(file)]
  assert len(names) == count == 5
  for name in names:
    assert (tmp_path / 'phone' / name).read_bytes()[4:8] == b'TFL3'
