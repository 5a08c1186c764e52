"""Searches in a tiny space from end to end: stopped anywhere they end the same."""

import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import threading

import pytest

from mobilenet.models.rows import ModelError
from mobilenet.reports import csv_file
from mobilenet.search import costs, search_folder
from mobilenet.search.costs import latency_table, parts, wanted
from mobilenet.search.costs.correction import FEWEST
from mobilenet.search.steps import Masked
from mobilenet.search.strategies import finalists, shared, supernet
from mobilenet.sweeps import items as sweep_items
from mobilenet.sweeps import runner
from mobilenet.training import logs
from mobilenet.training.errors import TrainingError
from mobilenet.training.preemption import StopRequest
from mobilenet.weights import searched
from tests import tiny

# 18 networks, for which made photos of 32 px are enough.
CONFIG = """
from configs import search_v3_small, v3_small

def get_config(arg=None):
  config = v3_small.get_config('quick')
  config.model.name, config.model.width = 'tiny', 1.0
  config.resolution, config.data.made_examples = 32, 60
  config.epochs, config.log_steps, config.eval_batch_size = 1.0, 1, 12
  config.search = search_v3_small.search(epochs=2.0)
  config.search.generations, config.search.population = 2, 4
  config.search.recalibration_images, config.search.seeds = 16, 1
  config.search.family = (0.5, 1.0)
  config.checkpoint_every_epochs = 0.5
  space = config.search.space
  space.kernel, space.expand, space.se = (3, 5), (2, 3), (0, 0.25)
  space.width_of_stage, space.depth = (0.5, 1.0), 'first'
  return config
"""
NUMBERS = ('loss', 'top1')


@pytest.fixture(scope='module')
def config_file(tmp_path_factory):
  path = tmp_path_factory.mktemp('config') / 'tiny_search.py'
  path.write_text(CONFIG)
  return path


@pytest.fixture
def request_of(config_file):
  """(overrides of a request, fields of its config) -> the request."""
  spec = importlib.util.spec_from_file_location('tiny_search', config_file)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)

  def make(fields=(), **options):
    config = module.get_config()
    config.update_from_flattened_dict(dict(fields))
    return supernet.Request(
      config,
      str(config_file),
      overrides={},
      command=('python', 'main.py'),
      **{'cost': 'multiply_adds', 'finalists': 3, **options},
    )

  with tiny.patched():
    yield make


def search(folder, request, stop_after=None):
  """Searches; stops where `stop_after` (a StopRequest -> None) says so."""
  supernet.claim(folder, request)
  with StopRequest() as stop:
    if stop_after is not None:
      stop_after(stop)
    return supernet._search(folder, request, stop)


def found_in(folder):
  """What a search leaves, without times."""
  return {
    'archive': search_folder.read_archive(folder),
    'finalists': json.loads((folder / supernet.FINALISTS_FILE).read_text()),
    'searched': searched.read(folder),
    'generations': {
      path.name: path.read_bytes() for path in (folder / 'generations').glob('*.json')
    },
    'log': logs.read_metrics(folder / supernet.TRAINING),
  }


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
  """The folder of a search that nothing stopped; see `ended`."""
  return tmp_path_factory.mktemp('search') / 'whole'


def ended(folder, request):
  if not (folder / supernet.FINALISTS_FILE).exists():
    assert search(folder, request)
  return found_in(folder)


def test_a_search_scores_generations_and_chooses_from_the_front(whole, request_of):
  found = ended(whole, request_of())
  lines = found['archive']
  assert [line['generation'] for line in lines].count('evolution_00') == 4
  assert len({line['arch'] for line in lines if line['generation'] != 'random'}) == 8
  assert [line['generation'] for line in lines].count('random') == 8
  assert set(NUMBERS) < set(lines[0])
  assert lines[0]['predicted_multiply_adds'] > 0
  networks = found['finalists']['networks']
  groups = [each['group'] for each in networks]
  assert groups.count('found') == groups.count('random') <= 3
  assert 'family' in groups
  front = [each for each in networks if each['group'] == 'found']
  losses = [each['shared']['loss'] for each in front]
  assert losses == sorted(losses, reverse=True)  # the cheapest first
  dominating = [
    line
    for line in lines
    if line['generation'] != 'random'
    and line['loss'] < losses[-1]
    and line['predicted_multiply_adds'] <= front[-1]['predicted']
  ]
  assert not dominating
  assert found['searched'].text == front[-1]['rows']


def when(monkeypatch, stop, owner, name, count):
  """Sends the signal's note when a function is called for the `count`th time."""
  real, calls = getattr(owner, name), []

  def counted(*arguments, **named):
    calls.append(name)
    if len(calls) == count:
      stop.received = 'SIGTERM'
    return real(*arguments, **named)

  monkeypatch.setattr(owner, name, counted)


@pytest.mark.parametrize(
  ('owner', 'name', 'count'),
  [
    (Masked, 'step', 2),  # of the shared weights
    # Of the first generation, the second, and the random networks.
    *(pytest.param(Masked, 'score', n, marks=pytest.mark.heavy) for n in (3, 6, 10)),
  ],
)
def test_stopped_anywhere_it_ends_the_same(
  whole, request_of, tmp_path, monkeypatch, owner, name, count
):
  expected = ended(whole, request_of())
  folder = tmp_path / 'stopped'
  with monkeypatch.context() as patch:
    done = search(
      folder, request_of(), lambda stop: when(patch, stop, owner, name, count)
    )
    assert not done, 'it was to stop'
  assert not (folder / supernet.FINALISTS_FILE).exists()
  assert search(folder, request_of())
  assert found_in(folder) == expected


@pytest.mark.heavy
def test_two_processes_make_what_one_makes(config_file, tmp_path):
  """Begun together, with the networks that are trained alone shared between them."""
  arguments = ('--job=search', '--strategy=supernet', f'--config={config_file}')
  arguments += (
    '--cost=multiply_adds',
    '--finalists=2',
    '--config.data.made_examples=60',
  )
  one, two = tmp_path / 'one', tmp_path / 'two'

  def process(folder, *more):
    command = tiny.command(*arguments, f'--workdir={folder}', *more)
    pipe = {'stdout': subprocess.PIPE, 'text': True}
    # What is trained alone are processes that run this command's file.
    environment = os.environ | {'PYTHONPATH': str(tiny.ROOT)}
    return subprocess.Popen(command, cwd=tiny.ROOT, env=environment, **pipe)

  def end(running):
    out, _ = running.communicate(timeout=600)
    assert running.returncode == 0, out

  end(process(one))
  together = [process(two, f'--index={n}') for n in range(2)]
  for running in together:
    end(running)
  end(process(two))  # the networks that are left, and the report
  assert found_in(two) == found_in(one)
  for run in (one / finalists.RUNS).iterdir():
    if run.is_dir():
      beside = two / finalists.RUNS / run.name
      assert reached(beside) == reached(run)


def reached(run):
  result = json.loads((run / 'result.json').read_text())
  return {name: result[name] for name in ('top1', 'loss', 'steps')}


def test_another_space_in_the_same_folder_is_refused(whole, request_of):
  ended(whole, request_of())
  changed = request_of({'search.space.kernel': (3, 5, 7)})
  with pytest.raises(TrainingError, match=r'space.kernel') as error:
    supernet.claim(whole, changed)
  assert '\n' not in str(error.value)


def test_tunas_ends_with_one_network_of_the_budgets_cost(request_of, tmp_path):
  request = request_of({'search.epochs': 4.0}, strategy='tunas', budget='0.9x')
  folder = tmp_path / 'tunas'
  assert search(folder, request)
  found = found_in(folder)
  assert [line['generation'] for line in found['archive']].count('tunas') == 1
  groups = [each['group'] for each in found['finalists']['networks']]
  assert groups.count('found') == groups.count('random') == 1
  rewards = [line['reward'] for line in found['log'] if 'reward' in line]
  steps = found['log'][-1]['step']
  assert len(rewards) == steps - int(0.25 * steps)  # the first quarter learns nothing
  assert found['searched'].found['strategy'] == 'tunas'
  assert search(folder, request), 'finished, it is read again'
  assert found_in(folder) == found


def test_tunas_needs_a_budget(request_of, tmp_path):
  with pytest.raises(TrainingError, match='looks for a network of one cost'):
    supernet.run(tmp_path, request_of(strategy='tunas'))


@pytest.mark.parametrize(
  ('fields', 'options', 'says'),
  [
    ({}, {'budget': '0.001x'}, 'cannot be reached: the smallest network of the space'),
    ({}, {'budget': ''}, 'does not begin with a number'),
    ({}, {'strategy': 'tunas', 'budget': '50x'}, 'the largest network of the space'),
    ({}, {'index': 99}, '--index=99 does not exist: 8 networks are trained alone at'),
    ({}, {'index': -1}, '--index=-1 does not exist'),
    ({'search.generations': 0}, {}, 'search.generations=0 is no number of generations'),
    ({'search.population': 1}, {}, 'search.population=1 is no number of networks'),
    ({'search.recalibration_images': -5}, {}, 'recalibration_images=-5 is no number'),
    ({'search.most_held_out': 0}, {}, 'most_held_out=0 is no number of photos'),
    ({'search.seeds': 0}, {}, 'seeds=0 is no number of trainings'),
    ({'search.held_out': 1.0}, {}, 'held_out=1.0 is a share of the photos'),
    ({'search.family': (1.0, 0.0)}, {}, 'model width is 0.0'),
  ],
)
def test_a_mistake_is_told_before_anything_is_trained(
  request_of, tmp_path, monkeypatch, fields, options, says
):
  monkeypatch.setattr(shared, 'train', None)
  with pytest.raises((TrainingError, ModelError), match=says) as error:
    supernet.run(tmp_path, request_of(fields, **options))
  assert '\n' not in str(error.value)


def test_a_table_that_lacks_rows_is_told_before_anything_is_trained(
  request_of, tmp_path, monkeypatch
):
  monkeypatch.setattr(shared, 'train', None)
  path, lacking = tmp_path / 'phone.csv', tmp_path / 'wanted.csv'
  path.write_text(f'{",".join((*latency_table.KEY, latency_table.MS))}\nx,1,1,1,1,1\n')
  with pytest.raises(TrainingError, match=f'--lacking={lacking} '):
    supernet.run(tmp_path, request_of(cost='csv', table=path))
  with_all = len(lacking.read_text().splitlines())
  assert with_all > 2 * len(tiny.NETWORK.rows)


def test_a_search_by_a_table_asks_twice(whole, request_of, tmp_path, capsys):
  """For all rows at once, before training; and for the networks that are trained."""
  ended(whole, request_of())
  folder, table = tmp_path / 'search', tmp_path / 'phone.csv'
  shutil.copytree(whole, folder)
  shutil.rmtree(folder / 'generations')
  (folder / supernet.FINALISTS_FILE).unlink()
  asked = json.loads((folder / 'search.json').read_text())
  asked |= {'cost': 'csv', 'table': str(table)}
  (folder / 'search.json').write_text(json.dumps(asked))
  lines = [dict.fromkeys((*latency_table.KEY, latency_table.MS), '1')]
  for are_wholes in (False, True):
    csv_file.write_records(table, lines)
    with pytest.raises(TrainingError, match='--lacking=') as error:
      search(folder, request_of(cost='csv', table=table))
    assert f'--lacking={folder / "wanted.csv"} ' in str(error.value)
    lacking = csv_file.read_records(folder / 'wanted.csv')
    assert {'|' in line['row'] for line in lacking} == {are_wholes}
    lines += [
      {**{name: line[name] for name in lines[0]}, latency_table.MS: _made_ms(line)}
      for line in lacking
    ]
  csv_file.write_records(table, lines)
  assert len(lacking) >= FEWEST
  said = capsys.readouterr().out
  assert 'cost: the bare sums of rows: no whole networks were measured' in said
  assert search(folder, request_of(cost='csv', table=table))
  assert 'cost: a whole network takes 2.000 x sum of rows' in capsys.readouterr().out
  # Predictions are those by which the search chose, before there was that line.
  found = found_in(folder)['finalists']
  assert found['unit'] == 'ms'
  for each in found['networks']:
    if each['group'] != 'family':
      assert each['measured'] == pytest.approx(2 * each['predicted'])


def _made_ms(line):
  """Of a made phone, on which a network takes twice what its rows do."""
  part = wanted.part_of(pathlib.Path('phone.csv'), line)
  if '|' not in line['row']:
    return parts.count(part).multiply_adds
  made = costs.make('multiply_adds', int(line['height']), int(line['channels_out']))
  return 2 * made.measure([part.network])[0]


def test_fields_that_a_config_lacks_are_named(request_of, tmp_path):
  request = request_of()
  del request.config.search.seeds
  with pytest.raises(TrainingError, match=r'no field search\.seeds'):
    supernet.run(tmp_path, request)


def test_scores_are_not_mixed(whole, request_of):
  """Norms that were measured on other photos, and other photos."""
  ended(whole, request_of())
  changed = request_of({'search.recalibration_images': 32})
  with pytest.raises(TrainingError, match='recalibration_images 16 -> 32'):
    supernet.claim(whole, changed)
  path = whole / supernet.TRAINING / shared.PHOTOS_FILE
  before = path.read_text()
  path.write_text(before.replace('60', '61'))
  with pytest.raises(TrainingError, match='the photos for training are not those'):
    search(whole, request_of())
  path.write_text(before)


def test_damaged_files_are_one_line(whole, request_of, tmp_path):
  ended(whole, request_of())
  folder = tmp_path / 'search'
  shutil.copytree(whole, folder)
  (folder / supernet.FINALISTS_FILE).unlink()
  score = min((folder / 'scores').glob('*.json'))
  for path in (folder / 'generations' / 'evolution_00.json', score):
    before = path.read_text()
    for text in ('', before[:9], '[]', '5', 'null', '{"a": null}'):
      path.write_text(text)
      with pytest.raises(TrainingError) as error:
        search(folder, request_of())
      assert f'{path} is damaged (' in str(error.value)
      assert '\n' not in str(error.value)
    path.write_text(before)
  path = folder / supernet.FINALISTS_FILE
  for text in ('', '[]', '{}', '{"unit": "x", "networks": []}'):
    path.write_text(text)
    with pytest.raises(TrainingError, match='is damaged') as error:
      supernet.run(folder, request_of())
    assert '\n' not in str(error.value)


def test_networks_that_were_removed_are_written_again(whole, request_of, monkeypatch):
  ended(whole, request_of())
  path = min((whole / finalists.NETWORKS).glob('found*.json'))
  before = path.read_bytes()
  path.unlink()
  monkeypatch.setattr(runner, 'run', lambda *arguments, **named: 0)
  assert supernet.run(whole, request_of()) == 0
  assert path.read_bytes() == before


def test_who_waits_for_another_can_be_stopped(tmp_path, capsys):
  path = tmp_path / '.lock'
  with sweep_items.locked(path), StopRequest() as stop:
    timer = threading.Timer(0.1, lambda: setattr(stop, 'received', 'SIGTERM'))
    timer.start()
    with supernet._waited_for(path, stop) as is_held:
      assert not is_held
    timer.join()
  assert 'another process trains the shared weights' in capsys.readouterr().out
  with StopRequest() as stop, supernet._waited_for(path, stop) as is_held:
    assert is_held
