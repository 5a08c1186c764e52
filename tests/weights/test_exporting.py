"""Our weights in other frameworks' files, and back."""

import dataclasses

import numpy as np
import pytest
from safetensors.numpy import load_file

from mobilenet.models import zoo
from mobilenet.weights import exporting, loading, own_file
from mobilenet.weights.sources import TIMM, TIMM_TF
from mobilenet.weights.weight_file import WeightsError
from tests.weights.made_weights import made, of_source, same_variables, source

SUFFIX = {'keras': '.h5'}
TORCH = {'padding': 'torch', 'norm_epsilon': 1e-5}
TF = {'padding': 'tf', 'norm_epsilon': 1e-3}
KERAS_V1 = {'padding': 'keras_v1', 'norm_epsilon': 1e-3}


def exported(weights, framework, tmp_path):
  path = tmp_path / f'mine{SUFFIX.get(framework, ".safetensors")}'
  return path, exporting.export(weights, framework, path)


@pytest.mark.parametrize(
  ('framework', 'network', 'options'),
  [
    ('own', 'mobilenet_v1', {'width': 0.25}),
    ('own', 'mobilenet_v2', {'width': 0.35, 'hidden_width': 24, 'hidden_act': 'relu'}),
    ('torchvision', 'mobilenet_v2', {'width': 0.35, **TORCH}),
    (
      'torchvision',
      'mobilenet_v3_small',
      {
        'width': 0.5,
        'hidden_width': 512,
        'expansion': 'printed',
        'padding': 'torch',
        'norm_epsilon': 1e-3,
      },
    ),
    ('torchvision', 'mobilenet_v3_small', {'padding': 'torch', 'norm_epsilon': 1e-3}),
    ('torchvision', 'shufflenet_v2', {'width': 0.5, **TORCH}),
    ('torchvision', 'squeezenet_1_1', TORCH),
    ('torchvision', 'mnasnet_b1', {'width': 0.35, **TORCH}),
    ('timm', 'mnasnet_a1', {'width': 0.5, **TORCH}),
    ('timm', 'mobilenet_v1', TORCH),
    ('timm', 'mobilenet_v2', {'width': 0.35, **TORCH}),
    # timm computes with any padding and epsilon: arguments, and so not in the arrays.
    ('timm', 'mobilenet_v2', {'width': 0.35, **TF}),
    ('timm', 'mobilenet_v3_small', {'width': 0.5, 'stem_width': 16, **TF}),
    # Left to their defaults, as a run from scratch leaves them.
    ('timm', 'mobilenet_v2', {'width': 0.35, 'padding': None, 'norm_epsilon': None}),
    ('timm', 'mobilenet_v3_small', {'width': 0.75}),
    ('timm', 'mobilenet_v3_small_minimalistic', TF),
    ('timm', 'mobilenet_v4_conv_small', {'width': 0.35, 'stem_width': 32, **TORCH}),
    ('keras', 'mobilenet_v1', {'width': 0.25, **KERAS_V1}),
    ('keras', 'mobilenet_v2', {'width': 0.35, **TF}),
    ('keras', 'mobilenet_v3_small', TF),
    ('keras', 'mobilenet_v3_small_minimalistic', TF),
  ],
  ids=lambda value: value if isinstance(value, str) else '',
)
def test_there_and_back(framework, network, options, tmp_path):
  """Bitwise the same arrays and the same network, so the same logits."""
  weights = made(network, **options)
  path, lines = exported(weights, framework, tmp_path)
  back = loading.load(path)
  assert same_variables(back.variables, weights.variables)
  assert zoo.create(**back.model) == zoo.create(**weights.model)
  assert back.contract.eval_ops() == weights.contract.eval_ops()
  assert lines[0] == f'written: {path}'
  assert lines[-1] == 'images: central_fraction(0.875)|resize(224)|value_range(-1, 1)'


def test_contract_and_classes_travel_in_a_state_dict(tmp_path):
  contract = dataclasses.replace(TIMM, mean=(0.1, 0.2, 0.3), resolution=160)
  weights = made('mobilenet_v2', width=0.35, contract=contract, **TORCH)
  for framework in ('own', 'torchvision', 'timm'):
    back = loading.load(exported(weights, framework, tmp_path)[0])
    assert (back.contract, back.class_names) == (contract, weights.class_names)
    assert back.notes == ()


def test_broken_metadata_of_an_export(tmp_path):
  path = tmp_path / 'mine.safetensors'
  of = source('timm', 'mobilenet_v1')
  tensors = exporting._tensors(of_source(of, width=0.25), of)
  for said in ('[]', '{', '{"class_names": null, "contract": null, "model": 3}'):
    exporting.torch_file.write_safetensors(path, tensors, {own_file.EXPORTED: said})
    with pytest.raises(WeightsError, match=r'mine\.safetensors has broken metadata'):
      loading.load(path)


def test_counters_that_strict_loading_wants(tmp_path):
  weights = made('mobilenet_v1', **TORCH)
  path, _ = exported(weights, 'timm', tmp_path)
  tensors = load_file(path)
  counters = [name for name in tensors if name.endswith('num_batches_tracked')]
  norms = [name for name in tensors if name.endswith('running_var')]
  assert len(counters) == len(norms) == 27
  assert tensors['bn1.num_batches_tracked'].dtype == np.int64
  assert tensors['bn1.num_batches_tracked'].shape == ()


V3_075 = {'width': 0.75, 'hidden_width': 960, 'expansion': 'printed'}


@pytest.mark.parametrize(
  ('framework', 'network', 'options', 'call'),
  [
    (
      'torchvision',
      'mobilenet_v2',
      {'width': 0.35, **TORCH},
      'torchvision.models.mobilenet_v2(num_classes=7, width_mult=0.35)',
    ),
    (
      'torchvision',
      'mobilenet_v3_large',
      {**V3_075, 'padding': 'torch', 'norm_epsilon': 1e-3},
      'torchvision.models.mobilenet_v3_large(num_classes=7, width_mult=0.75)',
    ),
    (
      'torchvision',
      'shufflenet_v2',
      {'width': 0.5, **TORCH},
      'torchvision.models.shufflenet_v2_x0_5(num_classes=7)',
    ),
    (
      'torchvision',
      'squeezenet_1_1',
      TORCH,
      'torchvision.models.squeezenet1_1(num_classes=7)',
    ),
    (
      'torchvision',
      'mnasnet_b1',
      {'width': 1.3, **TORCH},
      'torchvision.models.MNASNet(alpha=1.3, num_classes=7)',
    ),
    (
      'timm',
      'mobilenet_v2',
      {'width': 0.35, **TF},
      "timm.create_model('mobilenetv2_035', num_classes=7, pad_type='same', "
      "bn_eps=0.001, checkpoint_path='mine.safetensors')",
    ),
    (
      'timm',
      'mobilenet_v1',
      {**TORCH},
      "timm.create_model('mobilenetv1_100', num_classes=7, pad_type='', "
      "bn_eps=1e-05, checkpoint_path='mine.safetensors')",
    ),
    (
      'keras',
      'mobilenet_v3_small_minimalistic',
      TF,
      'keras.applications.MobileNetV3Small(weights=None, classes=7, '
      'classifier_activation=None, alpha=1, minimalistic=True, '
      'include_preprocessing=False, input_shape=(224, 224, 3))',
    ),
    (
      'keras',
      'mobilenet_v1',
      {'width': 0.25, **KERAS_V1},
      'keras.applications.MobileNet(weights=None, classes=7, '
      'classifier_activation=None, alpha=0.25, input_shape=(224, 224, 3))',
    ),
  ],
  ids=lambda value: value if isinstance(value, str) and '(' not in value else '',
)
def test_the_line_that_loads_it(framework, network, options, call, tmp_path):
  path, lines = exported(made(network, **options), framework, tmp_path)
  assert lines[1] == f'model = {call}'
  file = "safetensors.torch.load_file('mine.safetensors')"
  if network == 'mnasnet_b1':  # which loads nothing that does not say its version
    assert lines[2:4] == [
      'model_state = model.state_dict()',
      f'model_state.update({file})',
    ]
    assert lines[4] == 'model.load_state_dict(model_state)'
  elif framework == 'torchvision':
    assert lines[2] == f'model.load_state_dict({file})'
  if framework == 'keras':
    assert lines[2] == "model.load_weights('mine.h5')"
  for line in lines[1:-1]:
    compile(line, path, 'exec')


@pytest.mark.parametrize(
  ('framework', 'network', 'options', 'message'),
  [
    ('pytorch', 'mobilenet_v2', TORCH, "'pytorch' is no framework.*own, torchvision"),
    ('torchvision', 'mobilenet_v2', TF, "padding 'torch' and BatchNorm epsilon 1e-05"),
    ('torchvision', 'mobilenet_v2', {'padding': 'torch'}, 'this one has .*0.001'),
    ('torchvision', 'mobilenet_v1', TORCH, 'torchvision has no mobilenet_v1; it has'),
    (
      'torchvision',
      'mobilenet_v3_small',
      {'width': 0.5, 'padding': 'torch', 'norm_epsilon': 1e-3},
      'other expansions than this one at width 0.5',
    ),
    (
      'torchvision',
      'mobilenet_v3_small',
      {'hidden_width': 48, 'padding': 'torch', 'norm_epsilon': 1e-3},
      'torchvision has no mobilenet_v3_small with hidden_width 48',
    ),
    (
      'torchvision',
      'mobilenet_v3_small',
      {'hidden_width': 0, 'padding': 'torch', 'norm_epsilon': 1e-3},
      'torchvision has no mobilenet_v3_small with hidden_width 0',
    ),
    (
      'torchvision',
      'mobilenet_v2',
      {'hidden_width': 48, **TORCH},
      'torchvision has no mobilenet_v2 with hidden_width 48',
    ),
    (
      'torchvision',
      'mobilenet_v3_small',
      {'width': 0.5, 'expansion': 'printed', 'padding': 'torch', 'norm_epsilon': 1e-3},
      'torchvision has no mobilenet_v3_small with hidden_width 1024',
    ),
    (
      'torchvision',
      'mobilenet_v2',
      {'stem_width': 24, **TORCH},
      'torchvision has no mobilenet_v2 with stem_width 24',
    ),
    ('timm', 'mobilenet_v2', {'width': 0.4}, r'0.35 \(16\), .* this one is 0.4 \(16\)'),
    ('timm', 'mobilenet_v3_small', {'width': 0.5}, r'this one is 0.5 \(8\)'),
    ('timm', 'mobilenet_v2', {'hidden_width': 48}, 'timm has no .* hidden_width 48'),
    ('timm', 'squeezenet_1_1', {}, 'timm has no squeezenet_1_1; it has mnasnet_a1'),
    ('keras', 'mobilenet_v2', TORCH, "applications computes .* with padding 'tf'"),
    ('keras', 'mobilenet_v1', TF, "padding 'keras_v1'"),
    ('keras', 'mobilenet_v3_small', {'width': 0.25}, 'this one has 8: its weights fit'),
    ('keras', 'mobilenet_v3_small', {'hidden_width': 0}, 'no .* with hidden_width 0'),
    ('keras', 'mobilenet_v4_conv_small', TF, 'applications has no mobilenet_v4_conv'),
  ],
)
def test_what_a_framework_does_not_have(framework, network, options, message, tmp_path):
  weights = made(network, **options)
  with pytest.raises(WeightsError, match=message) as error:
    exported(weights, framework, tmp_path)
  assert '\n' not in str(error.value)
  assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
  ('framework', 'name', 'suffix'),
  [
    ('timm', 'mine.pth', '.safetensors'),
    ('own', 'mine', '.safetensors'),
    ('keras', 'mine.keras', '.h5'),
    ('keras', 'mine.weights.h5', '.h5'),
  ],
)
def test_another_suffix(framework, name, suffix, tmp_path):
  weights = made('mobilenet_v1', width=1.0, **KERAS_V1)
  with pytest.raises(WeightsError, match=rf'{name} must end in \{suffix}'):
    exporting.export(weights, framework, tmp_path / name)
  assert not list(tmp_path.iterdir())


def test_names_of_timms_models(tmp_path):
  weights = made('mobilenet_v3_large_minimalistic', **TF)
  path, lines = exported(weights, 'timm', tmp_path)
  assert "'tf_mobilenetv3_large_minimal_100'" in lines[1]
  assert loading.read(path).metadata['safetensors']['architecture'] in lines[1]
  names = {name for names in exporting.TIMM.values() for name, _ in names.values()}
  assert len(names) == sum(map(len, exporting.TIMM.values()))
  known = {s.network for s in exporting.SOURCES if s.framework in ('timm', TIMM_TF)}
  assert set(exporting.TIMM) == known
