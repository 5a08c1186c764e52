"""A workdir in a bucket, which is fsspec's store in memory."""

import json
import pathlib
import re
import shutil
import threading
import time
from unittest import mock

import fsspec
import pytest

from mobilenet.models import user_cache
from mobilenet.training import mirror, retries
from mobilenet.training.bucket import Bucket
from mobilenet.training.errors import TrainingError
from mobilenet.training.preemption import StopRequest

ADDRESS = 'memory://bucket/runs/x'


@pytest.fixture(autouse=True)
def store(monkeypatch, tmp_path):
  """Empty; what other machines have is in folders of their own."""
  monkeypatch.setattr(retries, 'WAITS', (0.01, 0.01))
  monkeypatch.setattr(mirror, 'LOOK_SECONDS', 0.01)
  monkeypatch.setattr(user_cache, 'folder', lambda name: tmp_path / name)
  store = fsspec.filesystem('memory')
  store.store.clear()
  store.pseudo_dirs[:] = ['']
  yield store
  store.store.clear()


@pytest.fixture
def at(tmp_path):
  """(machine, trains): a mirror there, fetched."""

  def make(machine, trains=True):
    made = mirror.Mirror(Bucket(ADDRESS), tmp_path / machine / 'x', trains=trains)
    made.fetch()
    return made

  return make


def save(folder, step, content=None):
  """A checkpoint of two files, and the metrics up to it."""
  folder.mkdir(parents=True, exist_ok=True)
  (folder / 'metrics.jsonl').write_text(''.join(f'{n}\n' for n in range(step + 1)))
  state = folder / 'checkpoints' / str(step) / 'default'
  state.mkdir(parents=True)
  (state / 'array').write_text(content or f'state {step}')
  (state.parent / '_METADATA').write_text('{}')


def held(folder):
  return {
    path.relative_to(folder).as_posix(): path.read_text()
    for path in sorted(folder.rglob('*'))
    if path.is_file() and path.name != '.owner'
  }


def there():
  found = {
    path: Bucket(ADDRESS).read(path).decode() for path in Bucket(ADDRESS).files()
  }
  found.pop('mirror.json', None)
  return found


def listed():
  return sorted(json.loads(Bucket(ADDRESS).read('mirror.json'))['checkpoints'])


def test_another_machine_gets_what_was_sent(at):
  one = at('one')
  save(one.folder, 1)
  save(one.folder / 'best', 1)
  one.send()
  two = at('two')
  assert held(two.folder) == held(one.folder)
  assert len(held(two.folder)) == 6
  assert listed() == ['best/checkpoints/1', 'checkpoints/1']


def test_what_changes_is_sent_and_what_is_removed_is_removed_there(at):
  one = at('one')
  for step in (1, 2):
    save(one.folder, step)
    one.send()
  shutil.rmtree(one.folder / 'checkpoints' / '1')
  save(one.folder, 3)
  one.send()
  assert listed() == ['checkpoints/2', 'checkpoints/3']
  assert there() == held(one.folder)
  # The same on a machine that had an older one.
  old = at('old')
  assert held(old.folder) == held(one.folder)


def test_an_older_checkpoint_goes_only_after_the_newer_one_is_listed(at, monkeypatch):
  one = at('one')
  save(one.folder, 1)
  one.send()
  shutil.rmtree(one.folder / 'checkpoints' / '1')
  save(one.folder, 2)
  states = []
  for name in ('send', 'write', 'remove'):
    act = getattr(Bucket, name)

    def told(bucket, *arguments, act=act):
      act(bucket, *arguments)
      states.append((there(), listed()))

    monkeypatch.setattr(Bucket, name, told)
  one.send()
  assert len(states) > 3
  for found, whole in states:
    assert whole
    for name in whole:
      step = name.rpartition('/')[2]
      assert f'{name}/default/array' in found
      assert found['metrics.jsonl'].endswith(f'{step}\n') or step == '1'
  assert states[-1] == (held(one.folder), ['checkpoints/2'])


@pytest.mark.parametrize('sent', range(6))
def test_a_kill_while_sending_leaves_the_checkpoint_before(at, monkeypatch, sent):
  one = at('one')
  save(one.folder, 1)
  one.send()
  before = held(one.folder)
  save(one.folder, 2)
  left = [sent]

  class Killed(BaseException):
    pass

  def put_file(store, here, path, **_):
    if not left[0]:
      raise Killed
    left[0] -= 1
    with open(here, 'rb') as file:
      store.pipe_file(path, file.read())

  monkeypatch.setattr(fsspec.get_filesystem_class('memory'), 'put_file', put_file)
  if sent < 3:
    with pytest.raises(Killed):
      one.send()
    monkeypatch.undo()
    two = mirror.Mirror(Bucket(ADDRESS), one.folder.parents[1] / 'two', trains=True)
    two.fetch()
    assert {k: v for k, v in held(two.folder).items() if 'checkpoints' in k} == {
      k: v for k, v in before.items() if 'checkpoints' in k
    }
    # The half of it is removed once the run goes on.
    save(two.folder, 3)
    two.send()
    assert there() == held(two.folder)
  else:
    one.send()
    assert listed() == ['checkpoints/1', 'checkpoints/2']


def test_a_checkpoint_that_is_not_what_was_sent_is_left_out(at, capsys):
  one = at('one')
  for step in (1, 2):
    save(one.folder, step)
  one.send()
  Bucket(ADDRESS).write('checkpoints/2/default/array', b'state ?')
  two = at('two')
  assert 'checkpoints/2 is not whole' in capsys.readouterr().out
  assert sorted(p.name for p in (two.folder / 'checkpoints').iterdir()) == ['1']
  save(two.folder, 4)
  two.send()
  assert there() == held(two.folder)


def test_of_equal_size_is_not_equal(at):
  """Another machine has trained since; checkpoints are of one size."""
  one = at('one')
  save(one.folder, 1, 'aaa')
  one.send()
  two = at('two')
  (two.folder / 'checkpoints' / '1' / 'default' / 'array').write_text('bbb')
  two.send()
  one = at('one')
  assert held(one.folder) == held(two.folder)


def test_what_could_not_be_sent_is_sent_from_the_same_machine(at):
  one = at('one')
  save(one.folder, 1)
  save(one.folder, 2)
  one.send()
  save(one.folder, 3)
  shutil.rmtree(one.folder / 'checkpoints' / '1')  # and is killed
  expected = held(one.folder)
  Bucket(ADDRESS).write('report-test/result.json', b'{}')  # evaluated elsewhere
  again = at('one')
  assert held(again.folder) == expected | {'report-test/result.json': '{}'}
  (again.folder / 'config.json').write_text('{}')
  again.send()
  assert there() == held(again.folder)
  assert listed() == ['checkpoints/2', 'checkpoints/3']


def test_a_machine_whose_run_was_taken_over_drops_what_it_has(at):
  one = at('one')
  save(one.folder, 1)
  one.send()
  two = at('two')
  save(two.folder, 2)
  two.send()
  save(one.folder, 3)
  with pytest.raises(TrainingError, match='another process has taken over memory://'):
    one.send()
  assert held(at('one').folder) == held(two.folder)


def test_a_removed_folder_is_sent_anew(at, store):
  one = at('one')
  save(one.folder, 1)
  one.send()
  store.rm('/bucket', recursive=True)
  save(one.folder, 2)
  one.send()
  assert there() == held(one.folder)


def test_what_is_still_written_stays(at):
  one = at('one')
  save(one.folder, 1)
  expected = held(one.folder)
  save(one.folder / 'checkpoints' / '2.orbax-checkpoint-tmp', 2)
  (one.folder / 'config.json.7.tmp').write_text('{')
  one.send()
  assert there() == expected
  assert held(at('two').folder) == expected


def test_reading_a_run_does_not_disturb_it(at):
  one = at('one')
  save(one.folder, 1)
  one.send()
  reader = at('reader', trains=False)
  save(one.folder, 2)
  one.send()
  reader.finish()  # which has nothing to send
  (reader.folder / 'result.json').write_text('{}')
  reader.finish()
  save(one.folder, 3)
  one.send()
  assert there() == held(one.folder) | {'result.json': '{}'}


def test_a_job_that_does_nothing_takes_nothing_over(at):
  one = at('one')
  save(one.folder, 1)
  one.send()
  at('two').finish()
  save(one.folder, 2)
  one.send()
  assert listed() == ['checkpoints/1', 'checkpoints/2']


def test_a_folder_that_a_person_copied_there_counts_as_a_whole(at, tmp_path):
  save(tmp_path / 'own', 1)
  Bucket(ADDRESS).send(tmp_path / 'own', held(tmp_path / 'own'))
  one = at('one')
  assert held(one.folder) == held(tmp_path / 'own')
  save(one.folder, 2)
  one.send()
  assert held(at('two').folder) == held(one.folder)


def test_checkpoints_that_come_faster_than_they_are_sent(at, monkeypatch):
  one = at('one')
  save(one.folder, 1)
  send, step = Bucket.send, 1

  def slow(bucket, folder, paths):
    nonlocal step
    for _ in range(3):  # and none of those that are being sent is there any more
      step += 1
      save(one.folder, step)
      (one.folder / f'{step}.tmp').touch()
      shutil.rmtree(one.folder / 'checkpoints' / str(step - 1))
    send(bucket, folder, paths)

  monkeypatch.setattr(Bucket, 'send', slow)
  for count in (1, 7, 13):
    one.send()
    assert listed() == [f'checkpoints/{count}']
    found = held(at('two').folder)
    assert found[f'checkpoints/{count}/default/array'] == f'state {count}'
    assert int(found['metrics.jsonl'].split()[-1]) > count
  assert not list(one.folder.parent.glob('*.sending'))


def test_a_small_file_that_vanishes_while_it_is_sent_is_no_error(at, monkeypatch):
  one = at('one')
  save(one.folder, 1)
  (one.folder / 'draft').touch()
  send = Bucket.send

  def late(bucket, folder, paths):
    (one.folder / 'draft').unlink(missing_ok=True)
    send(bucket, folder, paths)

  monkeypatch.setattr(Bucket, 'send', late)
  one.send()
  one.send()
  assert there() == held(one.folder)


def away(monkeypatch, error):
  """A store that refuses every file, until the returned event is set."""
  back = threading.Event()
  kind = fsspec.get_filesystem_class('memory')
  put, pipe = kind.put_file, kind.pipe_file

  def put_file(*arguments, **options):
    if not back.is_set():
      raise error
    put(*arguments, **options)

  def pipe_file(*arguments, **options):
    if not back.is_set():
      raise error
    pipe(*arguments, **options)

  monkeypatch.setattr(kind, 'put_file', put_file)
  monkeypatch.setattr(kind, 'pipe_file', pipe_file)
  return back


def soon(condition):
  deadline = time.monotonic() + 20
  while not condition():
    assert time.monotonic() < deadline
    time.sleep(0.005)


def enter(trains=True, several=False):
  return mirror.entered(ADDRESS, trains=trains, several=several)


def test_training_goes_on_while_the_bucket_is_away(monkeypatch, tmp_path, capsys):
  with enter() as folder:
    folder = tmp_path / folder
    save(folder, 1)
    soon(lambda: there() == held(folder))
    back = away(monkeypatch, ConnectionError('no route'))
    save(folder, 2)
    out = ''
    while 'no route' not in out:
      out += capsys.readouterr().out
      time.sleep(0.01)
    assert 'Training goes on' in out
    save(folder, 3)
    back.set()
    soon(lambda: there() == held(folder))
  out = capsys.readouterr().out
  assert out.count('takes files again') == 1
  assert 'no route' not in out


def work(job):
  """Runs `job` (folder) as main.py does."""
  with enter() as folder:
    job(pathlib.Path(folder))


def test_a_bucket_that_stays_away_is_an_error_that_names_the_copy(monkeypatch, capsys):
  away(monkeypatch, ConnectionError('no route'))
  with pytest.raises(TrainingError, match='no route') as told:
    work(lambda folder: save(folder, 1))
  assert re.search(r'not sent is in /.*/x: the same command on', str(told.value))
  assert capsys.readouterr().out.count('next attempt') == 2


def test_an_error_of_the_job_is_the_one_to_hear_about(monkeypatch, capsys):
  def job(folder):
    save(folder, 1)
    raise TrainingError('a mistake')

  away(monkeypatch, ConnectionError('no route'))
  with pytest.raises(TrainingError, match='a mistake'):
    work(job)
  assert 'note: cannot write memory://' in capsys.readouterr().out


def test_no_right_to_write_ends_a_run_at_once(monkeypatch):
  def job(folder):
    with StopRequest() as stop:
      save(folder, 1)
      soon(lambda: stop.after(1))

  away(monkeypatch, PermissionError('read only'))
  with pytest.raises(TrainingError, match='read only'):
    work(job)


def test_a_run_that_was_taken_over_ends(at):
  def job(folder):
    with StopRequest() as stop:
      save(folder, 1)
      soon(lambda: there() == held(folder))
      two = at('two')
      save(two.folder, 2)
      two.send()
      save(folder, 3)
      soon(lambda: stop.after(1))

  with pytest.raises(TrainingError, match='taken over'):
    work(job)
  assert held(at('three').folder) == held(at('two').folder)


def test_one_process_of_a_machine_has_the_copy():
  taken = f'works on {ADDRESS}: wait .* its local copy is /.*/x'
  with enter(), pytest.raises(TrainingError, match=taken):
    enter(trains=False).__enter__()


def test_what_needs_another_way_is_said_in_a_line(monkeypatch):
  with pytest.raises(TrainingError, match='gcsfuse, Mountpoint for S3'):
    enter(several=True).__enter__()
  with pytest.raises(TrainingError, match='cannot open nosuch://bucket/x: '):
    mirror.entered('nosuch://bucket/x', trains=True, several=False).__enter__()
  missing = mock.Mock(side_effect=ImportError('Install s3fs to access S3'))
  monkeypatch.setattr(fsspec, 'url_to_fs', missing)
  with pytest.raises(TrainingError, match=r'Install s3fs.*requirements-bucket\.txt'):
    mirror.entered('s3://bucket/x', trains=True, several=False).__enter__()


def test_a_list_that_was_damaged_is_no_run():
  Bucket(ADDRESS).write('mirror.json', b'{')
  with pytest.raises(TrainingError, match='is not as it was written'):
    enter().__enter__()


def test_a_folder_is_no_business_of_a_mirror():
  for given in (None, 'runs/x'):
    with mirror.entered(given, trains=True, several=True) as folder:
      assert folder is given
