"""Files of torch.save that are cut short, damaged, or made to do harm."""

import io
import zipfile

import pytest

from mobilenet.weights import torch_pickle
from mobilenet.weights.torch_file import read_torch
from mobilenet.weights.weight_file import WeightsError
from tests.weights.torch_writer import (
  FORMATS,
  Call,
  Global,
  Stored,
  Writer,
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


def message(read, value):
  with pytest.raises(WeightsError) as caught:
    read(value)
  text = str(caught.value)
  assert '\n' not in text
  assert 'model.pth' in text
  return text


@pytest.mark.parametrize(
  'name',
  [
    'os system',
    'posix system',
    'builtins eval',
    'builtins getattr',
    'torch.hub load',
    'torch._utils os',
    'collections OrderedDict.fromkeys',
    'mobilenet.weights.torch_pickle pickle.loads',
    'torchvision.models.mobilenetv2 MobileNetV2',
  ],
)
def test_code_is_refused_and_not_run(read, tmp_path, name):
  trace = tmp_path / 'ran'
  attack = Call(Global(name), (f'touch {trace}',))
  for value in ({'w': whole('0', floats(2)), 'x': attack}, attack):
    text = message(read, value)
    assert 'would run code' in text
    assert 'refused' in text
    assert name.replace(' ', '.') in text
  assert not trace.exists()


@pytest.mark.parametrize(
  'program',
  [
    b'(S"touch ran"\nios\nsystem\n.',  # INST
    b'(cos\nsystem\nS"touch ran"\no.',  # OBJ
    b'\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x09touch ran\x85R.',  # STACK_GLOBAL
    b'\x80\x02cos\nsystem\n)\x81.',  # NEWOBJ
  ],
)
def test_no_opcode_reaches_a_global_by_another_way(tmp_path, monkeypatch, program):
  monkeypatch.chdir(tmp_path)
  with pytest.raises(WeightsError, match=r"code \('os\.system'\): refused"):
    torch_pickle.load(io.BytesIO(program), tmp_path / 'model.pth')
  assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
  'target',
  [
    'torch FloatStorage',
    'torch Size',
    'collections OrderedDict',
    'argparse Namespace',
    'torch.nn.parameter Parameter',
  ],
)
def test_a_pickle_cannot_change_what_it_is_given(tmp_path, target):
  # BUILD with slots: setattr(what is on the stack, name, value).
  state = (None, {'itemsize': 1, 'call': 1, 'changed': 1})
  writer = Writer()
  program = writer.program(Global(target)) + writer.program(state) + b'b.'
  with pytest.raises(WeightsError, match='cannot be read'):
    torch_pickle.load(io.BytesIO(program), tmp_path / 'model.pth')
  given = torch_pickle._GLOBALS[tuple(target.split())]
  assert not hasattr(given, 'changed')
  assert getattr(given, 'itemsize', 4) == 4
  assert getattr(given, 'call', tuple) is tuple


@pytest.mark.parametrize('name', ['ComplexFloatStorage', 'QInt8Storage', 'uint16'])
def test_other_kinds_of_tensors_are_named(read, name):
  assert 'kind of tensor that is not read' in message(
    read, {'a': Global(f'torch {name}')}
  )


@pytest.mark.parametrize('format', FORMATS)
def test_every_cut_gives_one_line(tmp_path, format):
  value = {'a': whole('0', floats(5, 5)), 'b': whole('1', floats(30))}
  data = FORMATS[format](value)
  path = tmp_path / 'model.pth'
  for length in range(len(data)):
    path.write_bytes(data[:length])
    with pytest.raises(WeightsError) as caught:
      read_torch(path)
    assert '\n' not in str(caught.value)
    assert 'model.pth' in str(caught.value)


def test_cuts_say_what_is_missing(tmp_path):
  path = tmp_path / 'model.pth'
  value = {'a': whole('0', floats(5, 5)), 'b': whole('1', floats(30))}
  path.write_bytes(legacy_bytes(value)[:-1])
  with pytest.raises(WeightsError, match='cut short or damaged: 1 of its 2 storages'):
    read_torch(path)
  path.write_bytes(zip_bytes(value)[:-1])
  with pytest.raises(WeightsError, match='zip cut short'):
    read_torch(path)
  data = zip_bytes(value)
  data = data.replace(floats(30).tobytes(), floats(30)[::-1].tobytes())
  path.write_bytes(data)
  with pytest.raises(WeightsError, match=r"damaged at its entry 'data/1'"):
    read_torch(path)


@pytest.mark.parametrize(
  ('shape', 'strides', 'offset'),
  [
    ((11,), (1,), 0),
    ((10,), (1,), 1),
    ((2, 2), (9, 2), 0),
    ((2,), (2**62,), 0),
    ((2**31, 2**31), (1, 1), 0),
    ((1,), (1,), 2**63),
    ((), (), 10),
  ],
)
def test_a_tensor_never_reaches_outside_its_storage(read, shape, strides, offset):
  text = message(read, {'w': tensor(Stored('0', floats(10)), shape, strides, offset)})
  assert 'element' in text or 'asks for' in text


def test_the_data_count_and_not_what_the_pickle_says_of_them(read):
  stored = Stored('0', floats(10), count=1000)
  assert 'storage of 10' in message(read, {'w': tensor(stored, (20,), (1,))})


def test_a_small_file_cannot_ask_for_all_memory(read):
  value = {'w': tensor(Stored('0', floats(1)), (10**6, 10**6), (0, 0))}
  assert 'repeat one storage' in message(read, value)


@pytest.mark.parametrize(
  ('shape', 'strides', 'offset', 'tail'),
  [
    ((-2,), (1,), 0, (False, None)),
    ((2,), (-1,), 5, (False, None)),
    ((2,), (1,), -1, (False, None)),
    ((2, 2), (1,), 0, (False, None)),
    ((2.0,), (1,), 0, (False, None)),
    ((1,) * 40, (1,) * 40, 0, (False, None)),
    ((2,), (1,), 0, (False, None, {'neg': True})),
  ],
)
def test_impossible_tensors(read, shape, strides, offset, tail):
  value = {'w': tensor(Stored('0', floats(10)), shape, strides, offset, tail)}
  assert 'damaged' in message(read, value)


@pytest.mark.parametrize(
  ('value', 'content'),
  [
    ({'epoch': 3, 'lr': 0.1}, r"a dict of 2 entries \('epoch', 'lr'\)"),
    ({'model': {'a': 1}}, r"a dict of 1 entries \('model'\)"),
    ({}, r'a dict of 0 entries \(no names\)'),
    ({'n_averaged': whole('0', floats(1))}, 'a dict of 1 entries'),
    ([1, 2], 'an object of type list'),
    (whole('0', floats(2)), 'a single tensor'),
  ],
)
def test_what_is_no_state_dict(read, value, content):
  with pytest.raises(WeightsError, match=f'no state dict in it but {content}'):
    read(value)


@pytest.mark.parametrize(
  'program',
  [
    b'\x80\x02}q\x00X\x05\x00\x00\x00modelh\x00s.',  # a dict that holds itself
    b'\x80\x02]q\x00h\x00a.',
    b'\x80\x02X\xff\xff\xff\x7fab.',
    b'\x80\x02' + b'(' * 100_000 + b'.',
    b'\x80\x02Nh\x63.',
    b'\x80\x02K\x01Q.',
    b'\x80\x7f.',
  ],
)
def test_nonsense_in_the_pickle(tmp_path, program):
  path = tmp_path / 'model.pth'
  with zipfile.ZipFile(path, 'w') as archive:
    archive.writestr('archive/data.pkl', program)
  with pytest.raises(WeightsError) as caught:
    read_torch(path)
  assert '\n' not in str(caught.value)


def test_a_far_memo_index_is_refused_before_it_fills_the_memory(tmp_path):
  program = io.BytesIO(b'\x80\x02}r\xff\xff\xff\x7f.')
  with pytest.raises(WeightsError, match=r'cannot be read \(ValueError\)'):
    torch_pickle.load(program, tmp_path / 'model.pth')


def test_text_of_a_file_cannot_break_an_error_in_lines(read):
  value = {'w\n\ud800\x1b[31m': tensor(Stored('0', floats(1)), (2,), (1,))}
  text = message(read, value)
  assert text.isprintable()
  assert text.isascii()


def test_other_files(tmp_path):
  def error(data, name='model.pth'):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(WeightsError) as caught:
      read_torch(tmp_path / name)
    return str(caught.value)

  assert 'is empty: no file of torch.save' in error(b'')
  assert 'begins with <!DOCTYPE html>' in error(b'<!DOCTYPE html><html></html>')
  value = {'a': whole('0', floats(100))}
  assert 'packed again' in error(zip_bytes(value, compression=zipfile.ZIP_DEFLATED))
  assert 'middle' in error(zip_bytes(value, order='middle'))
  with zipfile.ZipFile(tmp_path / 'model.pth', 'a') as archive:
    archive.writestr('archive/constants.pkl', b'')
  assert 'TorchScript' in error((tmp_path / 'model.pth').read_bytes())
  out = io.BytesIO()
  with zipfile.ZipFile(out, 'w') as archive:
    archive.writestr('x', b'')
  assert 'without data.pkl' in error(out.getvalue())
  assert 'damaged zip' in error(out.getvalue().replace(b'PK\x01\x02', b'PK\x01\x03'))
  assert 'storages are whole' in error(legacy_bytes(value)[:-400])
  assert 'lacks the data' in error(legacy_bytes(value, keys=[]))
  with pytest.raises(WeightsError, match='cannot be read: No such file'):
    read_torch(tmp_path / 'nowhere.pth')
  with pytest.raises(WeightsError, match=r'cannot be read'):
    read_torch(tmp_path)
