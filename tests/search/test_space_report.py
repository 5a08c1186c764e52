"""The page of a search in a space, of made results whose order is known."""

import pytest

from mobilenet.reports import csv_file
from mobilenet.search import search_folder
from mobilenet.search.strategies import space_report, space_verdict
from mobilenet.search.strategies.finalists import FAMILY, FOUND, RANDOM, Finalist

SIZES = range(1, 9)
KNOW_NOTHING = 'The shared weights know no more than the size does.'


def finalist(group, size, shared, **changed):
  name = f'{group}_{size:02d}'
  width = size / 8 if group == FAMILY else None
  numbers = {'predicted': size * 1e6, 'measured': size * 1e6, 'multiply_adds': size}
  numbers |= {'parameters': size, 'width': width} | changed
  return Finalist(name, group, '', shared=shared, **numbers)


def made(size, top1):
  return {'metric': 'top1', 'top1': top1, 'loss': 1 - top1 / 100, 'size': size}


def write(folder, order, results, sizes=SIZES, **options):
  """(lines, page); `order(size)` is what the shared weights say of such a network."""
  chosen = [
    finalist(group, size, {'top1': order(size), 'loss': 1 - order(size) / 100})
    for group in (FOUND, RANDOM)
    for size in sizes
  ]
  chosen.append(finalist(FAMILY, 4, {}))
  lines = space_report.write(
    folder,
    chosen,
    {each.name: results(each) for each in chosen},
    **{
      'strategy': 'supernet',
      'seeds': 2,
      'unit': 'multiply-adds',
      'budget': None,
      'command': ('python', 'main.py', '--job=search'),
      **options,
    },
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
  assert (
    '- found_04, the most expensive found network that costs no more, reaches 62.50 ± '
    '0.71 % top-1 at 4 M multiply-adds: 4.00 points more than the base network at '
    'width 0.5, which reaches 58.50 ± 0.71 % at 4 M multiply-adds.'
  ) in lines
  # The random one, of the family's own quality.
  assert '58.50 ± 0.71 % top-1 at 4 M multiply-adds: as much as the base' in lines
  assert 'A random network costs 1.00x to 1.00x as much as the found one of' in lines
  assert f'({space_report.RANK_FILE})' in page
  assert 'Each is one run' not in lines
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
  assert space_report.RANK_FILE not in page
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


@pytest.mark.parametrize(
  ('target', 'says', 'warns'),
  [
    (3e6, '3 M multiply-adds: ', None),
    (2.9e6, "0.7x of the base network's cost, 2.9 M multiply-adds: ", None),
    (2.5e6, 'which is 120.0% of it.', 'its cost is 20.0% above it'),
    (4e6, 'which is 75.0% of it.', 'its cost is 25.0% below it'),
  ],
)
def test_the_page_of_tunas_is_of_its_controller(tmp_path, target, says, warns):
  """One network of one cost was looked for."""
  archive = [
    {'generation': name, 'predicted_multiply_adds': cost, 'loss': loss}
    for name, cost, loss in (
      ('tunas', 3e6, 1.25),
      ('random', 3e6, 1.0),
      ('random', 4e6, 1.1),
      ('random', 2e6, 1.5),
    )
  ]
  search_folder.write_archive(tmp_path, archive)
  typed = '3 M multiply-adds' if target == 3e6 else '0.7x'
  lines, page = write(
    tmp_path,
    lambda size: 50,
    lambda network: by_quality(network)[:1],
    sizes=[3],
    strategy='tunas',
    seeds=1,
    budget=(typed, target),
  )
  assert says in lines
  assert says in page
  assert "the controller's network, found_03, costs 3 M multiply-adds" in lines
  assert ('Warning: found_03 misses the budget' in lines) == (warns is not None)
  assert warns is None or warns in lines
  assert 'random_03 costs 1.00x as much as found_03.' in lines
  assert 'Each is one run: another seed' in lines
  assert 'volution' not in page
  assert 'The found one is the likeliest network of the controller' in page
  assert (
    "the controller's network has a loss of 1.2500. Random networks that were scored: "
    '3; with a lower loss: 2; with a lower loss at no more cost: 1.'
  ) in page
  assert space_report.RANK_FILE not in page
  assert not (tmp_path / space_report.RANK_FILE).exists()


def test_an_evolution_within_its_budget_is_not_warned_of():
  chosen = [finalist(FOUND, 2, {}), finalist(RANDOM, 2, {}, measured=3e6)]
  for target, warnings in ((4e6, 0), (1.9e6, 1)):
    lines = space_verdict.against_budget(
      chosen, '0.5x', target, 'multiply-adds', is_tunas=False
    )
    assert len(lines) == 1 + warnings
    assert 'the most expensive found one, found_02, costs 2 M' in lines[0]
  assert space_verdict.random_costs(chosen) == [
    'random_02 costs 1.50x as much as found_02.'
  ]


def test_next_is_the_best_found_network_that_has_ended(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  chosen = [finalist(group, size, {}) for group in (FOUND, RANDOM) for size in (1, 2)]

  def after(*ended):
    typed = ['main.py', '--cost=bytes', '--config=a.py:x', '--config.search.se=(0, 1)']
    typed += ['--config.model.width=0.5', '--workdir=my search']
    return space_verdict.next_commands(
      tmp_path / 'my search', chosen, (0, 1), ended, typed
    )

  assert after() == after('random_02_seed0') == []
  assert 'found_01_seed1' in after('found_01_seed1')[0]
  assert after('found_01_seed0', 'found_02_seed1') == [
    "python main.py --job=predict '--workdir=my search/alone/found_02_seed1' photo.jpg",
    "python main.py --job=export '--workdir=my search/alone/found_02_seed1' "
    '--format=tflite',
    "python main.py --config=a.py:x '--config.search.se=(0, 1)' "
    "'--config.model.table=my search/networks/found_02.json' --config.model.width=1.0",
  ]
