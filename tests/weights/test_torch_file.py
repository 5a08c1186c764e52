"""What torch.save writes, in both of its formats, read without torch."""

import pickle
import zipfile

import ml_dtypes
import numpy as np
import pytest

from mobilenet.weights.torch_archive import is_torch_legacy, is_torch_zip
from mobilenet.weights.torch_file import read_torch
from mobilenet.weights.weight_file import WeightsError
from tests.weights.torch_writer import (
  FORMATS,
  MAGIC,
  STORAGES,
  Call,
  Global,
  Stored,
  floats,
  legacy_bytes,
  tensor,
  whole,
  zip_bytes,
)


@pytest.fixture(params=FORMATS)
def read(request, tmp_path):
  """Saves a value in either format and reads it back."""

  def save_and_read(value):
    path = tmp_path / 'model.pth'
    path.write_bytes(FORMATS[request.param](value))
    return read_torch(path)

  return save_and_read


def test_a_state_dict_in_its_order(read, request):
  a, b = floats(2, 3), floats(4)
  file = read({'z.weight': whole('0', a), 'a.bias': whole('1', b), 'epoch': 3})
  assert file.dialect == 'torch'
  assert list(file.tensors) == ['z.weight', 'a.bias']
  np.testing.assert_array_equal(file.tensors['z.weight'], a)
  np.testing.assert_array_equal(file.tensors['a.bias'], b)
  assert file.metadata['torch']['format'] == request.node.callspec.params['read']
  file.tensors['a.bias'][0] = 7  # a copy that is the caller's own
  assert file.tensors['a.bias'].flags.c_contiguous


def test_every_type_of_element(read):
  values = np.array([0, 1, 2, 100])
  kinds = {name: np.dtype(getattr(ml_dtypes, name, name)) for name in STORAGES}
  stored = {name: values.astype(kind) for name, kind in kinds.items()}
  tensors = read({name: whole(name, v) for name, v in stored.items()}).tensors
  for name, elements in stored.items():
    expected = np.float32 if 'float' in name else elements.dtype
    assert tensors[name].dtype == expected
    np.testing.assert_array_equal(tensors[name], elements.astype(expected))


def test_half_and_bfloat16_widen_exactly_and_float64_narrows(read):
  bits = np.arange(2**16, dtype=np.uint16)
  half, brain = bits.view(np.float16), bits.view(ml_dtypes.bfloat16)
  double = np.array([np.pi, 1e300, -0.0])
  file = read({'h': whole('0', half), 'b': whole('1', brain), 'd': whole('2', double)})
  np.testing.assert_array_equal(file.tensors['h'], half.astype(np.float32))
  upper = file.tensors['b'].view(np.uint32)
  np.testing.assert_array_equal(upper, bits.astype(np.uint32) << 16)
  np.testing.assert_array_equal(
    file.tensors['d'], np.array([np.float32(np.pi), np.inf, -0.0], np.float32)
  )


def test_views_of_one_storage(read):
  data = floats(60).reshape(3, 4, 5)
  stored = Stored('7', data.reshape(-1))
  file = read(
    {
      'part': tensor(stored, (2, 2), (20, 2), offset=21),
      'transposed': tensor(stored, (5, 3, 4), (1, 20, 5)),
      'expanded': tensor(stored, (3, 2), (0, 1), offset=58),
      'scalar': tensor(stored, (), (), offset=59),
      'one': tensor(stored, (1, 2), (2**62, 1)),  # the stride of a lone axis is free
      'empty': tensor(stored, (0, 3), (3, 1), offset=99),
    }
  )
  np.testing.assert_array_equal(file.tensors['part'], data[1:, 0, 1:5:2])
  np.testing.assert_array_equal(file.tensors['transposed'], data.transpose(2, 0, 1))
  np.testing.assert_array_equal(file.tensors['expanded'], [data[2, 3, 3:]] * 3)
  assert all(array.flags.c_contiguous for array in file.tensors.values())
  assert file.tensors['scalar'].shape == ()
  assert file.tensors['scalar'] == data[2, 3, 4]
  np.testing.assert_array_equal(file.tensors['one'], data[:1, 0, :2])
  assert file.tensors['empty'].shape == (0, 3)


def test_storage_views_of_the_older_format(tmp_path):
  stored = Stored('7', floats(10), view=('8', 4, 5))
  (tmp_path / 'a.pth').write_bytes(legacy_bytes({'v': tensor(stored, (3,), (2,))}))
  file = read_torch(tmp_path / 'a.pth')
  np.testing.assert_array_equal(file.tensors['v'], floats(10)[4:9:2])
  (tmp_path / 'b.pth').write_bytes(legacy_bytes({'v': tensor(stored, (6,), (1,))}))
  with pytest.raises(WeightsError, match=r"'v' .* element 5 of a storage of 5"):
    read_torch(tmp_path / 'b.pth')


@pytest.mark.parametrize('prefix', ['archive/', 'mobilenet_v2-b0353104/', 'a/b/', ''])
@pytest.mark.parametrize('order', ['little', 'big', None])
def test_prefix_and_byte_order_of_a_zip(tmp_path, prefix, order):
  path, a = tmp_path / 'a.pt', floats(3)
  half = a.astype(np.float16)
  value = {'a': whole('0', a), 'half': whole('1', half)}
  path.write_bytes(zip_bytes(value, prefix=prefix, order=order))
  assert is_torch_zip(path)
  tensors = read_torch(path).tensors
  np.testing.assert_array_equal(tensors['a'], a)
  np.testing.assert_array_equal(tensors['half'], half.astype(np.float32))


def test_which_files_are_torchs(tmp_path):
  value = {'a': whole('0', floats(2))}
  assert is_torch_legacy(legacy_bytes(value)[:32])
  assert is_torch_legacy(pickle.dumps(MAGIC, protocol=5))
  assert not is_torch_legacy(pickle.dumps(MAGIC + 1, protocol=2))
  assert not is_torch_legacy(zip_bytes(value)[:32])
  (tmp_path / 'a').write_bytes(legacy_bytes(value))
  assert not is_torch_zip(tmp_path / 'a')
  with zipfile.ZipFile(tmp_path / 'b', 'w') as archive:
    archive.writestr('model.json', '{}')
  assert not is_torch_zip(tmp_path / 'b')
  assert not is_torch_zip(tmp_path / 'nowhere')


@pytest.mark.parametrize(
  ('names', 'wrapper'),
  [
    (['state_dict', 'state_dict_ema'], 'state_dict_ema'),
    (['model', 'model_ema'], 'model_ema'),
    (['model_state', 'epoch'], 'model_state'),
    (['model', 'optimizer'], 'model'),
    (['state_dict', 'model'], 'state_dict'),
  ],
)
def test_the_state_dict_of_a_checkpoint_is_found(read, names, wrapper):
  saved = {name: {'w': whole(name, floats(2) + i)} for i, name in enumerate(names)}
  file = read({**saved, 'arch': 'mobilenetv4_conv_small', 'classes': ['a', 'b']})
  expected = floats(2) + names.index(wrapper)
  np.testing.assert_array_equal(file.tensors['w'], expected)
  assert file.metadata['torch']['wrapper'] == (wrapper,)
  beside = {'arch': 'mobilenetv4_conv_small', 'classes': ['a', 'b']}
  assert file.metadata['torch']['beside'] == beside


def test_an_absent_average_is_passed_over(read):
  a = whole('0', floats(2))
  file = read({'state_dict_ema': None, 'ema': {}, 'model': {'state_dict': {'a': a}}})
  assert file.metadata['torch']['wrapper'] == ('model', 'state_dict')


def test_prefixes_and_counters_are_taken_off(read):
  names = ['module.a.module.weight', '_orig_mod.b', 'module._orig_mod.c', 'moduled.e']
  value = {name: whole(str(i), floats(2)) for i, name in enumerate(names)}
  for name in ('n_averaged', 'module.bn.num_batches_tracked'):
    value[name] = whole(name, np.array(5, np.int64))
  assert list(read(value).tensors) == ['a.module.weight', 'b', 'c', 'moduled.e']


def test_two_models_in_one_dict_are_not_mixed(read):
  value = {'a': whole('0', floats(1)), 'module.a': whole('1', floats(1))}
  with pytest.raises(WeightsError, match="two tensors 'a'"):
    read(value)


def test_what_trainers_put_beside_the_weights_is_passed_over(read):
  flags = Call(Global('argparse Namespace'), (), {'lr': 0.1})
  dtype = Call(Global('numpy dtype'), ('f8', 0, 1), (3, '<', None, None, None, -1))
  metric = Call(Global('numpy.core.multiarray scalar'), (dtype, 'bytes'))
  file = read({'model': {'w': whole('0', floats(2))}, 'args': flags, 'best': metric})
  assert list(file.tensors) == ['w']
  assert file.metadata['torch']['beside'] == {}


def test_parameters_and_attributes_of_a_state_dict(read):
  w = whole('0', floats(2))
  wrapped = Call(Global('torch._utils _rebuild_parameter'), (w, True, {}))
  old = Call(
    Global('torch.nn.parameter Parameter'), (whole('1', floats(3)),), (True, {})
  )
  attributes = {'_metadata': {'': {'version': 1}}}
  pairs = [['a', wrapped], ['b', old]]
  value = Call(Global('collections OrderedDict'), (pairs,), attributes)
  assert {k: v.shape for k, v in read(value).tensors.items()} == {'a': (2,), 'b': (3,)}


def test_a_tensor_of_untyped_bytes(read):
  data = np.frombuffer(floats(4).tobytes(), np.uint8)
  arguments = (Stored('0', data), 1, (3,), (1,), False, None, Global('torch float32'))
  value = {'a': Call(Global('torch._utils _rebuild_tensor_v3'), arguments)}
  np.testing.assert_array_equal(read(value).tensors['a'], floats(4)[1:])
