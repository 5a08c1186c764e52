"""Chromium visits the page of docs/browser once, for all tests of this folder."""

import dataclasses
import io
import json
import os
import pathlib
import re

import numpy as np
import pytest
from PIL import Image, ImageCms

from mobilenet.export import calibration
from mobilenet.export import graph as graphs
from mobilenet.export import onnx as onnx_export
from mobilenet.export.quantised import Quantised
from mobilenet.weights import sources
from tests import tiny
from tests.docs.browser import cases, chromium
from tests.export import programs

PAGE = tiny.ROOT / 'docs' / 'browser'
HERE = pathlib.Path(__file__).parent
PLACE = re.compile(r'https://cdn\.jsdelivr\.net/npm/onnxruntime-web@([\d.]+)/dist/')
SECONDS = 60  # without a word from the page
DECISION = {
  'temperature': 0.7,
  'accept': 0.999,
  'positive': '',
  'threshold': None,
  'of': 'val',
  'num_examples': 30,
  'step': 7,
}
CLASSES = ('n02123045', 'Löwenzahn', '<b>cup</b>')


@pytest.fixture(scope='session')
def installed() -> tuple[str, pathlib.Path]:
  """Chromium and the folder of the runtime's files, or a skip that says how to."""
  (version,) = PLACE.findall((PAGE / 'index.html').read_text(encoding='utf-8'))
  package = pathlib.Path(
    os.environ.get('ONNXRUNTIME_WEB', tiny.ROOT / 'node_modules' / 'onnxruntime-web')
  )
  how = f'npm install --no-save --prefix {tiny.ROOT} onnxruntime-web@{version}'
  program = chromium.found()
  if program is None:
    pytest.skip(f'no Chromium: none of {", ".join(chromium.NAMES)} is installed')
  if not (package / 'package.json').is_file():
    pytest.skip(
      f'onnxruntime-web is not in {package}: {how}; or name its folder in '
      'ONNXRUNTIME_WEB'
    )
  there = json.loads((package / 'package.json').read_text())['version']
  if there != version:
    pytest.skip(f'{package} is onnxruntime-web {there}, the page has {version}: {how}')
  pytest.importorskip('onnx', reason='pip install -r requirements-export.txt')
  pytest.importorskip('onnxruntime', reason='pip install -r requirements-export.txt')
  return program, package / 'dist'


@pytest.fixture(scope='session')
def networks(installed, tmp_path_factory) -> dict[str, pathlib.Path]:
  """Exported files of a network of three rows."""
  folder = tmp_path_factory.mktemp('networks')
  logits = dataclasses.replace(
    programs.program('tiny'),
    contract=dataclasses.replace(sources.TORCHVISION, resolution=cases.SIDE),
    class_names=CLASSES,
    decision=DECISION,
  )
  probable = dataclasses.replace(
    logits,
    answer='probabilities',
    contract=sources.TIMM,
    decision={**DECISION, 'accept': 0.0},
  )
  two = dataclasses.replace(
    logits, decision={**DECISION, 'positive': CLASSES[2], 'threshold': 0.001}
  )
  graph = graphs.of_program(logits, 'ONNX')
  ranges = calibration.observe(graph, [programs.images(8)]).of
  made = {
    'logits': (logits, 'float32', None),
    'probabilities': (probable, 'float16', None),
    'flagged': (two, 'float32', None),
    'int8': (logits, 'int8', Quantised(graph, ranges)),
  }
  return {
    name: onnx_export.write(program, folder / f'{name}.onnx', precision, quantised)
    for name, (program, precision, quantised) in made.items()
  }


@pytest.fixture(scope='session')
def photos(installed, tmp_path_factory) -> pathlib.Path:
  """A folder of photos, by what is peculiar to them."""
  folder = tmp_path_factory.mktemp('photos')
  photo, turned = Image.fromarray(cases.drawn(90, 131)), Image.Exif()
  turned[0x0112] = 6
  # Any profile that is not sRGB's: whoever converts by it changes every pixel.
  profile = ImageCms.ImageCmsProfile(ImageCms.createProfile('XYZ')).tobytes()
  photo.save(folder / 'plain.png')
  photo.save(folder / 'turned.png', exif=turned)
  photo.save(folder / 'profile.png', icc_profile=profile)
  photo.save(folder / 'gamma.png', pnginfo=_gamma())
  photo.convert('L').save(folder / 'grey.png')
  photo.save(folder / 'plain.jpg', quality=90)
  photo.save(folder / 'profile.jpg', quality=90, icc_profile=profile)
  photo.save(folder / 'turned.jpg', quality=90, exif=turned, subsampling=0)
  return folder


def _gamma():
  from PIL.PngImagePlugin import PngInfo

  info = PngInfo()
  info.add(b'gAMA', (100_000).to_bytes(4, 'big'))  # linear light
  return info


@pytest.fixture(scope='session')
def answers(installed, networks, photos) -> dict[str, bytes]:
  """Name of each case -> what the page said to it."""
  program, runtime = installed
  index = (PAGE / 'index.html').read_text(encoding='utf-8')
  local = PLACE.sub('/runtime/', index)  # as someone without the internet edits it
  whole = networks['logits'].read_bytes()
  see_through = io.BytesIO()
  Image.new('RGBA', (40, 40), (250, 0, 0, 100)).save(see_through, 'png')
  files = {
    '/driver.html': b'<!doctype html><script type="module" src="/driver.js"></script>',
    '/driver.js': HERE / 'driver.js',
    '/browser/': PAGE,
    '/browser/index.html': local.encode(),
    '/lost/': PAGE,
    '/lost/index.html': PLACE.sub('/gone/', index).encode(),
    '/runtime/': runtime,
    '/networks/': networks['logits'].parent,
    '/photos/': photos,
    '/odd/cut.onnx': whole[: len(whole) // 2],
    '/odd/other.onnx': _without_metadata(whole),
    '/odd/lanczos.onnx': whole.replace(b'"bilinear"', b'"lanczos3"'),
    '/odd/broken.onnx': whole.replace(b'GlobalAveragePool', b'GlobalAverageFool'),
    '/odd/network.tflite': b'\x1c\0\0\0TFL3' + bytes(100),
    '/odd/photo.heic': b'no photo',
    '/odd/glass.png': see_through.getvalue(),
  }
  files |= {
    f'/pixels/{n}': _rgba(cases.drawn(*shape)) for n, shape in enumerate(cases.SHAPES)
  }
  files['/cases.json'] = json.dumps(cases.cases(photos)).encode()
  return chromium.answers(program, '/driver.html', files, SECONDS)


def _rgba(image):
  alpha = np.full((*image.shape[:2], 1), 255, np.uint8)
  return np.concatenate([image, alpha], axis=2).tobytes()


def _without_metadata(content):
  import onnx

  model = onnx.load_from_string(content)
  del model.metadata_props[:]
  return model.SerializeToString()
