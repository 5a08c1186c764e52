"""What watchers are told, once each, and that none of them ends a training."""

import functools
import json

import pytest

from mobilenet import config_files, watching
from mobilenet.sweeps import items as sweep_items
from mobilenet.training import logs
from mobilenet.training.errors import TrainingError
from mobilenet.watching.taken import Taken
from mobilenet.watching.watchers import Watchers


class Seen:
  """A watcher that keeps what it is told; fails where it is told to."""

  def __init__(self, fails=''):
    self.calls, self._fails = [], fails

  def _call(self, name, *arguments):
    if name == self._fails:
      raise ConnectionError('the service\nis away')
    self.calls.append((name, *arguments))

  def open(self, start_step):
    self._call('open', start_step)

  def write(self, step, metrics, kind):
    self._call('write', step, dict(metrics), kind)

  def close(self, failed):
    self._call('close', failed)


def test_they_are_told_of_every_line(tmp_path):
  seen = Seen()
  with logs.Writer(tmp_path, start_step=3, also=Watchers({'seen': seen})) as writer:
    writer.write(4, {'loss': 1.5})
    writer.write(4, {'top1': 50.0}, 'eval')
  assert seen.calls == [
    ('open', 3),
    ('write', 4, {'loss': 1.5}, 'train'),
    ('write', 4, {'top1': 50.0}, 'eval'),
    ('close', False),
  ]


def test_they_know_whether_the_run_failed(tmp_path):
  seen = Seen()
  with (
    pytest.raises(TrainingError),
    logs.Writer(tmp_path, also=Watchers({'seen': seen})),
  ):
    raise TrainingError('too many skipped steps')
  assert seen.calls[-1] == ('close', True)


def test_other_processes_tell_nobody(tmp_path):
  seen = Seen()
  with logs.Writer(tmp_path, enabled=False, also=Watchers({'seen': seen})) as writer:
    writer.write(1, {'loss': 1.0})
  assert not seen.calls


@pytest.mark.parametrize('fails', ['open', 'write', 'close'])
def test_one_that_fails_is_left_out_and_the_rest_goes_on(fails, tmp_path, capsys):
  bad, good = Seen(fails), Seen()
  with logs.Writer(tmp_path, also=Watchers({'bad': bad, 'good': good})) as writer:
    for step in (1, 2, 3):
      writer.write(step, {'loss': 1.0})
  assert [call[0] for call in good.calls] == ['open', *['write'] * 3, 'close']
  assert len(logs.read_metrics(tmp_path)) == 3
  assert capsys.readouterr().out == (
    'note: --log_to=bad failed and is left out from now on, the training goes on '
    '(ConnectionError: the service is away)\n'
  )
  assert not [call for call in bad.calls if call[0] == 'close']


def test_a_service_takes_a_line_once(tmp_path):
  path = tmp_path / 'service.json'
  taken = Taken(path)
  assert taken.id is None
  name = taken.begin()
  for step in (1, 2, 3):
    assert not taken.has(step, 'train')
    taken.add(step, 'train')
  taken.add(2, 'eval')
  # A second start from step 1, which is killed before it comes to step 3 again.
  again = Taken(path)
  assert again.id == name
  assert again.has(2, 'train')
  assert again.has(2, 'eval')
  assert not again.has(3, 'eval')
  # A third one still knows.
  assert Taken(path).has(3, 'train')
  assert not Taken(path).has(4, 'train')


@pytest.mark.parametrize('text', ['', '{"id": 1}', '[]', '{"id": "a", "steps": 3}'])
def test_a_damaged_file_says_what_to_do(text, tmp_path):
  path = tmp_path / 'service.json'
  path.write_text(text)
  with pytest.raises(TrainingError, match=r'service\.json is damaged; delete it'):
    Taken(path)


def test_names_are_read_from_the_flag(tmp_path):
  assert watching.parse(None) == watching.parse('') == ()
  assert watching.parse('wandb, mlflow,wandb') == ('wandb', 'mlflow')
  with pytest.raises(TrainingError, match="--log_to 'wanbd' is unknown; did you mean"):
    watching.parse('wanbd')
  assert watching.make((), tmp_path, {}, total_steps=1, batch_size=1) is None


def test_a_missing_package_is_named_with_what_to_type(monkeypatch):
  monkeypatch.setitem(watching.PACKAGES, 'wandb', 'not_wandb_at_all')
  watching.check_installed(('prometheus',))
  with pytest.raises(TrainingError, match="pip install 'not_wandb_at_all'"):
    watching.check_installed(('prometheus', 'wandb'))


def test_the_file_of_a_service_is_plain(tmp_path):
  Taken(tmp_path / 'a.json').begin('run-1')
  assert json.loads((tmp_path / 'a.json').read_text()) == {'id': 'run-1', 'steps': {}}


def test_items_of_a_sweep_get_the_flag(tmp_path, request):
  config = config_files.load_config(str(request.config.rootpath / 'configs/v1.py'))
  made = functools.partial(
    sweep_items.make_items, 'configs/v1.py', [('a', {'seed': 1})], config, {}, tmp_path
  )
  (item,) = made(flags=['--log_to=wandb'])
  assert '--log_to=wandb' in item.command
  assert not [part for part in made()[0].command if part.startswith('--log_to')]
