"""ONNX files in the runtimes that people have: the same logits, or one line."""

import importlib.util
import subprocess
import sys

import numpy as np
import pytest

from mobilenet.export import onnx as onnx_export
from mobilenet.export.errors import ExportError
from mobilenet.export.runtimes import onnx_runtime, open_vino
from tests.export import programs
from tests.tiny import ROOT

INSTALL = 'pip install -r requirements-export.txt'
onnx = pytest.importorskip('onnx', reason='onnx is not installed: pip install onnx')
RUNTIMES = {'onnxruntime': onnx_runtime, 'openvino': open_vino}


def skip_without(package):
  if importlib.util.find_spec(package) is None:  # importing OpenVINO here reports it
    pytest.skip(f'{package} is not installed: {INSTALL}')


@pytest.fixture(params=list(RUNTIMES))
def runtime(request):
  skip_without(request.param)
  return RUNTIMES[request.param]


@pytest.fixture(scope='module')
def paths(tmp_path_factory):
  folder = tmp_path_factory.mktemp('onnx')
  return {
    name: onnx_export.write(programs.program(name, **options), folder / f'{name}.onnx')
    for name, options in NETWORKS
  }


NETWORKS = [
  ('tiny', {}),
  ('mixed', {}),
  ('shufflenet_v1_g3', {'width': 0.25}),
  ('shufflenet_v2', {'width': 0.5}),
]


@pytest.mark.parametrize(('name', 'options'), NETWORKS, ids=str)
def test_logits_are_those_of_the_network(runtime, paths, name, options):
  opened = runtime.open_file(paths[name], threads=1)
  wanted = programs.logits(name, **options)
  programs.assert_same(opened.answers(programs.images()), wanted)
  # Any batch, and both halves of an optimised graph in another order.
  programs.assert_same(opened.answers(programs.images()[:1]), wanted[:1])


def test_halves_are_computed_with_as_floats(runtime, tmp_path):
  program = programs.program('tiny')
  path = onnx_export.write(program, tmp_path / 'half.onnx', 'float16')
  found = runtime.open_file(path).answers(programs.images())
  programs.assert_same(found, programs.logits('tiny'), 3e-3)
  assert found.dtype == np.float32


def test_what_is_known_of_a_file(runtime, paths):
  opened = runtime.open_file(paths['tiny'])
  assert opened.said == programs.program('tiny').said()
  assert (opened.image_shape, opened.batch) == ((32, 32, 3), None)
  assert opened.name in ('onnxruntime', 'OpenVINO')
  convolutions = opened.operators['Conv'] + opened.operators['Convolution']
  assert convolutions == 7


def complaint(call, *arguments):
  with pytest.raises(ExportError) as error:
    call(*arguments)
  assert '\n' not in str(error.value)
  return str(error.value)


def test_images_of_another_size_are_refused(runtime, paths):
  opened = runtime.open_file(paths['tiny'])
  said = complaint(opened.answers, programs.images(2, 24))
  assert '(2, 24, 24, 3)' in said
  assert '(32, 32, 3)' in said


def test_what_cannot_be_opened_is_said(runtime, paths, tmp_path):
  assert 'does not exist' in complaint(runtime.open_file, tmp_path / 'none.onnx')
  cut = tmp_path / 'cut.onnx'
  cut.write_bytes(paths['tiny'].read_bytes()[:5000])
  assert 'cut.onnx cannot be read by' in complaint(runtime.open_file, cut)
  model = onnx.load(paths['tiny'])
  del model.metadata_props[:]
  other = tmp_path / 'other.onnx'
  onnx.save(model, other)
  assert 'not exported by this project' in complaint(runtime.open_file, other)


def test_openvino_starts_no_process_of_its_own(paths):
  skip_without('openvino')
  program = (
    'import os, sys; forks = []; '
    'os.register_at_fork(before=lambda: forks.append(1)); '
    'from mobilenet.export.runtimes import open_vino; '
    'open_vino.open_file(sys.argv[1]); '
    'import threading; '
    'others = set(threading.enumerate()) - {threading.current_thread()}; '
    '[thread.join(5) for thread in others]; '
    'assert not forks; assert "openvino_telemetry" not in sys.modules'
  )
  subprocess.run(
    [sys.executable, '-c', program, paths['tiny']], check=True, cwd=ROOT, timeout=120
  )


@pytest.mark.parametrize('name', list(RUNTIMES))
def test_a_runtime_that_is_not_installed(name, paths, monkeypatch):
  monkeypatch.setitem(sys.modules, name, None)
  said = complaint(RUNTIMES[name].open_file, paths['tiny'])
  assert said.endswith(f'the package {name}: {INSTALL}')
