"""Checkpoints: bits, what is kept, and what a failure leaves behind."""

import errno
import gc
import logging
import os
import resource
import shutil
import subprocess
import sys

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
import optax
import orbax.checkpoint as ocp
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from mobilenet.training import checkpoint_reading, retries
from mobilenet.training.checkpoints import Checkpointer
from mobilenet.training.errors import TrainingError
from tests import devices


@flax.struct.dataclass
class State:
  step: jax.Array
  params: dict
  opt_state: tuple


@pytest.fixture(scope='module')
def sharding():
  mesh = jax.make_mesh((1,), ('data',), axis_types=(AxisType.Auto,))
  return NamedSharding(mesh, PartitionSpec())


@pytest.fixture(scope='module')
def state(sharding):
  draw = np.random.default_rng(0)
  kernel = draw.standard_normal((3, 3, 8, 16)).astype('f')
  # Bit patterns that a round trip through text or another type would lose.
  kernel.flat[:4] = [np.nan, -0.0, np.inf, np.float32(1e-45)]
  half = jnp.asarray(draw.standard_normal(7), jnp.bfloat16)
  params = {'block_00': {'conv': {'kernel': kernel}}, 'scale': half}
  tx = optax.adamw(
    optax.constant_schedule(0.1), mask={'block_00': True, 'scale': False}
  )
  return jax.device_put(State(jnp.int32(7), params, tx.init(params)), sharding)


def like(state):
  return jax.tree.map(
    lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), state
  )


def same_bits(a, b):
  assert jax.tree.structure(a) == jax.tree.structure(b)
  for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
    assert x.dtype == y.dtype
    assert np.asarray(x).tobytes() == np.asarray(y).tobytes()


def one_line(caught):
  assert '\n' not in str(caught.value)
  return str(caught.value)


def test_round_trip_is_bit_exact_and_keeps_the_sharding(tmp_path, state, sharding):
  with Checkpointer(tmp_path) as checkpointer:
    assert checkpointer.latest_step() is None
    checkpointer.save(7, state)
  assert (tmp_path / 'checkpoints' / '7').is_dir()
  with Checkpointer(tmp_path) as checkpointer:
    restored = checkpointer.restore(like(state))
  assert isinstance(restored, State)
  same_bits(restored, state)
  assert all(leaf.sharding == sharding for leaf in jax.tree.leaves(restored))


def test_restore_without_shardings_goes_to_the_default_device(tmp_path, state):
  with Checkpointer(tmp_path) as checkpointer:
    checkpointer.save(7, state)
    restored = checkpointer.restore(jax.eval_shape(lambda: state))
  same_bits(restored, state)
  assert restored.step.devices() == {jax.devices()[0]}


def test_the_newest_are_kept(tmp_path, state):
  with Checkpointer(tmp_path, keep=2) as checkpointer:
    for step in (5, 10, 15):
      checkpointer.save(step, state.replace(step=jnp.int32(step)))
    checkpointer.wait()
    assert checkpointer.steps() == [10, 15]
    assert int(checkpointer.restore(like(state)).step) == 15
    assert int(checkpointer.restore(like(state), step=10).step) == 10
    with pytest.raises(TrainingError, match='holds no step 5; it holds 10, 15'):
      checkpointer.restore(like(state), step=5)
  assert sorted(os.listdir(tmp_path / 'checkpoints')) == ['10', '15']


def test_a_donated_state_is_saved_as_it_was(tmp_path, sharding):
  draw = np.random.default_rng(1)
  arrays = {str(i): draw.standard_normal((400, 400)).astype('f') for i in range(20)}
  state = jax.device_put(arrays, sharding)
  update = jax.jit(lambda t: jax.tree.map(lambda x: x + 1, t), donate_argnums=0)
  with Checkpointer(tmp_path) as checkpointer:
    checkpointer.save(1, state)
    for _ in range(5):
      state = jax.block_until_ready(update(state))
    restored = checkpointer.restore(like(state))
  same_bits(restored, arrays)


def test_saving_the_same_step_twice_is_saving_it_once(tmp_path, state):
  with Checkpointer(tmp_path) as checkpointer:
    checkpointer.save(7, state)
    checkpointer.save(7, state)
  with Checkpointer(tmp_path) as checkpointer:
    checkpointer.restore(like(state))
    checkpointer.save(7, state)
    assert checkpointer.steps() == [7]


def test_a_later_checkpoint_is_not_mixed_with_an_earlier_run(tmp_path, state):
  with Checkpointer(tmp_path) as checkpointer:
    checkpointer.save(5, state)
    checkpointer.save(10, state)
    checkpointer.restore(like(state), step=5)
    with pytest.raises(TrainingError, match='holds step 10 already') as caught:
      checkpointer.save(7, state)
    assert 'delete the folders of step 7 and above' in one_line(caught)
    assert checkpointer.steps() == [5, 10]


def test_a_half_written_checkpoint_is_never_seen(tmp_path, state):
  with Checkpointer(tmp_path) as checkpointer:
    checkpointer.save(5, state)
  folder = tmp_path / 'checkpoints'
  half = folder / '10.orbax-checkpoint-tmp'
  shutil.copytree(folder / '5', half)
  with Checkpointer(tmp_path, read_only=True) as checkpointer:
    assert checkpointer.steps() == [5]
  assert half.exists(), 'a reader must not tidy: the writer may be at work'
  with Checkpointer(tmp_path) as checkpointer:
    assert not half.exists()
    assert checkpointer.latest_step() == 5
    same_bits(checkpointer.restore(like(state)), state)
    checkpointer.save(10, state)
  assert sorted(os.listdir(folder)) == ['10', '5']


@pytest.fixture
def full_disk():
  """Makes writes beyond 100 kB of a file fail, as a full disk does."""
  soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
  resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
  yield lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
  resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_failed_write_is_one_line_and_loses_nothing(tmp_path, full_disk, caplog):
  small = {'w': jnp.arange(8.0)}
  noise = np.random.default_rng(0).standard_normal((500, 500)).astype('f')
  with Checkpointer(tmp_path) as checkpointer:
    checkpointer.save(1, small)
    checkpointer.save(2, small)
    checkpointer.save(3, {'w': jnp.asarray(noise)})
    with pytest.raises(TrainingError, match='File too large') as caught:
      checkpointer.save(4, small)
    assert f'cannot write {tmp_path}/checkpoints/3:' in one_line(caught)
    assert checkpointer.steps() == [1, 2]
    same_bits(checkpointer.restore(like(small)), small)
    full_disk()
    checkpointer.save(4, small)
  with Checkpointer(tmp_path) as checkpointer:
    assert checkpointer.steps() == [2, 4]
  assert caplog.records == []


FULL = """
import resource, sys
import jax.numpy as jnp, numpy as np
from absl import app, logging
from mobilenet.training.checkpoints import Checkpointer
from mobilenet.training.errors import TrainingError

def main(argv):
  logging.set_verbosity(logging.WARNING)
  draw = np.random.default_rng(0)
  arrays = [jnp.asarray(draw.standard_normal(3000).astype('f')) for _ in range(60)]
  with Checkpointer(argv[1]) as checkpointer:
    checkpointer.save(1, arrays)
    checkpointer.wait()
    # Each limit fails at another place: the lists, the arrays.
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(argv[2]), resource.RLIM_INFINITY))
    checkpointer.save(2, arrays)
    try:
      checkpointer.wait()
    except TrainingError as error:
      # Some threads are stopped before they begin what they were given.
      sys.left_over = never_awaited()
      sys.exit(f'error: {error}')

async def never_awaited():
  pass

app.run(main)
"""


@pytest.mark.parametrize('limit', [0, 3000])
def test_a_full_disk_is_one_line_on_the_terminal(tmp_path, limit):
  """Whatever orbax's threads have to say of it, now and after the end."""
  command = [sys.executable, '-c', FULL, tmp_path, str(limit)]
  done = subprocess.run(command, capture_output=True, text=True, check=False)
  assert done.returncode == 1
  assert done.stderr == (
    f'error: cannot write {tmp_path}/checkpoints/2: File too large; choose a '
    'folder on a disk that takes files of this size\n'
  )
  assert done.stdout == ''


def test_a_failed_write_surfaces_at_close(tmp_path, full_disk):
  noise = np.random.default_rng(0).standard_normal((500, 500)).astype('f')
  checkpointer = Checkpointer(tmp_path)
  checkpointer.save(3, {'w': jnp.asarray(noise)})
  with pytest.raises(TrainingError, match='File too large'):
    checkpointer.close()


def test_the_first_error_is_the_one_raised(tmp_path, full_disk):
  noise = np.random.default_rng(0).standard_normal((500, 500)).astype('f')
  with pytest.raises(KeyError) as caught, Checkpointer(tmp_path) as checkpointer:  # noqa: PT012
    checkpointer.save(3, {'w': jnp.asarray(noise)})
    raise KeyError('the training failed')
  assert 'File too large' in caught.value.__notes__[0]


def test_an_error_at_the_start_of_a_save(tmp_path, state, monkeypatch):
  with Checkpointer(tmp_path) as checkpointer:
    checkpointer.save(1, state)
    checkpointer.wait()

    def refuse(*args, **kwargs):
      raise OSError(30, 'Read-only file system')

    monkeypatch.setattr(checkpointer._manager, 'save', refuse)
    with pytest.raises(TrainingError, match='Read-only file system') as caught:
      checkpointer.save(2, state)
    assert 'choose a folder that can be written' in one_line(caught)
    assert checkpointer.steps() == [1]


def test_a_workdir_that_cannot_be_made(tmp_path):
  (tmp_path / 'file').write_text('')
  with pytest.raises(TrainingError, match='cannot write') as caught:
    Checkpointer(tmp_path / 'file' / 'run')
  one_line(caught)


def test_a_file_where_the_checkpoints_must_be(tmp_path):
  (tmp_path / 'checkpoints').write_text('')
  with pytest.raises(TrainingError) as caught:
    Checkpointer(tmp_path)
  assert one_line(caught) == (
    f'cannot write {tmp_path}/checkpoints: File exists; a file is where a folder must '
    'be: move it away, or choose another folder'
  )


GONE = """
import pathlib, shutil, sys
import jax.numpy as jnp
from mobilenet.training.checkpoints import Checkpointer
from mobilenet.training.errors import TrainingError

folder = pathlib.Path(sys.argv[1], 'checkpoints')
try:
  with Checkpointer(folder.parent) as checkpointer:
    checkpointer.save(1, {'w': jnp.arange(8.0)})
    checkpointer.wait()
    shutil.rmtree(folder)
    folder.write_text('')
    checkpointer.save(2, {'w': jnp.arange(8.0)})
except TrainingError as error:
  sys.exit(f'error: {error}')
"""


def test_where_no_folder_can_be_made_the_program_ends(tmp_path):
  """Threads that wait for the folder would keep it for five minutes."""
  command = [sys.executable, '-c', GONE, tmp_path]
  done = subprocess.run(
    command, capture_output=True, text=True, timeout=100, check=False
  )
  assert done.stderr == (
    f'error: cannot write {tmp_path}/checkpoints/2: Not a directory; a file is where a '
    'folder must be: move it away, or choose another folder\n'
  )
  assert done.returncode == 1


def damage(folder, kind):
  if kind == 'array data':
    for data in folder.glob('default/**/d/*'):
      os.truncate(data, data.stat().st_size // 2)
  elif kind == 'a flipped bit':
    data = max(folder.glob('default/**/d/*'), key=lambda path: path.stat().st_size)
    flip(data, data.stat().st_size // 2, 3)
  elif kind == 'manifest':
    (folder / 'default' / 'manifest.ocdbt').write_bytes(b'')
  elif kind == 'metadata':
    (folder / 'default' / '_METADATA').unlink()
  elif kind == 'checksums':
    flip(folder / 'checksums' / 'arrays.json', 40, 0)


KINDS = (
  'array data',
  'a flipped bit',
  'manifest',
  'metadata',
  'checksums',
)


def save(folder, state, *steps):
  with Checkpointer(folder, keep=len(steps)) as checkpointer:
    for step in steps:
      checkpointer.save(step, state.replace(step=jnp.int32(step)))


@pytest.mark.parametrize('kind', KINDS)
def test_of_a_damaged_checkpoint_the_one_before_is_used(
  tmp_path, state, kind, monkeypatch, capsys
):
  noise = []
  monkeypatch.setattr(sys, 'unraisablehook', noise.append)
  save(tmp_path, state, 5, 10)
  folder = tmp_path / 'checkpoints'
  damage(folder / '10', kind)
  with Checkpointer(tmp_path) as checkpointer:
    assert checkpointer.latest_step() == 10
    with pytest.raises(TrainingError, match=r'cannot be read .*choose another step'):
      checkpointer.restore(like(state), step=10)
    assert (folder / '10').is_dir(), 'one that is asked for by name stays'
    restored = checkpointer.restore(like(state))
    same_bits(restored, state.replace(step=jnp.int32(5)))
    assert checkpointer.latest_step() == 5
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f'note: checkpoint {folder}/10 cannot be read (')
    assert line.endswith('), and is now called 10.damaged; step 5 is used')
    assert len(line) < 400
    # The way from there on is free.
    checkpointer.save(10, state)
  assert sorted(os.listdir(folder)) == ['10', '10.damaged', '5']
  assert any((folder / '10.damaged').iterdir()), 'nothing of it is deleted'
  with Checkpointer(tmp_path) as checkpointer:
    same_bits(checkpointer.restore(like(state)), state)
  gc.collect()
  assert noise == [], 'the failed read complained once more when it was collected'


@pytest.mark.heavy
def test_two_damaged_in_a_row(tmp_path, state, capsys):
  save(tmp_path, state, 5, 10, 15)
  folder = tmp_path / 'checkpoints'
  damage(folder / '10', 'metadata')
  damage(folder / '15', 'array data')
  with Checkpointer(tmp_path, read_only=True) as checkpointer:
    assert int(checkpointer.restore(like(state)).step) == 5
  newer, older = capsys.readouterr().out.splitlines()
  assert newer.startswith(f'note: checkpoint {folder}/15 cannot be read (')
  assert older.startswith(f'note: checkpoint {folder}/10 cannot be read (')
  assert newer.endswith('); step 5 is used')
  assert sorted(os.listdir(folder)) == ['10', '15', '5'], 'a reader renames nothing'
  with Checkpointer(tmp_path) as checkpointer:
    assert int(checkpointer.restore(like(state)).step) == 5
  assert sorted(os.listdir(folder)) == ['10.damaged', '15.damaged', '5']


def test_where_all_are_damaged_nothing_begins_anew(tmp_path, state):
  """They keep their names: else the next start would find none, and be the first."""
  save(tmp_path, state, 5, 10)
  folder = tmp_path / 'checkpoints'
  for step in ('5', '10'):
    damage(folder / step, 'metadata')
  for _ in range(2):
    with Checkpointer(tmp_path) as checkpointer:
      with pytest.raises(TrainingError) as caught:
        checkpointer.restore(like(state))
      assert checkpointer.latest_step() == 10
    message = one_line(caught)
    assert message.startswith(f'checkpoint {folder}/10 cannot be read (')
    assert message.endswith(
      f'), nor any before it; delete {folder}, and the training starts from the '
      'beginning'
    )
  assert sorted(os.listdir(folder)) == ['10', '5']


def test_what_is_no_checkpoint_is_passed_over(tmp_path, state):
  save(tmp_path, state, 5)
  folder = tmp_path / 'checkpoints'
  (folder / 'notes').mkdir()
  (folder / 'notes' / 'x').write_text('mine')
  (folder / '10').mkdir()
  (folder / '20').write_text('a file')
  with Checkpointer(tmp_path, read_only=True) as checkpointer:
    assert checkpointer.steps() == [5]
    assert int(checkpointer.restore(like(state)).step) == 5
  assert (folder / '10').is_dir()
  with Checkpointer(tmp_path) as checkpointer:
    assert checkpointer.steps() == [5]
    checkpointer.restore(like(state))
    checkpointer.save(10, state)
  assert sorted(os.listdir(folder)) == ['10', '20', '5', 'notes']


def test_a_file_that_may_not_be_read_is_no_damage(tmp_path, state, monkeypatch):
  save(tmp_path, state, 5, 10)

  def refuse(path):
    raise PermissionError(errno.EACCES, 'Permission denied')

  monkeypatch.setattr(checkpoint_reading, 'recorded', refuse)
  with Checkpointer(tmp_path) as checkpointer:
    with pytest.raises(TrainingError, match='denied; make it readable') as caught:
      checkpointer.restore(like(state))
    one_line(caught)
    assert checkpointer.steps() == [5, 10]


class Disk:
  """Fails the saves of a manager so many times; its clock is not the machine's."""

  def __init__(self, monkeypatch, times, code=errno.ENOSPC):
    self.times, self.code, self.waited, self.tried = times, code, [], []
    manager = ocp.CheckpointManager
    save, finish = manager.save, manager.wait_until_finished

    begun = []  # and not waited for

    def begin(manager, step, **kwargs):
      save(manager, step, **kwargs)
      self.tried.append(step)
      begun.append(manager)

    def end(manager):
      finish(manager)
      if manager in begun and len(self.tried) <= self.times:
        begun.remove(manager)
        shutil.rmtree(manager.directory / str(self.tried[-1]), ignore_errors=True)
        raise ValueError(f"ABORTED: [os_error_code='{self.code}'] while writing")

    monkeypatch.setattr(manager, 'save', begin)
    monkeypatch.setattr(manager, 'wait_until_finished', end)
    monkeypatch.setattr(retries, 'sleep', self.waited.append)


def test_a_save_that_fails_is_tried_again(tmp_path, state, monkeypatch, capsys):
  save(tmp_path, state, 5)
  disk = Disk(monkeypatch, 3)
  with Checkpointer(tmp_path) as checkpointer:
    checkpointer.save(10, state)
    checkpointer.wait()
    same_bits(checkpointer.restore(like(state)), state)
    assert checkpointer.steps() == [5, 10]
  assert (disk.tried, disk.waited) == ([10, 10, 10, 10], [1, 2])
  lines = capsys.readouterr().out.splitlines()
  assert lines[0] == (
    f'note: cannot write {tmp_path}/checkpoints/10: No space left on device; it is '
    'tried again'
  )
  assert len(lines) == 3


def test_of_a_failed_save_whose_state_is_gone_the_next_one_is_made(
  tmp_path, state, monkeypatch, capsys
):
  disk = Disk(monkeypatch, 2)
  later = jax.tree.map(jnp.copy, state)
  donated = jax.tree.map(jnp.copy, state)
  with Checkpointer(tmp_path) as checkpointer:
    checkpointer.save(5, donated)
    jax.tree.map(lambda leaf: leaf.delete(), donated)
    checkpointer.save(10, later)
    assert checkpointer.steps() == [10], 'it is waited for'
    same_bits(checkpointer.restore(like(state)), state)
  assert (disk.tried, disk.waited) == ([5, 10, 10], [1])
  assert 'checkpoints/5: No space left on device; step 10 is next' in (
    capsys.readouterr().out
  )


def test_a_disk_that_stays_full_ends_it_with_one_line(tmp_path, state, monkeypatch):
  save(tmp_path, state, 5)
  disk = Disk(monkeypatch, 100)
  with pytest.raises(TrainingError) as caught, Checkpointer(tmp_path) as checkpointer:
    checkpointer.save(10, state)
  assert one_line(caught) == (
    f'cannot write {tmp_path}/checkpoints/10: No space left on device; free some space '
    'and run the same command again'
  )
  assert len(disk.tried) == 2 + len(retries.WAITS)
  assert 50 < sum(disk.waited) < 70
  with Checkpointer(tmp_path) as checkpointer:
    assert checkpointer.steps() == [5]


@pytest.mark.parametrize('gone', [True, False])
def test_where_waiting_is_no_use_nobody_waits(tmp_path, state, monkeypatch, gone):
  """The state is gone, or the disk is and remains one that cannot be written."""
  disk = Disk(monkeypatch, 100, errno.ENOSPC if gone else errno.EROFS)
  mine = jax.tree.map(jnp.copy, state)
  with pytest.raises(TrainingError), Checkpointer(tmp_path) as checkpointer:  # noqa: PT012
    checkpointer.save(10, mine)
    if gone:
      jax.tree.map(lambda leaf: leaf.delete(), mine)
  assert (disk.tried, disk.waited) == ([10], [])


def test_an_error_is_not_kept_waiting_by_a_full_disk(tmp_path, state, monkeypatch):
  disk = Disk(monkeypatch, 100)
  with pytest.raises(KeyError) as caught, Checkpointer(tmp_path) as checkpointer:  # noqa: PT012
    checkpointer.save(10, state)
    raise KeyError('the training failed')
  assert 'No space left' in caught.value.__notes__[0]
  assert disk.waited == []


def flip(path, offset, bit):
  data = bytearray(path.read_bytes())
  data[offset] ^= 1 << bit
  path.write_bytes(data)


@pytest.fixture
def little_garbage():
  """A failed read collects it; what the imports of tests made is left alone."""
  gc.collect()
  gc.freeze()
  yield
  gc.unfreeze()


@pytest.mark.usefixtures('little_garbage')
def test_every_flipped_bit_is_refused_or_harmless(tmp_path, state):
  """Of every file, and not by luck: what comes back is what was saved, or nothing."""
  with Checkpointer(tmp_path) as checkpointer:
    checkpointer.save(5, state)
    checkpointer.save(10, state)
  newest = tmp_path / 'checkpoints' / '10'
  draw = np.random.default_rng(0)
  damaged = []
  for path in sorted(p for p in newest.rglob('*') if p.is_file()):
    flips = 10 if path.parent.name == 'd' else 3
    for offset in draw.integers(0, path.stat().st_size, flips):
      bit = int(draw.integers(8))
      flip(path, offset, bit)
      with Checkpointer(tmp_path, read_only=True) as checkpointer:
        try:
          same_bits(checkpointer.restore(like(state), step=10), state)
        except TrainingError as error:
          damaged.append(str(error))
      flip(path, offset, bit)
  assert len(damaged) > 20
  for message in damaged:
    assert message.startswith(f'checkpoint {newest} cannot be read (')
    assert message.endswith('); choose another step')
    assert '\n' not in message
    assert len(message) < 400


def test_an_array_of_flipped_bits_is_named(tmp_path, state):
  with Checkpointer(tmp_path) as checkpointer:
    checkpointer.save(5, state)
    checkpointer.wait()
    folder = tmp_path / 'checkpoints' / '5'
    data = max(folder.glob('default/**/d/*'), key=lambda path: path.stat().st_size)
    flip(data, data.stat().st_size // 2, 3)
    with pytest.raises(TrainingError) as caught:
      checkpointer.restore(like(state))
  message = one_line(caught)
  assert message.startswith(f'checkpoint {folder} cannot be read (')
  assert '/block_00/conv/kernel is not what was saved)' in message


def test_a_checkpoint_without_checksums_is_read_and_said(tmp_path, state, capsys):
  """As they were made before there were any: one item, and nothing beside it."""
  folder = tmp_path / 'checkpoints'
  with ocp.CheckpointManager(
    folder, item_handlers=ocp.StandardCheckpointHandler()
  ) as manager:
    manager.save(5, args=ocp.args.StandardSave(state))
  with Checkpointer(tmp_path) as checkpointer:
    same_bits(checkpointer.restore(like(state)), state)
    assert capsys.readouterr().out == (
      f'note: checkpoint {folder}/5 has no checksums (an older version made it, or its '
      'folder checksums was removed): damage to it would go unnoticed\n'
    )
    narrower = like(state)
    narrower.params['scale'] = jax.ShapeDtypeStruct((6,), jnp.bfloat16)
    with pytest.raises(TrainingError, match=r'scale is bfloat16\[7\] there and bflo'):
      checkpointer.restore(narrower)
    checkpointer.save(10, state)
    same_bits(checkpointer.restore(like(state)), state)
  assert capsys.readouterr().out == ''


def test_checksums_are_of_the_array_on_however_many_devices(tmp_path, state):
  four = devices.first(4)
  mesh = jax.make_mesh((4,), ('data',), axis_types=(AxisType.Auto,), devices=four)
  replicated, split = (
    NamedSharding(mesh, PartitionSpec(*axes)) for axes in ((), ('data',))
  )
  values = {'w': np.arange(8.0, dtype='f'), 'b': np.float32(3)}
  there = jax.device_put(values, {'w': split, 'b': replicated})
  with Checkpointer(tmp_path) as checkpointer:
    checkpointer.save(1, there)
    for where in (replicated, jax.sharding.SingleDeviceSharding(four[1])):
      restored = checkpointer.restore(like(jax.device_put(values, where)))
      same_bits(restored, values)


def test_another_model_names_the_first_leaf_that_differs(tmp_path, state):
  with Checkpointer(tmp_path) as checkpointer:
    checkpointer.save(5, state)
    wider = like(state)
    wider.params['block_00']['conv']['kernel'] = jax.ShapeDtypeStruct(
      (3, 3, 8, 24), jnp.float32
    )
    with pytest.raises(TrainingError) as caught:
      checkpointer.restore(wider)
    assert (
      'params/block_00/conv/kernel is float32[3, 3, 8, 16] there and '
      'float32[3, 3, 8, 24] here'
    ) in one_line(caught)
    fewer = like(state)
    del fewer.params['scale']
    with pytest.raises(
      TrainingError, match=r'params/scale is bfloat16\[7\] there and ab'
    ):
      checkpointer.restore(fewer)
    retyped = like(state).replace(step=jax.ShapeDtypeStruct((), jnp.float32))
    with pytest.raises(TrainingError, match=r'step is int32\[\] there and float32'):
      checkpointer.restore(retyped)


def test_a_reader_makes_nothing(tmp_path, state):
  with Checkpointer(tmp_path / 'run', read_only=True) as checkpointer:
    assert checkpointer.latest_step() is None
    with pytest.raises(TrainingError, match='holds no checkpoint'):
      checkpointer.restore(like(state))
    with pytest.raises(TrainingError, match='opened for reading only'):
      checkpointer.save(1, state)
  assert not (tmp_path / 'run').exists()


def test_orbax_does_not_talk_to_the_terminal(tmp_path, state, caplog):
  caplog.set_level(logging.DEBUG, logger='absl')
  absl = logging.getLogger('absl')
  filters = list(absl.filters)
  with Checkpointer(tmp_path) as checkpointer:
    checkpointer.save(1, state)
    checkpointer.restore(like(state))
  assert caplog.records == []
  assert absl.filters == filters


def test_keep_0_is_refused(tmp_path):
  with pytest.raises(TrainingError, match='at least one checkpoint'):
    Checkpointer(tmp_path, keep=0)
