"""What a network answers for batches, and the batches that carry it."""

import numpy as np

from mobilenet.models import zoo
from mobilenet.models.classifier import Answer
from mobilenet.models.initial import init_variables
from mobilenet.runs import answering
from mobilenet.training import sharding
from mobilenet.weights.own_file import Weights


def test_an_answer_has_the_logits_of_a_call_and_the_flat_embedding():
  """Of SqueezeNet the embedding is a map."""
  options = {'name': 'squeezenet_1_1', 'num_classes': 3}
  model = zoo.create(**options)
  variables = init_variables(model, (32, 32, 3), 0)
  weights = Weights('a test', options, variables, None, None)
  images = np.random.default_rng(0).standard_normal((8, 16, 16, 3), np.float32)

  def convert(images):
    return np.float32(0.5) * images.repeat(2, 1).repeat(2, 2)

  answer = answering.answering(weights, sharding.make_mesh(), convert)
  logits, embedding = answer(images)
  np.testing.assert_allclose(
    logits, model.apply(variables, convert(images)), rtol=1e-4, atol=1e-5
  )
  seen = model.apply(variables, convert(images), method='embed')
  assert seen.ndim == 4
  assert embedding.dtype == np.float32
  np.testing.assert_allclose(embedding, seen.reshape(8, -1), rtol=1e-4, atol=1e-5)
  assert np.std(embedding, axis=0).max() > 1e-2


def test_batches_of_a_teacher_are_those_without_and_know_what_is_broken():
  class Source:
    corrupt = ('a.jpg',)

    def __init__(self):
      self.step = -1

    def __next__(self):
      self.step += 1
      return {'image': np.full((2, 1), self.step), 'label': np.arange(2)}

  asked = []

  def answer(images):
    asked.append(int(images[0, 0]))
    return Answer(np.concatenate([images, images + 10], axis=1), images * 2)

  def named(said, seen):
    return {'said': said[:, ::-1], 'seen': seen}

  batches = answering.Taught(Source(), answer, named)
  for step in range(3):
    batch = next(batches)
    assert batch['image'].tolist() == [[step]] * 2
    assert batch['said'].tolist() == [[step + 10, step]] * 2
    assert batch['seen'].tolist() == [[2 * step]] * 2
    assert asked == list(range(step + 2)), 'one batch ahead'
  assert batches.corrupt == ('a.jpg',)
