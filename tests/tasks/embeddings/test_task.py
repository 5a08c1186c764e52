"""The embeddings task: its loss, its sums, and what it says of a batch and of data."""

import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import embed_folder
from mobilenet import tasks
from mobilenet.models.embedders import Answer
from mobilenet.tasks.embeddings import margins, retrieval
from mobilenet.tasks.embeddings.task import Embeddings
from mobilenet.training.errors import TrainingError

COSINES = jnp.array([[0.9, 0.1], [0.2, 0.1]])
EMBEDDING = jnp.array([[1.0, 0.0], [0.6, 0.8]])
ANSWER = Answer(COSINES, EMBEDDING)
LABELS = np.array([0, 1])


def batch(**changes):
  return {'label': LABELS, **changes}


def test_the_loss_is_the_mean_of_the_margin_loss():
  found = Embeddings('cosface', scale=8.0, margin=0.2).loss({}, ANSWER, batch())
  each = margins.cosface(COSINES, LABELS, 8.0, 0.2)
  assert float(found) == pytest.approx(float(each.mean()))
  published = Embeddings('arcface').loss({}, ANSWER, batch())
  each = margins.arcface(COSINES, LABELS, 64.0, 0.5)
  assert float(published) == pytest.approx(float(each.mean()))


def test_a_teacher_alone_or_beside_the_classes():
  taught = jnp.array([[0.0, 2.0], [3.0, 4.0]])  # 2 and 0 away
  given = batch(teacher_embeddings=taught)
  alone = Embeddings('distance', features=0.5)
  assert float(alone.loss({}, Answer(None, EMBEDDING), given)) == pytest.approx(0.5)
  assert 'nearest_class' not in alone.metrics(
    alone.sums(Answer(None, EMBEDDING), given)
  )
  plain, both = (Embeddings('softmax', features=f) for f in (0.0, 0.5))
  added = float(both.loss({}, ANSWER, given)) - float(plain.loss({}, ANSWER, batch()))
  assert added == pytest.approx(0.5, rel=1e-4)


def test_padding_brings_in_nothing():
  broken = Answer(COSINES.at[1].set(jnp.nan), EMBEDDING.at[1].set(jnp.nan))
  mask, task = np.array([1.0, 0.0], np.float32), Embeddings()
  whole = task.loss({}, Answer(COSINES[:1], EMBEDDING[:1]), {'label': LABELS[:1]})
  found = task.loss({}, broken, batch(mask=mask))
  assert float(found) == pytest.approx(float(whole))
  sums = jax.device_get(task.sums(broken, batch(mask=mask)))
  assert sums.keys() == task.zero_sums().keys()
  assert task.metrics(sums) == {
    'loss': pytest.approx(float(whole)),
    'nearest_class': 100,
  }
  assert float(task.weight(sums)) == 1


def test_an_evaluation_counts_and_finds():
  task = Embeddings()
  labels = np.array([7, 9, 9, -1])  # classes of its own; of the last nobody knows
  angles = np.deg2rad([0.0, 10.0, 25.0, 0.0])
  near = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
  sums = task.sums(near, {'label': labels, 'mask': np.array([1.0, 1, 1, 1], 'f')})
  assert {name: float(value) for name, value in sums.items()} == {'count': 3}
  kept = jax.device_get(task.kept(near, {'label': labels}))
  found = task.finish(task.metrics(sums), {**kept, 'label': labels})
  # The second is nearer to the first than to its own kind; the third is not.
  assert found['recall_at_1'] == 50
  assert found['recall_at_5'] == 100
  assert task.finish({}, {}) == {}


def test_nothing_to_find_is_no_number():
  found = retrieval.recall_at(np.eye(3), np.arange(3), (1, 5))
  assert np.isnan(list(found.values())).all()
  assert np.isnan(retrieval.recall_at(np.zeros((0, 2)), np.zeros(0))['recall_at_1'])


def source(**changes):
  known = {
    'name': 'folder',
    'split': 'val',
    'origin': '/people',
    'marks': (),
    'unlabelled': (),
    'labels': (0, 0, 1),
    'class_names': ('anna', 'ben'),
  }
  return types.SimpleNamespace(**{**known, **changes})


def test_outputs_are_the_classes_that_are_learned():
  assert Embeddings().outputs(source()) == ('anna', 'ben')
  assert Embeddings('distance').outputs(source()) == ()
  options = {'name': 'mobile_face_net', 'width': 0.25}
  assert Embeddings('distance').make_model(options, 2).num_classes == 0
  assert Embeddings().make_model(options, 2).num_classes == 2


@pytest.mark.parametrize(
  ('changes', 'line'),
  [
    ({'labels': (0, 1)}, 'no class of val in /people has two images.*--other='),
    ({'marks': ('boxes',)}, r'set --config\.data\.name=folder'),
    ({'unlabelled': ('test',)}, r'has no labels \(-1\)'),
  ],
)
def test_data_that_says_nothing_of_what_is_alike(changes, line):
  Embeddings().check_training(source(), '--other')
  with pytest.raises(TrainingError, match=line):
    Embeddings().check_training(source(**changes), '--other')


@pytest.mark.parametrize(
  ('field', 'value', 'line'),
  [
    ('embeddings.loss', 'arc', 'did you mean arcface'),
    ('embeddings.loss', 'distance', r'--config\.teacher\.features=1'),
    ('embeddings.margin', 3.5, 'an angle in radians'),
    ('loss.label_smoothing', 0.1, 'is for classifiers; set it to 0'),
  ],
)
def test_wrong_fields(field, value, line):
  config = embed_folder.get_config()
  config.update_from_flattened_dict({field: value})
  with pytest.raises(TrainingError, match=line):
    tasks.make_task(config)


def test_softmax_has_no_margin():
  with pytest.raises(TrainingError, match='softmax has no margin'):
    Embeddings('softmax', margin=0.1)
