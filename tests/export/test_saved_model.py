"""SavedModels: TensorFlow alone runs them, from images or from files' bytes."""

import subprocess
import sys

import jax
import numpy as np
import pytest
from PIL import Image

import input_pipeline
from input_pipeline import photos
from mobilenet.export import saved_model
from mobilenet.export.errors import ExportError
from mobilenet.export.runtimes import saved_model as runtime
from mobilenet.training import files
from tests.export import programs

SERVER = """
import sys
import numpy as np
import tensorflow as tf

loaded = tf.saved_model.load('network.savedmodel')
serve = loaded.signatures['serving_default']
np.save('logits.npy', serve(images=tf.constant(np.load('images.npy')))['logits'])
photo = tf.io.read_file('photo.png')
named = loaded.signatures['photos'](photos=tf.stack([photo, photo]))
np.savez('named.npz', **{name: value.numpy() for name, value in named.items()})
taken = {name.split('.')[0] for name in sys.modules}
assert not taken & {'flax', 'mobilenet', 'input_pipeline'}  # TensorFlow imports JAX
"""


@pytest.fixture(scope='module')
def path(tmp_path_factory):
  path = tmp_path_factory.mktemp('served') / 'network.savedmodel'
  return saved_model.write(programs.program('mixed'), path)


@pytest.mark.heavy
def test_a_server_needs_tensorflow_alone(path):
  folder, program = path.parent, programs.program('mixed')
  np.save(folder / 'images.npy', programs.images())
  pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
  Image.fromarray(pixels).save(folder / 'photo.png')
  subprocess.run([sys.executable, '-c', SERVER], cwd=folder, check=True, timeout=120)
  programs.assert_same(np.load(folder / 'logits.npy'), programs.logits('mixed'))

  ops = input_pipeline.parse_ops(program.contract.eval_ops(program.resolution), 'eval')
  image = photos.prepare(photos.read_photo(folder / 'photo.png'), ops)
  (logits,) = np.asarray(program.function()(image[None]))
  expected = np.exp(logits) / np.exp(logits).sum()
  order = np.argsort(-expected)
  with np.load(folder / 'named.npz', allow_pickle=True) as named:
    assert named['probabilities'].shape == (2, 3)  # of three classes
    np.testing.assert_allclose(named['probabilities'][1], expected[order], atol=1e-4)
    classes = [name.decode() for name in named['classes'][1]]
  assert classes == [program.class_names[n] for n in order]


def test_the_runtime_gives_the_logits(path):
  opened = runtime.open_file(path)
  programs.assert_same(opened.answers(programs.images()), programs.logits('mixed'))
  one = opened.answers(programs.images()[:1])
  programs.assert_same(one, programs.logits('mixed')[:1])
  assert opened.said == programs.program('mixed').said()
  assert opened.operators['DepthwiseConv2dNative'] > 1
  assert 'XlaCallModule' not in opened.operators  # which TensorFlow reads by version


def test_kernels_alone_are_stored_as_halves(tmp_path, path):
  halves = saved_model.write(programs.program('tiny'), tmp_path / 'x', 'float16')
  found = runtime.open_file(halves).answers(programs.images())
  programs.assert_same(found, programs.logits('tiny'), 3e-3)
  whole = saved_model.write(programs.program('tiny'), tmp_path / 'y')
  variables = programs.program('tiny').variables
  kernels = [leaf.nbytes for leaf in jax.tree.leaves(variables) if leaf.ndim > 1]
  saved = files.size(whole / 'variables') - files.size(halves / 'variables')
  assert saved == pytest.approx(sum(kernels) / 2, rel=0.02)


def complaint(path, **options):
  with pytest.raises(ExportError) as error:
    runtime.open_file(path, **options)
  assert '\n' not in str(error.value)
  return str(error.value)


def test_what_cannot_be_opened_is_said(tmp_path, path):
  assert 'is no SavedModel' in complaint(tmp_path / 'none.savedmodel')
  other = tmp_path / 'other.savedmodel'
  other.mkdir()
  (other / 'saved_model.pb').write_bytes(b'')
  assert 'was not exported by this project' in complaint(other)
  said = other / saved_model.SAID
  said.parent.mkdir()
  said.write_text((path / saved_model.SAID).read_text())
  assert 'cannot be read by TensorFlow' in complaint(other)
  assert 'all cores' in complaint(path, threads=1)


def test_what_cannot_be_written_is_said(tmp_path):
  (tmp_path / 'file').write_text('')
  with pytest.raises(ExportError, match=r'cannot write .*file/x: '):
    saved_model.write(programs.program('tiny'), tmp_path / 'file' / 'x')


def test_a_full_disk_is_said(tmp_path):
  """As one that takes no file of more than 2,000 bytes."""
  resource = pytest.importorskip('resource', reason='limits of files are of Unix')
  soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
  resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
  try:
    with pytest.raises(ExportError, match=r'cannot write .*x: File too large; choose'):
      saved_model.write(programs.program('tiny'), tmp_path / 'x')
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
