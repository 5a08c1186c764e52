"""What a file's name, content and neighbours say: padding, contract, class names."""

import dataclasses
import json

import numpy as np
import pytest

from mobilenet.weights import exporting, loading, official, own_file, preparation
from mobilenet.weights.recognition import recognise
from mobilenet.weights.sources import SOURCES, TIMM, TIMM_TF
from mobilenet.weights.torch_file import write_safetensors
from mobilenet.weights.weight_file import WeightFile, WeightsError
from tests.weights.made_weights import (
  folded,
  made,
  of_source,
  same_variables,
  source,
  their_file,
)


@pytest.mark.parametrize(
  ('pads', 'padding'),
  [
    ([None, None], 'tf'),
    ([((1, 1), (1, 1)), ((2, 2), (2, 2))], 'torch'),
    ([((0, 1), (0, 1)), ((1, 1), (1, 1))], 'keras_v1'),
    ([((1, 1), (1, 1)), None], 'tf'),
    ([], 'tf'),
  ],
)
def test_padding_of_tflite(pads, padding, monkeypatch, tmp_path):
  of = source('TFLite', 'mobilenet_v1')
  path = tmp_path / 'v1.tflite'
  path.write_bytes(b'v1')
  layers = [
    {'stride': stride, 'pad': pad, 'padded_before': pad is not None, 'padding': 'SAME'}
    for stride, pad in [*((2, pad) for pad in pads), (1, ((0, 1), (0, 1)))]
  ]
  tensors = folded(of_source(of, width=0.25), of)
  file = WeightFile(path, 'tflite', tensors, {'layers': layers})
  monkeypatch.setattr(loading, 'read', lambda path: file)
  weights = loading.load(path)
  assert weights.model['padding'] == padding


def test_what_a_graph_says_of_itself(monkeypatch, tmp_path):
  """An exported tf_ network of timm's, quantised, of images from -1 to 1."""
  (of,) = (
    s
    for s in SOURCES
    if (s.framework, s.dialect) == (TIMM_TF, 'onnx')
    and s.network == 'mobilenet_v3_small_minimalistic'
  )
  path = tmp_path / 'small.onnx'
  path.write_bytes(b'small')
  metadata = {
    'layers': [
      {'stride': 2, 'pad': ((0, 1), (0, 1)), 'padded_before': False, 'padding': 'VALID'}
    ],
    'layout': 'NCHW',
    'framework': 'timm',
    'input_size': (192, 192),
    'input_range': (-1.0, 127 / 128),
    'quantised': 'the file holds int8 weights',
  }
  file = WeightFile(path, 'onnx', folded(of_source(of), of), metadata)
  monkeypatch.setattr(loading, 'read', lambda path: file)
  weights = loading.load(path)
  assert weights.origin.startswith("timm (tf_)'s mobilenet_v3_small_minimalistic x1")
  assert weights.model['padding'] == 'tf'
  assert weights.contract.value_range() == ([-1.0] * 3, [1.0] * 3)
  assert (weights.contract.resize, weights.contract.resolution) == ('short_side', 192)
  assert weights.notes == ('the file holds int8 weights',)


@pytest.fixture(scope='module')
def timm_small():
  of = source(TIMM_TF, 'mobilenet_v3_small')
  return exporting._tensors(of_source(of), of)


@pytest.mark.parametrize(
  ('name', 'padding'), [('tf_mobilenetv3_small_100.pth', 'tf'), ('mine.pth', 'torch')]
)
def test_the_name_of_a_file_tells_tf_from_timm(timm_small, tmp_path, name, padding):
  path = tmp_path / name
  write_safetensors(path, timm_small)
  weights = loading.load(path)
  assert weights.model['padding'] == padding
  assert weights.model['norm_epsilon'] == (1e-3 if padding == 'tf' else 1e-5)
  assert weights.contract.mean == (
    (0.5,) * 3 if padding == 'tf' else (0.485, 0.456, 0.406)
  )
  assert bool(weights.notes) == (padding == 'torch')
  assert f'in {name}' in weights.origin


def test_config_json_tells_tf_and_the_contract(timm_small, tmp_path):
  write_safetensors(tmp_path / 'model.safetensors', timm_small)
  config = {
    'architecture': 'tf_mobilenetv3_small_100',
    'num_classes': 7,
    'label_names': list('abcdefg'),
    'pretrained_cfg': {
      'mean': [0.1, 0.2, 0.3],
      'std': [0.4, 0.4, 0.4],
      'crop_pct': 0.95,
      'interpolation': 'bicubic',
      'crop_mode': 'squash',
      'input_size': [3, 192, 192],
    },
  }
  (tmp_path / 'config.json').write_text(json.dumps(config))
  weights = loading.load(tmp_path / 'model.safetensors')
  contract = weights.contract
  assert weights.model['padding'] == 'tf'
  assert weights.class_names == tuple('abcdefg')
  assert weights.notes == ()
  assert (contract.mean, contract.std) == ((0.1, 0.2, 0.3), (0.4, 0.4, 0.4))
  assert (contract.crop_fraction, contract.interpolation) == (0.95, 'bicubic')
  assert (contract.resize, contract.resolution) == ('squash', 192)


def test_a_published_name_with_other_content_is_refused(tmp_path, monkeypatch):
  of = source('torchvision', 'mobilenet_v2')
  tensors = exporting._tensors(of_source(of, width=0.35), of)
  path = tmp_path / 'mobilenet_v2-b0353104.pth'
  write_safetensors(path, tensors)
  with pytest.raises(WeightsError, match=r'damaged, or is another file: its SHA') as e:
    loading.load(path)
  assert 'has b0353104...; fetch it again from https://download.pytorch.org' in str(
    e.value
  )
  assert '\n' not in str(e.value)
  assert loading.load(path.rename(tmp_path / 'mine-20240131.pth'))


@pytest.mark.parametrize('value', [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused_with_their_array(value, tmp_path):
  of = source('torchvision', 'mobilenet_v2')
  tensors = dict(exporting._tensors(of_source(of, width=0.35), of))
  path = tmp_path / 'damaged.safetensors'
  for name in ('features.3.conv.2.weight', 'features.4.conv.1.1.running_var'):
    spoiled = np.array(tensors[name])
    spoiled.flat[3] = value
    write_safetensors(path, tensors | {name: spoiled})
    with pytest.raises(WeightsError, match='not finite, in 1 of') as error:
      loading.load(path)
    assert f'such as {name}: it is damaged' in str(error.value)
    assert '\n' not in str(error.value)


def test_own_files_are_looked_at_as_well(tmp_path):
  weights = made('mobilenet_v1', width=0.25)
  head = next(iter(own_file.flatten(weights.variables)))
  arrays = own_file.flatten(weights.variables)
  arrays[head] = np.full_like(arrays[head], np.nan)
  path = tmp_path / 'weights.safetensors'
  own_file.save(
    path, dataclasses.replace(weights, variables=own_file.unflatten(arrays))
  )
  with pytest.raises(WeightsError, match=f'such as {head}: it is damaged'):
    loading.load(path)


def test_a_published_file_is_known_by_its_content(tmp_path, monkeypatch):
  of = source('torchvision', 'mobilenet_v2')
  path = tmp_path / 'renamed.bin'
  write_safetensors(path, exporting._tensors(of_source(of, width=0.35), of))
  url = f'https://example.org/mobilenet_v2-{official.sha256(path)[:8]}.pth'
  known = official.Official(url, 'torchvision', 70.0, resize=232)
  assert 'as published' not in loading.load(path).origin
  assert loading.load(path).contract.crop_fraction == 0.875
  monkeypatch.setattr(official, 'OFFICIAL', (known,))
  weights = loading.load(path)
  assert 'as published' in weights.origin
  assert weights.contract.eval_ops().startswith('resize_small(232,')


def test_a_thousand_classes_are_imagenets(tmp_path):
  of = source('timm', 'mobilenet_v1')
  path = tmp_path / 'v1.safetensors'
  for classes, first in ((1000, 'n01440764'), (1001, 'n01440764'), (999, None)):
    weights = of_source(of, width=0.25, num_classes=classes)
    write_safetensors(path, exporting._tensors(weights, of))
    loaded = loading.load(path)
    assert (loaded.class_names or (None,))[0] == first
    assert loaded.contract.label_offset == (classes == 1001)


@pytest.mark.parametrize(
  ('metadata', 'mean', 'std'),
  [
    ({'rescaling': (1 / 127.5, -1.0)}, (0.5,) * 3, (0.5,) * 3),
    ({'rescaling': (1 / 255, 0.0)}, (0.0,) * 3, (1.0,) * 3),
    ({'input_scale': 1 / 127.5, 'input_offset': -1.0}, (0.5,) * 3, (0.5,) * 3),
    (
      {'normalisation': {'mean': [127.5], 'std': [127.5]}},
      (0.5,) * 3,
      (0.5,) * 3,
    ),
    (
      {'normalisation': {'mean': (51, 102, 153), 'std': (255, 255, 255)}},
      (0.2, 0.4, 0.6),
      (1.0,) * 3,
    ),
    ({}, (0.5,) * 3, (0.5,) * 3),
  ],
  ids=str,
)
def test_what_a_file_says_of_its_images(metadata, mean, std):
  of = source('keras.applications', 'mobilenet_v1')
  file = their_file(of_source(of, width=0.25), of, input_size=(96, 96), **metadata)
  fitted = recognise(file)
  contract, notes = preparation.contract_of(fitted, file, None)
  assert contract.mean == pytest.approx(mean)
  assert contract.std == pytest.approx(std)
  assert contract.resolution == 96
  assert notes == []
  guessed = preparation.assumed(fitted, file, None)
  always = ('resize', 'crop_fraction', 'interpolation', 'antialias', 'channel_order')
  assert guessed == (always if metadata else ('mean', 'std', *always))


def test_images_prepared_by_layers_that_cannot_be_read():
  of = source('keras.applications', 'mobilenet_v1')
  file = their_file(of_source(of, width=0.25), of, unknown_preprocessing=['lambda_1'])
  with pytest.raises(WeightsError, match='cannot be read: lambda_1; save the network'):
    preparation.contract_of(recognise(file), file, None)


def test_own_files_keep_everything(tmp_path):
  weights = dataclasses.replace(
    made('mobilenet_v1', width=0.25, padding='torch', contract=TIMM),
    class_names=tuple('äbcdefg'),
  )
  own_file.save(tmp_path / 'mine.safetensors', weights)
  loaded = loading.load(tmp_path / 'mine.safetensors')
  assert same_variables(loaded.variables, weights.variables)
  assert dataclasses.replace(loaded, variables=weights.variables) == weights


@pytest.mark.parametrize('said', ['[]', '{', '{"origin": ""}', '{"contract": 3}'])
def test_own_files_with_broken_metadata(said, tmp_path):
  path = tmp_path / 'mine.safetensors'
  write_safetensors(path, {'params/a': np.zeros(2, np.float32)}, {own_file.KEY: said})
  with pytest.raises(WeightsError, match=r'mine\.safetensors has broken metadata'):
    loading.load(path)


def test_own_files_that_are_damaged(tmp_path):
  """One bit at a time, in the header and in the numbers: refused, or no harm done."""
  path = tmp_path / 'mine.safetensors'
  weights = own_file.Weights(
    origin='mine',
    model={'name': 'mobilenet_v1', 'num_classes': 2},
    variables={'params': {'head': {'kernel': np.arange(12, dtype=np.float32)}}},
    contract=None,
    class_names=('ash', 'birch'),
  )
  own_file.save(path, weights)
  data = path.read_bytes()
  draw = np.random.default_rng(0)
  said = set()
  for offset in [*range(len(data) - 48, len(data)), *draw.integers(0, len(data), 60)]:
    flipped = bytearray(data)
    flipped[offset] ^= 1 << int(draw.integers(8))
    path.write_bytes(flipped)
    try:
      loaded = loading.load(path)
    except WeightsError as error:
      said.add(str(error))
    else:
      assert offset < len(data) - 48
      assert same_variables(loaded.variables, weights.variables)
      assert loaded.class_names == weights.class_names
  assert (
    f'{path} is damaged: it is not what was written; fetch or write it again' in said
  )


def test_own_files_without_a_checksum_say_so(tmp_path):
  path = tmp_path / 'mine.safetensors'
  said = dict.fromkeys(('origin', 'contract', 'class_names', 'has_head'))
  said = json.dumps(said | {'model': {'name': 'mobilenet_v1'}})
  write_safetensors(path, {'params/a': np.zeros(2, np.float32)}, {own_file.KEY: said})
  assert loading.load(path).notes == (
    f'{path} has no checksum: damage to it would go unnoticed',
  )
