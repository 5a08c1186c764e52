"""Op strings are understood, and every mistake in one is said in one line."""

import inspect
import subprocess
import sys

import pytest

import input_pipeline
from input_pipeline import DataError, catalogue, check_ops, parse_ops


def test_ops_in_order_with_defaults():
  ops = parse_ops('inception_crop(224, area=(0.05, 1))|flip|value_range(-1, 1)')
  assert [op.name for op in ops] == ['inception_crop', 'flip', 'value_range']
  assert ops[0].args == {
    'size': 224,
    'area': (0.05, 1),
    'aspect': (0.75, 4 / 3),
    'antialias': False,
  }
  assert ops[1].args == {'prob': 0.5}
  assert ops[2].args == {'low': -1, 'high': 1}


def test_empty_is_no_ops_and_spaces_do_not_matter():
  assert parse_ops('') == parse_ops('  ') == ()
  assert parse_ops(' flip() | resize( 8 ) ') == parse_ops('flip|resize(8)')


@pytest.mark.parametrize(
  ('string', 'kind', 'expected'),
  [
    ('inceptoin_crop(224)', 'train', 'did you mean inception_crop'),
    ('resize(224', 'train', 'cannot be read'),
    ('resize(224)||flip', 'train', 'cannot be read'),
    ('resize(224)+flip', 'train', 'is not an op'),
    ('"resize"', 'train', 'is not an op'),
    ('os.remove(1)', 'train', 'is not an op'),
    ('resize()', 'train', "missing a required argument: 'size'"),
    ('resize(1, 2, 3, 4, 5)', 'train', 'too many positional arguments'),
    ('resize(8, siez=9)', 'train', "unexpected keyword argument 'siez'"),
    ('resize(size)', 'train', 'must be literal'),
    ('resize(2.5)', 'train', 'must be a whole number, at least 1'),
    ('resize(0)', 'train', 'must be a whole number, at least 1'),
    ('resize(8, "cubic")', 'train', "'bilinear', 'bicubic'"),
    ('inception_crop(8, area=(1, 0.1))', 'train', 'in this order'),
    ('inception_crop(8, area=0.1)', 'train', 'must be a pair'),
    ('flip(2)', 'train', 'from 0 to 1'),
    ('flip("a")', 'train', 'must be a number'),
    ('randaug(2, 21)', 'train', 'from 0 to 20'),
    ('randaug(2, 9, exclude=("cutout",))', 'train', "'Cutout'"),
    ('normalize(std=(1, 0, 1))', 'train', 'must be positive'),
    ('normalize(mean=0.5)', 'train', 'three numbers'),
    ('value_range(-1, 1)|flip', 'train', 'must be the last op'),
    ('resize(8)|flip', 'eval', 'flip is random'),
    ('flip', 'batch', 'flip belongs into the train ops'),
    ('mixup(0.2)', 'train', 'mixup belongs into the batch ops'),
    ('mixup(0.2)|cutmix(1.0)', 'batch', 'add up to 1 or less, not 2'),
    ('mixup(0)', 'batch', 'at least 0.001'),
    ('flip', 'training', 'did you mean train'),
    (3, 'train', 'must be a str, not int'),
  ],
)
def test_mistakes(string, kind, expected):
  with pytest.raises(DataError) as error:
    check_ops(string, kind)
  message = str(error.value)
  assert expected in message
  assert '\n' not in message
  if isinstance(string, str) and kind != 'training':
    assert repr(string) in message


def test_batch_ops_may_share_a_batch_stream():
  ops = parse_ops('mixup(0.8, prob=0.5)|cutmix(1.0, prob=0.5)', 'batch')
  assert [op.args for op in ops] == [
    {'alpha': 0.8, 'prob': 0.5},
    {'alpha': 1.0, 'prob': 0.5},
  ]


def test_catalogue_and_implementation_agree():
  from input_pipeline import image_ops, mixing, randaug, transforms, trivialaug

  assert set(catalogue.IMAGE_OPS) == set(image_ops.OPS)
  assert set(catalogue.BATCH_OPS) == set(mixing.OPS)
  assert set(catalogue.TRANSFORMS) == set(transforms.TRANSFORMS)
  of_bytes = {'autoaug': randaug.autoaug, 'randaug': randaug.randaug}
  of_bytes['trivialaug'] = trivialaug.trivialaug
  for name, entry in catalogue.IMAGE_OPS.items():
    wanted = list(inspect.signature(entry).parameters)
    if name in image_ops.WINDOWED:
      window, finish = image_ops.WINDOWED[name]
      assert list(inspect.signature(window).parameters)[2:] == wanted, name
      assert list(inspect.signature(finish).parameters)[1:] == wanted, name
    else:
      function = of_bytes.get(name, image_ops.OPS[name])
      assert list(inspect.signature(function).parameters)[2:] == wanted, name


def test_every_op_is_random_or_fixed_on_purpose():
  random = {
    'autoaug', 'color', 'erase', 'expand', 'flip', 'inception_crop', 'randaug',
    'random_crop', 'scale_crop', 'ssd_crop',
    'rotate', 'shift', 'trivialaug', 'turn',
  }  # fmt: skip
  assert set(catalogue.FIXED_OPS) | random == set(catalogue.IMAGE_OPS)
  assert not set(catalogue.FIXED_OPS) & random


def run(code):
  """What a Python of its own prints, which must end well."""
  done = subprocess.run(
    [sys.executable, '-c', code], capture_output=True, text=True, check=False
  )
  assert done.returncode == 0, done.stderr
  return done.stdout


def test_a_typo_is_found_without_tensorflow():
  code = (
    'import sys, input_pipeline\n'
    'try: input_pipeline.check_ops("filp")\n'
    'except input_pipeline.DataError as error: print(error)\n'
    'assert "tensorflow" not in sys.modules\n'
  )
  assert 'did you mean flip?' in run(code)


@pytest.mark.heavy
def test_opening_data_leaves_keras_alone():
  """TensorFlow would load Keras as well; whoever asks for it still gets it."""
  code = (
    'import sys\n'
    'import input_pipeline\n'
    'input_pipeline.open_source\n'
    'assert "tensorflow" in sys.modules\n'
    'assert not any(name.startswith("keras.") for name in sys.modules)\n'
    'import tensorflow as tf\n'
    'tf.keras.layers.Dense\n'
  )
  run(code)


def test_without_tensorflow_a_line_says_what_to_install(monkeypatch):
  missing = ModuleNotFoundError("No module named 'tensorflow'", name='tensorflow')

  def find(name):
    raise missing

  monkeypatch.delitem(sys.modules, 'tensorflow', raising=False)
  monkeypatch.delitem(sys.modules, 'keras', raising=False)
  monkeypatch.setattr(input_pipeline.importlib, 'import_module', find)
  with pytest.raises(input_pipeline.DataError, match='pip install -r requirements'):
    _ = input_pipeline.open_source
  assert 'keras.src' not in sys.modules
