"""The cache of compiled programs: on by default, and JAX's own settings win."""

import os
import pathlib
import subprocess
import sys
import time

import pytest

from mobilenet.models import user_cache
from mobilenet.training.compile_cache import tidy

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


def test_what_is_old_and_the_oldest_of_too_much_is_removed(tmp_path):
  now = time.time()
  (tmp_path / 'folder').mkdir()
  for name, days, size in (('a', 1, 60), ('b', 2, 30), ('c', 3, 20), ('d', 90, 1)):
    path = tmp_path / name
    path.write_bytes(bytes(size))
    os.utime(path, (now - 86_400 * days,) * 2)

  def left():
    return sorted(path.name for path in tmp_path.iterdir())

  tidy(tmp_path, most_bytes=1000, most_days=60)
  assert left() == ['a', 'b', 'c', 'folder']
  tidy(tmp_path, most_bytes=100, most_days=60)
  assert left() == ['a', 'b', 'folder']
  tidy(tmp_path / 'missing', most_bytes=0, most_days=0)


def test_what_was_read_counts_as_used(tmp_path):
  now = time.time()
  for name, read in (('read', now), ('forgotten', now - 86_400 * 90)):
    (tmp_path / name).write_bytes(b'x')
    os.utime(tmp_path / name, (read, now - 86_400 * 90))
  tidy(tmp_path, most_bytes=1000, most_days=60)
  assert [path.name for path in tmp_path.iterdir()] == ['read']
