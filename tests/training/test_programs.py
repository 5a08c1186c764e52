"""Programs kept between starts: found untraced, and never where they don't belong."""

import json
import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mobilenet.training import programs, sharding
from mobilenet.training.programs import Programs

MESH = sharding.make_mesh(jax.devices()[:1])


class Counted:
  """A jitted function of a dict, which donates it, and how often it was traced."""

  def __init__(self, factor=2.0):
    self.traces = 0

    def scale(arrays):
      self.traces += 1
      return {name: array * factor + 1 for name, array in arrays.items()}

    self.function = jax.jit(scale, donate_argnums=0)


def call(folder, counted, *alike, size=3, name='scaling'):
  """What a start with this folder computes; all that it keeps is written."""
  kept = Programs(folder, MESH, *alike)
  arrays = {'a': jnp.arange(size, dtype=jnp.float32)}
  result = kept.kept(name, counted.function)(arrays)
  kept.close()
  assert arrays['a'].is_deleted(), 'it was given away'
  return result['a'].tolist()


def kept_files(folder):
  return sorted(path.name for path in folder.iterdir() if path.suffix != '.json')


def test_the_next_start_traces_nothing(tmp_path):
  first, second = Counted(), Counted()
  assert call(tmp_path, first, 'run') == [1, 3, 5]
  assert call(tmp_path, second, 'run') == [1, 3, 5]
  assert (first.traces, second.traces) == (1, 0)


def test_what_is_compiled_is_told_and_what_is_found_is_not(tmp_path):
  for expected in (['scaling'], []):
    programs, told = Programs(tmp_path, MESH, 'run'), []
    with programs.telling(told.append):
      programs.kept('scaling', Counted().function)({'a': jnp.ones(2)})
    programs.close()
    assert told == expected


def test_what_is_called_again_is_not_looked_for_again(tmp_path):
  counted = Counted()
  kept = Programs(tmp_path, MESH).kept('scaling', counted.function)
  for _ in range(3):
    assert kept({'a': jnp.ones(2)})['a'].tolist() == [3, 3]
  assert counted.traces == 1


def test_another_run_traces_and_finds_the_same_program(tmp_path, monkeypatch):
  call(tmp_path, Counted(), 'run')
  monkeypatch.setattr(programs, 'compile_anew', None)  # nothing is compiled
  other = Counted()
  assert call(tmp_path, other, 'another run') == [1, 3, 5]
  assert other.traces == 1
  assert len(kept_files(tmp_path)) == 1
  again = Counted()
  call(tmp_path, again, 'another run')
  assert again.traces == 0


def test_another_program_is_compiled(tmp_path):
  call(tmp_path, Counted(), 'run')
  assert call(tmp_path, Counted(3.0), 'another run') == [1, 4, 7]
  assert len(kept_files(tmp_path)) == 2


def test_one_run_keeps_several(tmp_path):
  call(tmp_path, Counted(), name='one')
  call(tmp_path, Counted(3.0), name='two')
  one, two = Counted(), Counted(3.0)
  assert call(tmp_path, one, name='one') == [1, 3, 5]
  assert call(tmp_path, two, name='two') == [1, 4, 7]
  assert (one.traces, two.traces) == (0, 0)


def test_other_arguments_are_not_given_to_a_program(tmp_path):
  call(tmp_path, Counted())
  counted = Counted()
  assert call(tmp_path, counted, size=4) == [1, 3, 5, 7]
  assert counted.traces == 1


def test_a_renamed_array_is_another_program(tmp_path):
  call(tmp_path, Counted())
  counted = Counted()
  kept = Programs(tmp_path, MESH).kept('scaling', counted.function)
  assert list(kept({'b': jnp.ones(3)})) == ['b']
  assert counted.traces == 1


@pytest.mark.parametrize('damage', [b'', b'nonsense', None])
@pytest.mark.parametrize('what', ['*.json', '*[0-9a-f]'])
def test_what_is_damaged_or_gone_is_made_anew(tmp_path, damage, what):
  call(tmp_path, Counted())
  (path,) = tmp_path.glob(what)
  if damage is None:
    path.unlink()
  else:
    path.write_bytes(damage)
  for traces in (1, 0):
    counted = Counted()
    assert call(tmp_path, counted) == [1, 3, 5]
    assert counted.traces == traces


def test_half_a_program_is_made_anew(tmp_path):
  call(tmp_path, Counted())
  (name,) = kept_files(tmp_path)
  whole = (tmp_path / name).read_bytes()
  (tmp_path / name).write_bytes(whole[: len(whole) // 2])
  assert call(tmp_path, Counted()) == [1, 3, 5]
  assert (tmp_path / name).stat().st_size > len(whole) // 2


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path):
  (tmp_path / 'programs').write_text('a file')
  assert call(tmp_path / 'programs', Counted()) == [1, 3, 5]


def test_without_a_folder_functions_stay_as_they_are():
  function = jax.jit(jnp.sin)
  assert Programs(None, MESH, 'run').kept('sine', function) is function


def test_what_jax_keeps_is_compiled_anew_and_runs(tmp_path):
  flag = 'jax_persistent_cache_min_compile_time_secs'
  before = getattr(jax.config, flag)
  jax.config.update(flag, 0.0)
  try:
    Counted().function.lower({'a': jnp.ones(3)}).compile()  # JAX keeps it
    jax.clear_caches()
    for traces in (1, 0):
      counted = Counted()
      assert call(tmp_path, counted) == [1, 3, 5]
      assert counted.traces == traces
    assert jax.config.jax_enable_compilation_cache
  finally:
    jax.config.update(flag, before)


def test_changed_code_is_noticed(tmp_path):
  class Package:
    __file__ = str(tmp_path / '__init__.py')

  def stamps():
    return list(programs._stamps([Package]))

  (tmp_path / 'inner' / '__pycache__').mkdir(parents=True)
  for name in ('__init__.py', 'inner/code.py', 'inner/__pycache__/code.py', 'text.md'):
    (tmp_path / name).write_text('1')
  before = stamps()
  assert len(before) == 2
  os.utime(tmp_path / 'inner' / 'code.py', ns=(1, 1))
  assert stamps() != before
  before = stamps()
  (tmp_path / 'inner' / 'code.py').write_text('22')
  os.utime(tmp_path / 'inner' / 'code.py', ns=(1, 1))
  assert stamps() != before


def test_another_setting_is_another_machine(monkeypatch):
  before = list(programs._machine(jax.devices()))
  assert list(programs._machine(jax.devices())) == before
  with monkeypatch.context() as changed:
    changed.setenv('XLA_FLAGS', '--xla_dump_to=elsewhere')
    assert list(programs._machine(jax.devices())) != before
  flag, value = 'jax_default_matmul_precision', jax.config.jax_default_matmul_precision
  jax.config.update(flag, 'float32')
  try:
    assert list(programs._machine(jax.devices())) != before
  finally:
    jax.config.update(flag, value)


def test_a_run_is_the_same_with_programs_of_an_earlier_one(
  make_run, tmp_path, monkeypatch
):
  kept = tmp_path / 'programs'
  first = make_run(programs=kept)(tmp_path / 'first')
  (index,) = kept.glob('*.json')
  assert sorted(json.loads(index.read_text())) == [
    'evaluation', 'first state', 'training',
  ]  # fmt: skip
  written = []
  monkeypatch.setattr(programs, '_write', lambda path, data: written.append(path))
  second = make_run(programs=kept)(tmp_path / 'second')
  assert not written, 'nothing was traced'
  for one, other in zip(
    jax.tree.leaves(first.state), jax.tree.leaves(second.state), strict=True
  ):
    np.testing.assert_array_equal(one, other)
  metrics = [run.evaluations['raw'].metrics for run in (first, second)]
  assert metrics[0] == metrics[1]
