"""The page of docs/browser in Chromium: it answers as --job=predict does.

Chromium is started once, for all cases of this file.
"""

import csv
import dataclasses
import io
import json
import os
import pathlib
import re

import numpy as np
import pytest
from PIL import Image, ImageCms

import input_pipeline
from input_pipeline import photos as photo_files
from mobilenet.export import calibration
from mobilenet.export import graph as graphs
from mobilenet.export import onnx as onnx_export
from mobilenet.export.quantised import Quantised
from mobilenet.weights import sources
from mobilenet.weights.contract import Contract
from tests import tiny
from tests.docs import chromium
from tests.export import programs

PAGE = tiny.ROOT / 'docs' / 'browser'
HERE = pathlib.Path(__file__).parent
PLACE = re.compile(r'https://cdn\.jsdelivr\.net/npm/onnxruntime-web@([\d.]+)/dist/')
SECONDS = 60  # without a word from the page

CONTRACTS = {
  'torchvision': sources.TORCHVISION,
  'timm': sources.TIMM,
  'timm_whole': dataclasses.replace(sources.TIMM, crop_fraction=1.0),
  'slim': sources.SLIM,
  'keras': Contract(crop_fraction=1.0),
  'caffe': Contract(
    mean=(0.408, 0.459, 0.482), std=(0.0039, 0.0040, 0.0041), channel_order='bgr'
  ),
  'bicubic': Contract(interpolation='bicubic', resize='short_side'),
  'area': Contract(interpolation='area', crop_fraction=0.9),
  'nearest': Contract(interpolation='nearest', resize='short_side', antialias=True),
}
# Wide, high and odd, of fewer pixels than the network takes, of one row.
SHAPES = ((150, 211), (240, 97), (33, 33), (20, 27), (1, 40))
SIDE = 32

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
SHOWN = ('tabby', 'Löwenzahn', '<b>cup</b>')

# Network -> the photos that it is tried on besides plain.png.
MANY = {
  'logits': ('plain.jpg', 'turned.png', 'turned.jpg', 'profile.png', 'grey.png'),
  'probabilities': ('turned.png',),
  'flagged': (),
  'int8': ('turned.png', 'grey.png'),
}
# File -> what the page says of it.
WRITE_ONE = 'write one with python main.py --job=export --format=onnx'
BAD_NETWORKS = {
  'cut.onnx': f'is not a whole ONNX file (it ends within a field); {WRITE_ONE}',
  'network.tflite': f'is not a whole ONNX file (it has no such field); {WRITE_ONE}',
  'other.onnx': f'does not say how photos are prepared for it; {WRITE_ONE}',
  'lanczos.onnx': 'interpolation lanczos3 is none of bilinear, bicubic, nearest, area',
  'broken.onnx': 'cannot be run by onnxruntime: ',
}


# ---- what is given to the page -------------------------------------------------------


@pytest.fixture(scope='module')
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


@pytest.fixture(scope='module')
def networks(installed, tmp_path_factory) -> dict[str, pathlib.Path]:
  """Exported files of a network of three rows."""
  folder = tmp_path_factory.mktemp('networks')
  logits = dataclasses.replace(
    programs.program('tiny'),
    contract=dataclasses.replace(sources.TORCHVISION, resolution=SIDE),
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


def drawn(height, width, seed=0):
  """A photo of soft colours, with its noise."""
  rng = np.random.default_rng(seed)
  coarse = Image.fromarray(rng.integers(0, 256, (5, 6, 3)).astype(np.uint8))
  soft = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC))
  return (soft + rng.normal(0, 8, soft.shape)).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope='module')
def photos(installed, tmp_path_factory) -> pathlib.Path:
  """A folder of photos, by what is peculiar to them."""
  folder = tmp_path_factory.mktemp('photos')
  photo, turned = Image.fromarray(drawn(90, 131)), Image.Exif()
  turned[0x0112] = 6
  # Any profile that is not sRGB's: whoever converts by it changes every pixel.
  profile = ImageCms.ImageCmsProfile(ImageCms.createProfile('XYZ')).tobytes()
  photo.save(folder / 'plain.png')
  photo.save(folder / 'turned.png', exif=turned)
  photo.save(folder / 'profile.png', icc_profile=profile)
  photo.save(folder / 'gamma.png', pnginfo=_gamma())
  photo.convert('L').save(folder / 'grey.png')
  photo.save(folder / 'plain.jpg', quality=90)
  photo.save(folder / 'turned.jpg', quality=90, exif=turned, subsampling=0)
  return folder


def _gamma():
  from PIL.PngImagePlugin import PngInfo

  info = PngInfo()
  info.add(b'gAMA', (100_000).to_bytes(4, 'big'))  # linear light
  return info


@pytest.fixture(scope='module')
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
  files |= {f'/pixels/{n}': _rgba(drawn(*shape)) for n, shape in enumerate(SHAPES)}
  files['/cases.json'] = json.dumps(_cases(photos)).encode()
  return chromium.answers(program, '/driver.html', files, SECONDS)


def _rgba(image):
  alpha = np.full((*image.shape[:2], 1), 255, np.uint8)
  return np.concatenate([image, alpha], axis=2).tobytes()


def _without_metadata(content):
  import onnx

  model = onnx.load_from_string(content)
  del model.metadata_props[:]
  return model.SerializeToString()


def _cases(photos):
  names = sorted(path.name for path in photos.iterdir())
  decoded = [{'name': f'pixels-{name}', 'photo': f'/photos/{name}'} for name in names]
  prepared = [
    {
      'name': f'{name}-{number}',
      'pixels': f'/pixels/{number}',
      'height': height,
      'width': width,
      'contract': contract.as_dict(),
      'side': SIDE,
    }
    for name, contract in CONTRACTS.items()
    for number, (height, width) in enumerate(SHAPES)
  ]
  shown = [
    {
      'query': f'?model=/networks/{network}.onnx&photo=/photos/plain.png',
      'steps': [{'name': f'{network}-plain.png'}]
      + [
        {'name': f'{network}-{name}', 'picked': {'photo': f'/photos/{name}'}}
        for name in MANY[network]
      ],
    }
    for network in MANY
  ]
  good, photo = '/networks/logits.onnx', '/photos/plain.png'
  mistakes = [
    {'name': name, 'dropped': [f'/odd/{name}']}
    for name in ('photo.heic', *BAD_NETWORKS)
  ]
  shown += [
    {'query': '', 'steps': [{'name': 'nothing'}]},
    {
      'query': '',
      'steps': [
        {'name': 'photo alone', 'picked': {'photo': photo}},
        {'name': 'both picked', 'picked': {'model': good}},
        *mistakes,
        {'name': 'both dropped', 'dropped': [photo, good]},
        {'name': 'glass', 'picked': {'photo': '/odd/glass.png'}},
      ],
    },
    {
      'query': '?model=/nowhere/network.onnx&photo=/nowhere/rose.png',
      'steps': [{'name': 'nowhere'}],
    },
    {
      'page': '/lost/index.html',
      'query': f'?model={good}',
      'steps': [{'name': 'no runtime'}],
    },
  ]
  return {'decoded': decoded, 'prepared': prepared, 'shown': shown}


# ---- what it answers -----------------------------------------------------------------


@pytest.mark.parametrize('number', range(len(SHAPES)))
@pytest.mark.parametrize('name', CONTRACTS)
def test_photos_are_prepared_as_for_evaluation(answers, name, number):
  ops = input_pipeline.parse_ops(CONTRACTS[name].eval_ops(SIDE), 'eval')
  wanted = photo_files.prepare(drawn(*SHAPES[number]), ops)
  found = np.frombuffer(answers[f'{name}-{number}'], np.float32)
  found = found.reshape(3, SIDE, SIDE).transpose(1, 2, 0)
  # Rounding of float32 on the scale 0..255, divided as the values are.
  scale = 1 / (255 * min(CONTRACTS[name].std))
  np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-4 * scale)


def test_photos_are_decoded_as_for_evaluation(answers, photos):
  for path in sorted(photos.iterdir()):
    wanted = photo_files.read_photo(path)
    found = np.frombuffer(answers[f'pixels-{path.name}'], np.uint8)
    found = found.reshape(*wanted.shape[:2], 4)[..., :3]
    apart = np.abs(found.astype(int) - wanted)
    # PNG says what a pixel is. Of a JPEG each decoder rounds on its own.
    assert apart.max() <= (2 if path.suffix == '.jpg' else 0), path.name
    assert apart.mean() < 0.05, path.name


@pytest.fixture(scope='module')
def predicted(networks, photos, tmp_path_factory):
  """Of each network, each photo's probabilities by class, as --job=predict has them."""
  said = {}
  for name, path in networks.items():
    out = tmp_path_factory.mktemp(name)
    done = tiny.run('--job=predict', f'--exported={path}', f'--out={out}', photos)
    assert done.returncode == 0, done.stderr
    said[name] = rows = {}
    with (out / 'predictions.csv').open(encoding='utf-8') as file:
      for row in csv.DictReader(file):
        photo = pathlib.Path(row['photo']).name
        rows.setdefault(photo, []).append((row['name'], float(row['probability'])))
  return said


@pytest.mark.parametrize('network', MANY)
def test_answers_are_those_of_predict(answers, predicted, network):
  for photo in ('plain.png', *MANY[network]):
    said = said_at(answers, f'{network}-{photo}')
    wanted = predicted[network][photo]
    assert said['errors'] == []
    assert [name for name, _, _ in said['answers']] == [name for name, _ in wanted]
    found = [probability for _, probability, _ in said['answers']]
    # The CSV has six digits. What a JPEG's decoder rounds is far below a percent.
    apart = 1e-3 if photo.endswith('.jpg') else 2e-6
    np.testing.assert_allclose(found, [p for _, p in wanted], rtol=0, atol=apart)
    texts = [text for _, _, text in said['answers']]
    assert texts == [f'{100 * probability:.1f} %' for probability in found]


def said_at(answers, name):
  return json.loads(answers[name])


def test_classes_have_the_names_that_people_know(answers):
  names = {name for name, _, _ in said_at(answers, 'logits-plain.png')['answers']}
  assert names == set(SHOWN)


def test_what_the_decision_says_of_a_photo(answers):
  none = 'None of these: no class has 99.9 %.'
  flagged = 'Flagged as <b>cup</b>: it has 0.1 % or more.'
  for network, remarks in {
    'logits': [none],
    'probabilities': [],
    'flagged': [none, flagged],
  }.items():
    assert said_at(answers, f'{network}-plain.png')['remarks'] == remarks


def test_the_page_says_what_it_does(answers):
  said = said_at(answers, 'logits-plain.png')
  assert re.fullmatch(
    r'plain\.png: \S+, \d+\.\d %\. Prepared in \d+ ms, computed in \d+ ms\.',
    said['status'],
  )
  assert re.fullmatch(
    r'logits\.onnx: tiny, 3 classes, 0\.\d MB; central square of the short side at '
    r'32 px, bilinear, temperature 0\.700\.',
    said['facts'],
  )
  assert said['alt'] == 'plain.png'


def test_files_are_picked_and_dropped(answers):
  assert said_at(answers, 'nothing')['status'] == 'Choose a network and a photo.'
  alone = said_at(answers, 'photo alone')
  assert (alone['status'], alone['alt']) == ('Choose a network.', 'plain.png')
  wanted = said_at(answers, 'logits-plain.png')['answers']
  # The second follows files that could not be used.
  for name in ('both picked', 'both dropped'):
    said = said_at(answers, name)
    assert (said['answers'], said['errors']) == (wanted, [])


def test_transparency_is_said(answers):
  said = said_at(answers, 'glass')
  assert said['remarks'][-1] == 'What is transparent in this photo counts as black.'


@pytest.mark.parametrize('name', BAD_NETWORKS)
def test_a_network_that_cannot_be_used_is_one_line(answers, name):
  said = said_at(answers, name)
  (line,) = [line for line in said['errors'] if line.startswith(name)]
  assert BAD_NETWORKS[name] in line
  assert '\n' not in line
  assert said['answers'] == []
  assert said['facts'] == ''


def test_a_photo_that_cannot_be_used_is_one_line(answers):
  said = said_at(answers, 'photo.heic')
  assert said['errors'] == ['photo.heic cannot be read here: save it as JPEG or PNG']
  assert said['status'] == 'Choose a photo.'


def test_addresses_that_lead_nowhere(answers):
  assert said_at(answers, 'nowhere')['errors'] == [
    '/nowhere/network.onnx cannot be fetched: the server answers 404',
    '/nowhere/rose.png cannot be fetched: the server answers 404',
  ]


def test_a_runtime_that_is_not_there(answers):
  (line,) = said_at(answers, 'no runtime')['errors']
  assert line.startswith('onnxruntime-web cannot be loaded from http://')
  assert line.endswith('/gone/ort.wasm.bundle.min.mjs: see index.html')
