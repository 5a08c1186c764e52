"""StableHLO files: JAX and NumPy are all that running one takes."""

import subprocess
import sys

import numpy as np
import pytest

from mobilenet.export import stablehlo
from mobilenet.export.errors import ExportError
from mobilenet.export.runtimes import stable_hlo
from tests.export import programs

# The lines of the module's docstring, and what shows that they are enough.
LINES = stablehlo.__doc__.split('run it:\n')[1].split('\n\nConv')[0]
AFTER = """
import sys
taken = {name.split('.')[0] for name in sys.modules}
assert not taken & {'flax', 'mobilenet', 'tensorflow'}, taken
images = np.load('images.npy')
np.save('logits.npy', program.call(weights, images))
"""


@pytest.fixture(scope='module')
def path(tmp_path_factory):
  path = tmp_path_factory.mktemp('stablehlo') / 'network.npz'
  return stablehlo.write(programs.program('mixed'), path)


def test_ten_lines_run_it(path):
  np.save(path.with_name('images.npy'), programs.images())
  lines = '\n'.join(line.removeprefix('    ') for line in LINES.splitlines())
  assert len([line for line in lines.splitlines() if line.strip()]) <= 11
  subprocess.run(
    [sys.executable, '-c', lines + AFTER], cwd=path.parent, check=True, timeout=120
  )
  found = np.load(path.with_name('logits.npy'))
  programs.assert_same(found, programs.logits('mixed'))


def test_the_runtime_gives_the_logits(path):
  opened = stable_hlo.open_file(path)
  programs.assert_same(opened.answers(programs.images()), programs.logits('mixed'))
  programs.assert_same(
    opened.answers(programs.images()[:1]), programs.logits('mixed')[:1]
  )
  assert opened.said == programs.program('mixed').said()
  assert (opened.name, opened.batch, opened.image_shape) == ('JAX', None, (32, 32, 3))
  assert opened.operators['convolution'] > 0


def test_kernels_alone_are_stored_as_halves(tmp_path, path):
  halves = stablehlo.write(programs.program('tiny'), tmp_path / 'x.npz', 'float16')
  with np.load(halves) as file:
    assert file['weights/params/head/classifier/kernel'].dtype == np.float16
    assert file['weights/params/head/classifier/bias'].dtype == np.float32
  found = stable_hlo.open_file(halves).answers(programs.images())
  programs.assert_same(found, programs.logits('tiny'), 3e-3)


def complaint(path, **options):
  with pytest.raises(ExportError) as error:
    stable_hlo.open_file(path, **options)
  assert '\n' not in str(error.value)
  return str(error.value)


def test_what_cannot_be_opened_is_said(tmp_path, path):
  assert 'does not exist' in complaint(tmp_path / 'none.npz')
  other = tmp_path / 'other.npz'
  np.savez(other, a=np.zeros(3))
  assert 'was not exported by this project' in complaint(other)
  cut = tmp_path / 'cut.npz'
  cut.write_bytes(path.read_bytes()[:2000])
  assert 'cut.npz cannot be read by JAX' in complaint(cut)
  text = tmp_path / 'text.npz'
  text.write_text('no archive')
  assert 'text.npz cannot be read by JAX' in complaint(text)
  assert 'all cores' in complaint(path, threads=1)
