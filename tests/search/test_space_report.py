"""The page of a search in a space, of made results whose order is known."""

import pytest

from mobilenet.reports import csv_file
from mobilenet.search import search_folder
from mobilenet.search.strategies import space_report
from mobilenet.search.strategies.finalists import FAMILY, FOUND, RANDOM, Finalist

SIZES = range(1, 9)
KNOW_NOTHING = 'The shared weights know no more than the size does.'


def finalist(group, size, shared):
  name = f'{group}_{size:02d}'
  numbers = {'predicted': size * 1e6, 'measured': size * 1e6, 'multiply_adds': size}
  return Finalist(name, group, '', parameters=size, shared=shared, **numbers)


def made(size, top1):
  return {'metric': 'top1', 'top1': top1, 'loss': 1 - top1 / 100, 'size': size}


def write(folder, order, results):
  """(lines, page); `order(size)` is what the shared weights say of such a network."""
  chosen = [
    finalist(group, size, {'top1': order(size), 'loss': 1 - order(size) / 100})
    for group in (FOUND, RANDOM)
    for size in SIZES
  ]
  chosen.append(finalist(FAMILY, 4, {}))
  lines = space_report.write(
    folder,
    chosen,
    {each.name: results(each) for each in chosen},
    seeds=2,
    unit='multiply-adds',
    command=('python', 'main.py', '--job=search'),
  )
  return '\n'.join(lines), (folder / space_report.MARKDOWN_FILE).read_text()


def by_quality(network):
  """Networks of odd sizes are worse than their size says; found ones better."""
  size = network.multiply_adds
  top1 = 50 + 2 * size - 5 * (size % 2) + 4 * (network.group == FOUND)
  return [made(size, top1), made(size, top1 + 1)]


def test_weights_that_order_as_training_alone_does(tmp_path):
  lines, page = write(tmp_path, lambda size: 50 + 2 * size - 5 * (size % 2), by_quality)
  assert KNOW_NOTHING not in lines
  assert '16 networks of' in lines
  assert 'one seed against another, which nothing can beat: 1.00' in lines
  assert 'The random ones alone. By ' in lines
  assert '8 networks of' in lines
  # At the family's cost: the most expensive ones within it, of even size 4.
  assert 'found_04, ' in lines
  assert '62.50 ± 0.71, +4.00' in lines
  assert '+0.00' in lines  # the random one, of the family's own quality
  assert '34 of 34 runs are done.' in page
  assert (tmp_path / space_report.PARETO_FILE).stat().st_size > 10_000
  assert (tmp_path / space_report.RANK_FILE).stat().st_size > 10_000


def test_weights_that_know_only_the_size(tmp_path):
  lines, page = write(tmp_path, lambda size: 50 + 2 * size, by_quality)
  assert KNOW_NOTHING in lines
  assert KNOW_NOTHING in page


def test_runs_that_have_not_ended(tmp_path):
  """A network without its second seed is in the table, not among the ranked."""

  def some(network):
    return by_quality(network)[: network.multiply_adds % 3]

  lines, page = write(tmp_path, lambda size: 50 + size, some)
  ended = sum(size % 3 for size in SIZES) * 2 + 1
  assert f'{ended} of 34 runs are done.' in page
  ranked = 2 * sum(size % 3 == 2 for size in SIZES)
  assert f'{ranked} networks of' in lines
  rows = csv_file.read_records(tmp_path / space_report.CSV_FILE)
  assert len(rows) == 17
  one = next(row for row in rows if row['network'] == 'found_01')
  assert (one['alone_top1_0'], one['alone_top1_1']) == ('51', '')


def test_nothing_has_ended(tmp_path):
  lines, page = write(tmp_path, lambda size: 50, lambda network: [])
  assert 'No rank report: 0 networks' in lines
  assert '0 of 34 runs are done.' in page
  assert not (tmp_path / space_report.RANK_FILE).exists()


@pytest.mark.parametrize(
  ('better', 'says'),
  [
    ('evolution_00', '100.0% is dominated by the first and 0.0% by the second'),
    ('random', '0.0% is dominated by the first and 100.0% by the second'),
  ],
)
def test_evolution_beside_chance(tmp_path, better, says):
  """Of the area between the least and the largest cost and loss."""
  worse = {'evolution_00': 'random', 'random': 'evolution_00'}[better]
  points = {better: [(1.0, 1.0)], worse: [(2.0, 2.0)]}
  archive = [
    {'generation': name, 'predicted_multiply_adds': cost, 'loss': loss}
    for name, some in points.items()
    for cost, loss in some
  ]
  search_folder.write_archive(tmp_path, archive)
  _, page = write(tmp_path, lambda size: 50, lambda network: [])
  assert says in page
