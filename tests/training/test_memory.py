"""What a training takes is known before it is taken."""

import jax
import numpy as np
import optax
import pytest

from mobilenet.models import counting, zoo
from mobilenet.training import memory
from mobilenet.training.errors import TrainingError


def test_the_state_is_counted_exactly_and_images_by_what_layers_give():
  variables = {
    'params': {'kernel': jax.ShapeDtypeStruct((3, 5), np.float32)},
    'batch_stats': {'mean': jax.ShapeDtypeStruct((5,), np.float32)},
  }
  tx = optax.sgd(0.1, momentum=0.9)  # one array as large as the parameters
  shapes = [(4, 4, 5), (10,)]
  one = memory.needed(
    variables, tx, shapes, image_shape=(8, 8, 3), batch_size=2, ema=False
  )
  image = 8 * 8 * 3 + 4 * 4 * 5 + 10
  assert one == 4 * ((15 + 5) + 15 + 15 + 2 * image)
  averaged = memory.needed(
    variables, tx, shapes, image_shape=(8, 8, 3), batch_size=2, ema=True
  )
  assert averaged - one == 4 * (15 + 5)


def test_layers_that_compute_are_kept_for_the_backward_pass():
  layers = counting.layers(zoo.create('mobilenet_v1', num_classes=10), 32)
  shapes = counting.kept_for_backward(layers)
  assert shapes[0] == (16, 16, 32)
  assert shapes[-1] == (10,)
  assert len(shapes) == 1 + 2 * 13 + 1


def test_more_than_there_is_names_the_fields_that_decide(monkeypatch):
  monkeypatch.setattr(memory, 'available', lambda: 8 * 2**30)
  memory.check(8 * 2**30)
  with pytest.raises(
    TrainingError, match=r'at least 2\.5 TiB .* are 8\.0 GiB: .*width'
  ):
    memory.check(int(2.5 * 2**40))
  monkeypatch.setattr(memory, 'available', lambda: None)
  memory.check(2**60)


@pytest.mark.filterwarnings('error')
def test_out_of_memory_is_one_line_that_names_what_to_lower():
  """A real one: more bytes than any machine has."""
  fill = jax.jit(lambda: jax.numpy.zeros((1 << 50,), np.float32))
  with pytest.raises(TrainingError) as caught, memory.told('--config.batch_size'):
    fill().block_until_ready()
  message = str(caught.value)
  assert message.startswith('a device has too little memory (RESOURCE_EXHAUSTED: ')
  assert message.endswith('): lower --config.batch_size')
  assert '\n' not in message


def test_other_errors_stay_what_they_are():
  for error in (jax.errors.JaxRuntimeError('INTERNAL: a bug'), KeyError('a')):
    with pytest.raises(type(error)), memory.told(memory.OF_TRAINING):
      raise error


def test_this_machine_says_what_it_has():
  assert memory.available() is None or memory.available() > 2**28
