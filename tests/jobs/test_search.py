"""A search as a person uses it: from a trained run to a smaller one."""

import json
import pathlib
import shlex
import shutil
from typing import NamedTuple
from unittest import mock

import jax
import numpy as np
import pytest
from ml_collections import ConfigDict

from configs import ssdlite_v2
from mobilenet import command_line, experiment
from mobilenet.jobs import search as search_job
from mobilenet.runs import preparation
from mobilenet.search.strategies import (
  netadapt,
  netadapt_report,
  netadapt_runs,
  proposals,
  supernet,
)
from mobilenet.training.preemption import STOPPED, StopRequest
from mobilenet.weights import loading, own_file, searched
from tests import tiny

WIDE = (*tiny.CONFIG, '--config.model.width=4', '--config.epochs=1')
ASKED = (
  '--cost=multiply_adds',
  '--budget=0.8x',
  '--steps=2',
  '--screen=1',
  '--delta=0.1',
)


CAME_TO = netadapt_runs.Measured({'loss': 1.0, 'top1': 50.0, 'top5': 90.0}, 48, 3, 1.0)


def search(folder, start, *arguments):
  return tiny.run(
    '--job=search', f'--start={start}', f'--workdir={folder}', *arguments, report=False
  )


def error(*arguments):
  done = search(*arguments)
  assert done.returncode == 1, done.stdout
  (line,) = [one for one in done.stderr.splitlines() if one.startswith('error: ')]
  return line


def contents(folder):
  """Of all that a search decides, to the bit; times are no part of it."""
  names = ('search.json', 'archive.jsonl', 'searched.json', 'state.json')
  said = {name: (folder / name).read_text() for name in names}
  for path in folder.glob('*.safetensors'):  # whose metadata have no order
    weights = loading.load(path)
    arrays = own_file.flatten(weights.variables)
    said[path.name] = (
      weights.origin,
      weights.model,
      {name: array.tobytes() for name, array in arrays.items()},
    )
  return said


def copied(found, tmp_path):
  """A search that has ended, and nothing that came after it."""
  folder = tmp_path / 'search'
  shutil.copytree(found, folder)
  shutil.rmtree(folder / 'results')
  return folder


@pytest.fixture(scope='module')
def start(tmp_path_factory):
  folder = tmp_path_factory.mktemp('runs') / 'start'
  done = tiny.run(*WIDE, f'--workdir={folder}', report=False)
  assert done.returncode == 0, done.stderr
  return folder


class Found(NamedTuple):
  """A search that was not interrupted.

  folder: its. said: what it printed. configs: of the runs after it.
  """

  folder: pathlib.Path
  said: str
  configs: dict[str, ConfigDict]


@pytest.fixture(scope='module')
def found(start, tmp_path_factory):
  """The runs after it are not trained: each compiles anew."""
  folder, configs = tmp_path_factory.mktemp('searches') / 'whole', {}

  def train(config, folder, *arguments):
    configs[folder.name] = config
    return CAME_TO

  with mock.patch.object(netadapt_runs, 'train', train):
    done = search(folder, start, *ASKED)
  assert done.returncode == 0, done.stderr
  return Found(folder, done.stdout, configs)


def test_it_leaves_a_network_its_weights_and_a_report(start, found):
  folder, said, _ = found
  network = searched.read(folder)
  assert network.name == 'tiny_4_netadapt_0.8x'
  costs = network.found
  assert costs['predicted_multiply_adds'] <= 0.8 * costs['start_multiply_adds']
  weights = loading.load(folder / 'netadapt.safetensors')
  assert weights.model['table'] == network.text
  assert weights.class_names == tuple(json.loads((start / 'classes.json').read_text()))
  assert weights.contract is not None
  assert (folder / 'netadapt.png').read_bytes()[:4] == b'\x89PNG'
  page = (folder / 'search.md').read_text()
  for name, title in netadapt_runs.TITLES.items():
    assert f'| {name}: {title} |' in page
  assert '--job=search' in page
  assert '0.8x' in page
  last = said.splitlines()[-3:]
  assert f'--job=predict --workdir={folder}/tuned photo.jpg' in last[0]
  assert f'--job=export --workdir={folder}/tuned --format=tflite' in last[1]
  assert f'--job=compare {folder}/tuned {folder}/uniform {folder}/scratch' in last[2]


def test_a_search_that_comes_to_no_more_ends_with_what_it_has(start, tmp_path):
  """After an iteration no group alone can save anything."""
  propose, calls = proposals.propose, []

  def once(*arguments):
    calls.append(arguments)
    return propose(*arguments) if len(calls) == 1 else []

  folder, asked = tmp_path / 'search', (*ASKED, '--noscratch', '--nocontrol')
  with (
    mock.patch.object(proposals, 'propose', once),
    mock.patch.object(netadapt_runs, 'train', return_value=CAME_TO),
  ):
    done = search(folder, start, *asked)
    assert done.returncode == 0, done.stderr
    assert 'note: no group of channels alone can save more: the search' in done.stdout
    found = searched.read(folder).found
    reached = found['predicted_multiply_adds'] / found['start_multiply_adds']
    assert 0.8 < reached < 1
    says = f'({reached:.3f}x), and the budget is'
    assert says in done.stdout
    assert says in (folder / 'search.md').read_text()
    made = len(calls)
    assert search(folder, start, *asked).returncode == 0, 'it is read again'
  assert len(calls) == made


def test_the_runs_after_it_are_trained_as_the_start_was(start, found):
  folder, _, configs = found
  of_start = json.loads((start / 'config.json').read_text())
  tuned, uniform, scratch = (configs[name] for name in netadapt_runs.RUNS)
  text = searched.read(folder).text
  assert tuned['model']['table'] == scratch['model']['table'] == text
  assert uniform['model']['table'] != text
  assert pathlib.Path(tuned['init']) == folder / 'netadapt.safetensors'
  assert pathlib.Path(uniform['init']) == folder / 'uniform.safetensors'
  assert scratch['init'] == ''
  for config in configs.values():
    same = ('optimizer', 'schedule', 'seed', 'data', 'batch_size', 'epochs')
    own = json.loads(json.dumps(config.to_dict()))
    assert [own[name] for name in same] == [of_start[name] for name in same]
  # The control learns as many steps in all as what was found does.
  accepted = json.loads((folder / 'state.json').read_text())['iteration']
  assert accepted > 1
  assert uniform['steps'] == 48 // 16 + 2 * accepted
  assert (tuned['steps'], scratch['steps']) == (None, None)
  with tiny.patched():
    for config, network in ((tuned, 'netadapt'), (uniform, 'uniform')):
      completed, weights, _ = preparation.complete(config)
      model = experiment.make_model(completed, weights.class_names)
      started = experiment.initial_variables(completed, model, weights)
      file = loading.load(folder / f'{network}.safetensors')
      jax.tree.map(np.testing.assert_array_equal, started, file.variables)


def test_the_same_command_again_trains_nothing(start, found):
  folder = found.folder
  before = contents(folder)
  with mock.patch.object(netadapt_runs, 'train', side_effect=AssertionError):
    done = search(folder, start, *ASKED)
  assert done.returncode == 0, done.stderr
  assert 'report: ' in done.stdout
  assert contents(folder) == before


@pytest.mark.heavy
def test_stopped_after_every_iteration_it_ends_the_same(start, tmp_path):
  """SIGTERM comes as soon as one is saved; the next proposal is not scored.

  The runs after it are trained, all three of them.
  """
  folders = whole, folder = tmp_path / 'whole', tmp_path / 'stopped'
  done = search(whole, start, *ASKED)
  assert done.returncode == 0, done.stderr
  told = netadapt_report.iteration
  stops = []

  def stopping(search, *arguments):
    stops.append(StopRequest)
    search.stop = lambda: True
    return told(search, *arguments)

  for _ in range(10):
    with mock.patch.object(netadapt_report, 'iteration', stopping):
      done = search(folder, start, *ASKED)
    if done.returncode != STOPPED:
      break
  assert done.returncode == 0, done.stderr
  assert len(stops) > 1
  assert contents(folder) == contents(whole)
  for name in ('start', *netadapt_runs.RUNS):
    one, other = (
      json.loads((each / 'results' / f'{name}.json').read_text()) for each in folders
    )
    assert one['metrics'] == other['metrics']
    assert one['steps'] == other['steps']


def test_the_runs_may_be_spread_over_machines(start, found, tmp_path):
  empty = tmp_path / 'empty'
  assert error(empty, start, *ASKED, '--index=1') == (
    f'error: --index=1 is a run after the search, which has not ended in {empty}: '
    '--index=0 searches'
  )
  folder = copied(found.folder, tmp_path)
  trained = []

  def train(config, folder, *arguments, **options):
    trained.append(folder.name)
    return CAME_TO

  with mock.patch.object(netadapt_runs, 'train', train):
    for index, names in enumerate(netadapt_runs.RUNS):
      done = search(folder, start, *ASKED, f'--index={index}')
      assert done.returncode == 0, done.stderr
      assert trained[-1] == names
      assert ('report: ' in done.stdout) == (index == 2)
  assert contents(folder) == contents(found.folder)


def test_another_search_in_the_folder_is_refused(start, found):
  folder = found.folder
  for flag, words in (
    ('--delta=0.2', 'delta 0.1 -> 0.2'),
    ('--budget=0.5x', 'budget "0.8x" -> "0.5x"'),
    ('--seed=3', 'seed 0 -> 3'),
  ):
    line = error(folder, start, *ASKED, flag)
    assert line == (
      f'error: {folder} holds another search ({words}, there -> here): choose another '
      '--workdir, or ask for the same'
    )


def test_a_start_that_changed_is_refused(start, found, tmp_path):
  folder = copied(found.folder, tmp_path)
  asked = json.loads((folder / 'search.json').read_text())
  assert asked['photos']['num_examples'] == 48
  assert len(asked['start_crc32']) == 8
  asked['start_crc32'] = '01234567'
  (folder / 'search.json').write_text(json.dumps(asked))
  assert error(folder, start, *ASKED) == (
    f'error: {start} is not the run that the search in {folder} began with, or has '
    'changed since: give that back, or choose another --workdir'
  )
  asked['start_crc32'] = json.loads((found.folder / 'search.json').read_text())[
    'start_crc32'
  ]
  asked['photos']['num_examples'] += 1
  (folder / 'search.json').write_text(json.dumps(asked))
  assert 'the photos for training are not those that' in error(folder, start, *ASKED)


def test_damaged_files_are_one_line(start, found, tmp_path):
  folder = copied(found.folder, tmp_path)
  accepted = next(folder.glob('accepted_*'))
  state = json.loads((folder / 'state.json').read_text())
  junk = (b'', b'[]', b'5', b'null', b'"a"', b'{"a": "b"}', b'\xff')
  damaged = dict.fromkeys(('search.json', 'state.json', 'seconds.json'), junk)
  damaged['archive.jsonl'] = junk
  damaged['state.json'] += tuple(
    json.dumps({**state, name: 'x'}).encode() for name in state if name != 'whole'
  )
  damaged[accepted.name] = (None, b'', accepted.read_bytes()[:100])
  for name, texts in damaged.items():
    path = folder / name
    before = path.read_bytes()
    for text in texts:
      path.unlink() if text is None else path.write_bytes(text)
      line = error(folder, start, *ASKED)
      assert str(path) in line or 'is not the run that' in line, line
    path.write_bytes(before)
  results = folder / 'results' / 'tuned.json'
  results.parent.mkdir()
  for text in ('', '[]', '{"metrics": {"top1": null}, "photos": 4}'):
    results.write_text(text)
    assert f'{results} is damaged (' in error(folder, start, *ASKED)


def test_an_archive_that_lacks_iterations_is_refused(start, found, tmp_path):
  folder = copied(found.folder, tmp_path)
  path = folder / 'archive.jsonl'
  path.write_text(path.read_text().splitlines()[0] + '\n')
  assert f'{path} has not one accepted network of each' in error(folder, start, *ASKED)


def test_what_is_not_finite_is_read_back(tmp_path):
  came_to = CAME_TO._replace(metrics={'loss': float('nan'), 'top1': 50.0})
  netadapt_runs.write(tmp_path, 'tuned', came_to)
  metrics = netadapt_runs.read(tmp_path)['tuned'].metrics
  assert np.isnan(metrics['loss'])
  assert metrics['top1'] == 50.0


def test_another_length_of_a_run_that_has_ended_is_refused(start, found, tmp_path):
  folder = tmp_path / 'search'
  shutil.copytree(found.folder, folder)
  (folder / 'tuned').mkdir()
  stored = json.loads(json.dumps(found.configs['tuned'].to_dict()))
  (folder / 'tuned' / 'config.json').write_text(json.dumps(stored))
  assert search(folder, start, *ASKED).returncode == 0
  line = error(folder, start, *ASKED, '--tune_epochs=7')
  assert f'{folder}/tuned was trained with epochs=1.0, and 7.0 is asked for' in line


def test_what_cannot_be_searched_is_one_line(start, tmp_path):
  folder = tmp_path / 'search'
  assert error(folder, tmp_path / 'none', *ASKED) == (
    f'error: --start={tmp_path}/none holds no config.json: name the folder of a run'
  )
  for flags, words in (
    (('--budget=5 ms',), "budget '5 ms' is in ms, and what is counted here is multi"),
    (('--budget=0.7',), "budget '0.7' has no unit: type '150 M multiply-adds', or '0"),
    (('--budget=0.001x',), "--budget='0.001x' cannot be reached: with the fewest chan"),
    (('--budget=2x',), 'which is within it already; ask for less'),
    (('--cost=milli',), "the cost 'milli' is unknown; did you mean milliseconds?"),
    (('--cost=csv', '--budget=5 ms'), 'the cost csv needs'),
    (('--table=a.csv',), 'the cost multiply_adds takes no --table: only csv does'),
    (('--delta=0',), '--delta=0.0 must be a share of the cost, above 0 and below 1'),
    (('--steps=0',), '--steps=0 must be at least 1'),
    (('--screen=-1',), '--screen=-1 must be 0 for all, or more'),
    (('--choose=best',), "--choose 'best' is unknown; known: accuracy, ratio"),
    (('--score=top2',), "--score 'top2' is unknown; did you mean top1?"),
    (('--index=3',), '--index=3 does not exist; the runs after the search are 0: tu'),
    (('--tune_epochs=0',), '--tune_epochs=0.0 must be above 0'),
    (('--learning_rate=0',), '--learning_rate=0.0 must be above 0'),
    (('--strategy=magic',), "--strategy 'magic' is unknown; known: netadapt"),
    ((f'--workdir={start}',), 'is the run to start from: name a folder for the search'),
    (('--config=configs/v3_small.py',), '--job=search takes no --config: everything'),
  ):
    line = error(folder, start, *ASKED, *flags)
    assert words in line, line
  assert not (folder / 'search.json').exists()


def test_runs_that_cannot_be_searched_from_are_one_line(start, tmp_path):
  """Told by the config alone, before any weights are read."""
  config = json.loads((start / 'config.json').read_text())
  for name, section, words in (
    ('frozen', {'trained': 'classifier'}, 'only a part of its network (mod'),
    ('rounded', {'rounded': True}, 'was trained with rounding (model.round'),
    ('folded', {'norm': False}, 'changes networks before their norms are f'),
    ('boxes', None, 'is a run for detection: a search narrows classifiers'),
  ):
    folder = tmp_path / name
    folder.mkdir()
    changed = {**config, 'model': config['model'] | (section or {})}
    if name == 'boxes':
      changed = ssdlite_v2.get_config().to_dict()
      changed['model']['name'] = 'tiny_ssd'
    (folder / 'config.json').write_text(json.dumps(changed))
    line = error(tmp_path / 'search', folder, *ASKED)
    assert words in line, line


def test_it_is_told_what_is_missing(tmp_path):
  done = tiny.run('--job=search', '--budget=0.7x')
  assert 'name the run to start from: --start=runs/...' in done.stderr
  done = tiny.run('--job=search', f'--start={tmp_path}')
  assert 'say what the network may cost: --budget=0.7x' in done.stderr
  assert netadapt.STRATEGY == 'netadapt'


@pytest.mark.parametrize('strategy', ['supernet', 'tunas'])
def test_the_command_that_is_kept_is_the_one_that_was_typed(
  strategy, monkeypatch, tmp_path
):
  asked = []
  monkeypatch.setattr(supernet, 'run', lambda folder, request: asked.append(request))
  typed = [
    *('python', 'main.py', '--job=search', f'--strategy={strategy}', '--budget=0.7x'),
    *('--cost=multiply_adds', '--config=configs/search_v3_small.py:width=0.5'),
    *('--config.search.family=(0.5, 1.0)', '--config.init=', '--config.steps=None'),
    f'--workdir={tmp_path}',
  ]
  search_job.run(command_line.parse(typed[1:])[1])
  (request,) = asked
  assert shlex.split(shlex.join(request.command)) == typed
  again = command_line.parse(request.command[1:])[1]
  assert again.config.to_dict() == request.config.to_dict()
