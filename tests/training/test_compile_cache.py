"""The cache of compiled programs: on by default, and JAX's own settings win."""

import pathlib
import subprocess
import sys

import pytest

from mobilenet.models import user_cache

SCRIPT = """
import jax
from mobilenet.training.compile_cache import use_compile_cache
print(use_compile_cache())
jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.0)
jax.jit(lambda x: x * 2 + 1)(3.0)
print(jax.config.jax_compilation_cache_dir)
"""


def run(home, **environment):
  process = subprocess.run(
    [sys.executable, '-c', SCRIPT],
    env={
      'PATH': '',
      'XDG_CACHE_HOME': str(home),
      'JAX_PLATFORMS': 'cpu',
      **environment,
    },
    cwd=pathlib.Path(__file__).parents[2],
    capture_output=True,
    text=True,
    check=True,
  )
  return process.stdout.split()


def test_programs_are_kept_in_the_users_cache_folder(tmp_path):
  folder = tmp_path / 'mobilenet-jax' / 'xla' / user_cache.processor()
  assert run(tmp_path) == [str(folder), str(folder)]
  assert list(folder.iterdir())


@pytest.mark.parametrize(
  ('setting', 'cache'),
  [('JAX_COMPILATION_CACHE_DIR', 'elsewhere'), ('JAX_ENABLE_COMPILATION_CACHE', None)],
)
def test_settings_of_jax_win(tmp_path, setting, cache):
  value = str(tmp_path / cache) if cache else '0'
  assert run(tmp_path, **{setting: value}) == ['None', value if cache else 'None']
  assert not (tmp_path / 'mobilenet-jax').exists()


def test_a_home_that_cannot_be_written_is_no_error(tmp_path):
  (tmp_path / 'mobilenet-jax').write_text('a file, not a folder')
  assert run(tmp_path) == ['None', 'None']


def test_processors_have_names_of_their_own(monkeypatch, tmp_path):
  told = tmp_path / 'cpuinfo'
  monkeypatch.setattr(user_cache, 'CPU_INFO', told)
  names = set()
  for flags in ('sse2 avx', 'sse2 avx avx512f'):
    told.write_text(f'processor\t: 0\nflags\t\t: {flags}\nprocessor\t: 1\n')
    names.add(user_cache.processor())
  told.unlink()
  names.add(user_cache.processor())
  assert len(names) == 3
