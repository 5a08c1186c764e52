"""Losses and hits against plain NumPy in float64."""

import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mobilenet.models.classifier import Answer
from mobilenet.tasks import losses, make_task
from mobilenet.tasks.classification import Classification
from mobilenet.training import sharding
from mobilenet.training.errors import TrainingError
from mobilenet.training.optimizer import path_mask
from tests import devices

# Compiled as a whole, as in training: each operation alone takes as long.
best_answer = jax.jit(losses.best_answer)
binary_cross_entropy = jax.jit(
  losses.binary_cross_entropy,
  static_argnames=('label_smoothing', 'target_threshold', 'sum_classes'),
)
cross_entropy = jax.jit(losses.cross_entropy, static_argnames='label_smoothing')
distillation = jax.jit(losses.distillation, static_argnums=2)
similarity_distance = jax.jit(losses.similarity_distance)
top_k_correct = jax.jit(losses.top_k_correct, static_argnums=2)
loss_of = jax.jit(lambda task, out, batch: task.loss({}, out, batch), static_argnums=0)
sums_of = jax.jit(Classification.sums, static_argnums=0)
predicted = jax.jit(Classification.predictions, static_argnums=0)


def slope(function):
  return jax.jit(jax.grad(function))


DRAW = np.random.default_rng(0)
LOGITS = (DRAW.standard_normal((16, 10)) * 4).astype('f')
LABELS = DRAW.integers(0, 10, 16)


def reference(logits, targets):
  logits = logits.astype('d')
  shifted = logits - logits.max(axis=1, keepdims=True)
  log_probs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
  return -(targets * log_probs).sum(axis=1)


@pytest.mark.parametrize('smoothing', [0.0, 0.1])
def test_cross_entropy_of_integer_labels(smoothing):
  targets = np.eye(10)[LABELS] * (1 - smoothing) + smoothing / 10
  loss = cross_entropy(LOGITS, jnp.asarray(LABELS), label_smoothing=smoothing)
  assert loss.dtype == jnp.float32
  np.testing.assert_allclose(loss, reference(LOGITS, targets), rtol=1e-5)


@pytest.mark.parametrize('smoothing', [0.0, 0.1])
def test_cross_entropy_of_soft_labels(smoothing):
  mixed = 0.3 * np.eye(10)[LABELS] + 0.7 * np.eye(10)[LABELS[::-1]]
  targets = mixed * (1 - smoothing) + smoothing / 10
  labels = jnp.asarray(mixed, jnp.float32)
  loss = cross_entropy(LOGITS, labels, label_smoothing=smoothing)
  np.testing.assert_allclose(loss, reference(LOGITS, targets), rtol=1e-5)


def test_cross_entropy_of_bfloat16_logits_is_float32():
  logits = jnp.asarray(LOGITS, jnp.bfloat16)
  loss = cross_entropy(logits, jnp.asarray(LABELS))
  assert loss.dtype == jnp.float32
  expected = reference(np.asarray(logits, 'd'), np.eye(10)[LABELS])
  np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_cross_entropy_of_large_logits_is_finite():
  logits = jnp.array([[1e4, -1e4, 0.0], [1e4, -1e4, 0.0]])
  loss = cross_entropy(logits, jnp.array([0, 1]))
  np.testing.assert_allclose(loss, [0.0, 2e4], rtol=1e-6)


def test_a_label_that_is_no_class_is_not_a_loss_of_zero():
  loss = cross_entropy(LOGITS[:3], jnp.array([-1, 10, 3]))
  assert np.isnan(loss).tolist() == [True, True, False]


def test_the_gradient_is_probability_minus_target():
  gradient = slope(lambda x: cross_entropy(x, jnp.asarray(LABELS)).sum())(LOGITS)
  exp = np.exp(LOGITS.astype('d'))
  expected = exp / exp.sum(axis=1, keepdims=True) - np.eye(10)[LABELS]
  np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-6)


def binary_reference(logits, targets):
  """-t log s - (1 - t) log(1 - s) of every class, in float64."""
  said = 1 / (1 + np.exp(-logits.astype('d')))
  return -targets * np.log(said) - (1 - targets) * np.log1p(-said)


MIXED = 0.3 * np.eye(10)[LABELS] + 0.7 * np.eye(10)[LABELS[::-1]]


@pytest.mark.parametrize('labels', [LABELS, MIXED.astype('f')], ids=['integer', 'soft'])
@pytest.mark.parametrize(
  ('smoothing', 'threshold', 'sum_classes'),
  [(0.0, None, False), (0.1, None, True), (0.1, 0.2, False), (0.0, 0.5, True)],
)
def test_binary_cross_entropy_is_its_formula(labels, smoothing, threshold, sum_classes):
  targets = labels if labels.ndim == 2 else np.eye(10)[labels]
  targets = targets.astype('d') * (1 - smoothing) + smoothing / 10
  if threshold is not None:
    targets = (targets > threshold).astype('d')
  each = binary_reference(LOGITS, targets)
  expected = each.sum(axis=1) if sum_classes else each.mean(axis=1)
  loss = binary_cross_entropy(
    jnp.asarray(LOGITS),
    jnp.asarray(labels),
    label_smoothing=smoothing,
    target_threshold=threshold,
    sum_classes=sum_classes,
  )
  assert loss.dtype == jnp.float32
  np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_of_two_classes_binary_cross_entropy_by_hand():
  """A logit of log 3 says 3/4, one of 0 says 1/2; the loss is the mean of both."""
  loss = binary_cross_entropy(jnp.array([[np.log(3.0), 0.0]]), jnp.array([0]))
  np.testing.assert_allclose(loss, [(np.log(4 / 3) + np.log(2)) / 2], rtol=1e-6)


def test_binary_cross_entropy_of_wrong_labels_and_of_large_logits():
  loss = binary_cross_entropy(LOGITS[:3], jnp.array([-1, 10, 3]))
  assert np.isnan(loss).tolist() == [True, True, False]
  large = jnp.array([[1e4, -1e4]], jnp.bfloat16)

  def total(logits, label):
    return binary_cross_entropy(logits, jnp.array([label]), sum_classes=True).sum()

  np.testing.assert_allclose(total(large, 0), 0)
  np.testing.assert_allclose(total(large, 1), 2e4, rtol=0.01)
  assert np.isfinite(slope(total)(large, 1).astype('f')).all()


def test_the_gradient_of_binary_cross_entropy_is_sigmoid_minus_target():
  gradient = slope(lambda x: binary_cross_entropy(x, jnp.asarray(LABELS)).sum())
  expected = (1 / (1 + np.exp(-LOGITS.astype('d'))) - np.eye(10)[LABELS]) / 10
  np.testing.assert_allclose(gradient(LOGITS), expected, rtol=1e-4, atol=1e-7)


def test_a_task_learns_by_the_loss_that_it_names():
  batch = {'label': jnp.asarray(LABELS)}
  task = Classification(loss_name='sigmoid', label_smoothing=0.1, sum_classes=True)
  expected = binary_cross_entropy(
    LOGITS, batch['label'], label_smoothing=0.1, sum_classes=True
  )
  loss = loss_of(task, jnp.asarray(LOGITS), batch)
  np.testing.assert_allclose(loss, expected.mean(), rtol=1e-6)
  # What it says afterwards adds up to one, whatever it has learned by.
  said, plain = (predicted(t, jnp.asarray(LOGITS)) for t in (task, Classification()))
  np.testing.assert_array_equal(said['probabilities'], plain['probabilities'])
  sums = sums_of(task, jnp.asarray(LOGITS), batch)
  np.testing.assert_allclose(
    sums['loss'], cross_entropy(LOGITS, batch['label']).sum(), rtol=1e-6
  )


@pytest.mark.parametrize(
  ('fields', 'message'),
  [
    ({'loss_name': 'sigmod'}, "loss.name 'sigmod' is unknown; did you mean sigmoid"),
    (
      {'target_threshold': 0.2},
      r'loss\.target_threshold=0.2 does nothing for --config',
    ),
    ({'sum_classes': True}, r"sum_classes=True does nothing .* it is for 'sigmoid'"),
  ],
)
def test_a_loss_that_is_none_is_told(fields, message):
  with pytest.raises(TrainingError, match=message):
    Classification(**fields)


@pytest.mark.parametrize(
  'name', ['detect_folder', 'segment_folder', 'embed_folder', 'tag_folder']
)
@pytest.mark.parametrize(
  ('field', 'value'), [('name', 'sigmoid'), ('target_threshold', 0.2)]
)
def test_other_tasks_refuse_the_losses_of_classifiers(name, field, value):
  config = importlib.import_module(f'configs.{name}').get_config()
  make_task(config)
  config.loss[field] = value
  with pytest.raises(TrainingError, match=f'loss.{field}={value} is for classifiers'):
    make_task(config)


TAUGHT = (DRAW.standard_normal((16, 10)) * 4).astype('f')


@pytest.mark.parametrize('temperature', [0.5, 1.0, 4.0])
def test_distillation_is_the_divergence_from_the_teacher(temperature):
  targets = np.exp(TAUGHT.astype('d') / temperature)
  targets /= targets.sum(axis=1, keepdims=True)
  said = LOGITS / np.float32(temperature)
  entropy = -(targets * np.log(targets)).sum(axis=1)
  expected = temperature**2 * (reference(said, targets) - entropy)
  loss = distillation(LOGITS, TAUGHT, temperature)
  assert loss.dtype == jnp.float32
  np.testing.assert_allclose(loss, expected, rtol=1e-4)
  shifted = distillation(LOGITS, TAUGHT + 7, temperature)
  np.testing.assert_allclose(shifted, loss, rtol=1e-4)
  np.testing.assert_allclose(distillation(TAUGHT, TAUGHT, temperature), 0, atol=1e-5)


def test_distillation_by_hand():
  """Two classes, T = 2: the student says 1/2, the teacher 3/4."""
  taught = jnp.array([[2 * np.log(3.0), 0.0]])
  expected = 4 * (0.75 * np.log(1.5) + 0.25 * np.log(0.5))
  found = distillation(jnp.zeros((1, 2)), taught, 2.0)
  np.testing.assert_allclose(found, [expected], rtol=1e-6)


def test_the_gradient_of_distillation_is_temperature_times_the_difference():
  gradient = slope(lambda x: distillation(x, TAUGHT, 3.0).sum())(LOGITS)
  said, taught = (jax.nn.softmax(x / 3.0) for x in (LOGITS, TAUGHT))
  np.testing.assert_allclose(gradient, 3 * (said - taught), rtol=1e-3, atol=1e-5)
  # Of answers without any doubt as well.
  sure = jnp.array([[1e4, -1e4], [-1e4, 1e4]])
  for logits in (sure, sure[::-1], jnp.zeros((2, 2))):
    gradient = slope(lambda x: distillation(x, sure, 1.0).sum())(logits)
    assert np.isfinite(gradient).all()


# Of two networks; other widths, one of them with a map for an embedding.
SEEN = DRAW.standard_normal((16, 5)).astype('f')
TAUGHT_SEEN = np.maximum(DRAW.standard_normal((16, 2, 2, 3)), 0).astype('f')


def similarity_reference(student, teacher):
  """The paper's equations 2 to 4, in float64."""

  def similarities(embeddings):
    rows = embeddings.reshape(len(embeddings), -1).astype('d')
    products = rows @ rows.T
    return products / np.linalg.norm(products, axis=1, keepdims=True)

  difference = similarities(teacher) - similarities(student)
  return np.linalg.norm(difference, 'fro') ** 2 / len(student) ** 2


def test_similarities_are_compared_whatever_the_widths():
  distance = similarity_distance(SEEN, TAUGHT_SEEN)
  assert (distance.shape, distance.dtype) == ((), jnp.float32)
  expected = similarity_reference(SEEN, TAUGHT_SEEN)
  assert expected > 0.01
  np.testing.assert_allclose(distance, expected, rtol=1e-5)
  half = jnp.asarray(TAUGHT_SEEN, jnp.float16)  # as a file has them
  expected = similarity_reference(SEEN, np.asarray(half))
  np.testing.assert_allclose(similarity_distance(SEEN, half), expected, rtol=1e-5)


def test_similarities_by_hand():
  """The student calls two images alike, the teacher calls them unlike."""
  distance = similarity_distance(jnp.ones((2, 3)), 5 * jnp.eye(2))
  # Rows (s, s) against (1, 0) and (0, 1), with s = sqrt(1/2); over 2^2.
  s = np.sqrt(0.5)
  np.testing.assert_allclose(distance, 2 * ((1 - s) ** 2 + s**2) / 4, rtol=1e-6)


def test_only_what_is_alike_counts_not_what_it_looks_like():
  turn, _ = np.linalg.qr(DRAW.standard_normal((5, 5)))
  turned = (7 * SEEN @ turn).astype('f')
  np.testing.assert_allclose(similarity_distance(SEEN, turned), 0, atol=1e-10)
  assert float(similarity_distance(SEEN[:1], TAUGHT_SEEN[:1])) < 1e-12


def test_similarities_of_padding_do_not_count():
  """Nor do they as partners of others; even if they are not finite."""
  mask = jnp.asarray([1.0] * 11 + [0.0] * 5)
  student, teacher = SEEN.copy(), TAUGHT_SEEN.copy()
  student[11:], teacher[11:] = np.nan, np.inf
  expected = similarity_reference(SEEN[:11], TAUGHT_SEEN[:11])
  found, gradient = jax.jit(jax.value_and_grad(similarity_distance))(
    student, teacher, mask
  )
  np.testing.assert_allclose(found, expected, rtol=1e-5)
  assert np.isfinite(gradient).all()
  assert gradient[:11].any(axis=1).all()
  assert not gradient[11:].any()
  assert float(similarity_distance(student, teacher, jnp.zeros(16))) == 0


def test_the_gradient_of_similarities_is_finite_where_nothing_is_seen():
  """All units of an embedding may be dead, of one example or of all."""
  gradient = slope(similarity_distance)
  one = SEEN.copy()
  one[3] = 0
  for student in (one, np.zeros_like(SEEN)):
    assert np.isfinite(gradient(student, TAUGHT_SEEN)).all()
  assert gradient(one, TAUGHT_SEEN).any()
  gone = TAUGHT_SEEN.copy()
  gone[3] = 0  # as a file has it of a photo that could not be read
  assert np.isfinite(gradient(SEEN, gone)).all()


def test_the_gradient_of_similarities_is_the_slope():
  direction = DRAW.standard_normal(SEEN.shape)
  found = np.sum(slope(similarity_distance)(SEEN, TAUGHT_SEEN) * direction)
  ahead, behind = (
    similarity_reference(SEEN.astype('d') + h * direction, TAUGHT_SEEN)
    for h in (1e-5, -1e-5)
  )
  np.testing.assert_allclose(found, (ahead - behind) / 2e-5, rtol=1e-3)


def test_similarities_are_those_of_the_batch_of_all_devices():
  """An image is compared with those on other devices as well."""
  mesh = sharding.make_mesh(devices.first(2))
  function = jax.jit(
    jax.value_and_grad(similarity_distance),
    in_shardings=sharding.split(mesh),
    out_shardings=sharding.replicated(mesh),
  )
  distance, gradient = function(SEEN, TAUGHT_SEEN)
  expected = similarity_reference(SEEN, TAUGHT_SEEN)
  np.testing.assert_allclose(distance, expected, rtol=1e-5)
  halves = [
    similarity_reference(SEEN[h], TAUGHT_SEEN[h]) for h in np.split(np.arange(16), 2)
  ]
  assert abs(np.mean(halves) - expected) > 0.1 * expected
  alone = slope(similarity_distance)(SEEN, TAUGHT_SEEN)
  np.testing.assert_allclose(gradient, alone, rtol=1e-4, atol=1e-7)


def test_embeddings_of_other_examples_are_refused():
  with pytest.raises(
    TrainingError, match=r'\[16, 5\] .* \[15, 2, 2, 3\] are not of the'
  ):
    similarity_distance(SEEN, TAUGHT_SEEN[:15])


@pytest.mark.parametrize('hard', [0.0, 0.25, 1.0])
def test_similarities_are_added_to_the_rest_of_the_loss(hard):
  batch = {
    'label': jnp.asarray(LABELS),
    'teacher_logits': TAUGHT,
    'teacher_embeddings': TAUGHT_SEEN,
  }
  without = loss_of(Classification(hard=hard), LOGITS, batch)
  if hard == 1:
    del batch['teacher_logits']
  found = loss_of(Classification(hard=hard, features=50), Answer(LOGITS, SEEN), batch)
  added = 50 * similarity_reference(SEEN, TAUGHT_SEEN)
  np.testing.assert_allclose(found, without + added, rtol=1e-5)


@pytest.mark.parametrize('hard', [0.0, 0.25, 1.0])
def test_labels_and_the_teacher_share_the_loss(hard):
  task = Classification(hard=hard, temperature=2.0, label_smoothing=0.1)
  label = np.full(16, -1) if hard == 0 else LABELS
  batch = {'label': jnp.asarray(label), 'teacher_logits': TAUGHT}
  if hard == 1:
    del batch['teacher_logits']
  told = cross_entropy(LOGITS, jnp.asarray(LABELS), label_smoothing=0.1).mean()
  taught = distillation(LOGITS, TAUGHT, 2.0).mean()
  expected = hard * told + (1 - hard) * taught
  np.testing.assert_allclose(loss_of(task, LOGITS, batch), expected, rtol=1e-6)


def test_the_metrics_of_a_student_are_those_of_anybody():
  batch = {'label': jnp.asarray(LABELS)}
  taught, plain = Classification(hard=0.0), Classification()
  seen = sums_of(Classification(features=1.0), Answer(LOGITS, SEEN), batch)
  for sums in (sums_of(taught, LOGITS, batch), seen):
    same = jax.tree.map(np.array_equal, sums, sums_of(plain, LOGITS, batch))
    assert all(same.values())


@pytest.mark.parametrize('k', [1, 3, 5])
def test_top_k_against_sorting(k):
  # Whole numbers make ties; a stable sort ranks them by index.
  logits = np.round(LOGITS)
  order = np.argsort(-logits, axis=1, kind='stable')[:, :k]
  expected = (order == LABELS[:, None]).any(axis=1)
  hits = top_k_correct(jnp.asarray(logits), jnp.asarray(LABELS), k)
  assert hits.dtype == jnp.float32
  assert hits.tolist() == expected.astype(float).tolist()
  _, theirs = jax.lax.top_k(jnp.asarray(logits), k)
  assert hits.tolist() == [float(a in b) for a, b in zip(LABELS, theirs, strict=True)]


def test_equal_logits_rank_by_index():
  logits, labels = jnp.zeros((4, 4)), jnp.arange(4)
  assert top_k_correct(logits, labels, 1).tolist() == [1, 0, 0, 0]
  assert top_k_correct(logits, labels, 3).tolist() == [1, 1, 1, 0]


def test_top_5_of_three_classes_is_always_a_hit():
  assert top_k_correct(LOGITS[:, :3], jnp.asarray(LABELS % 3), 5).tolist() == [1.0] * 16


def test_nan_and_labels_that_are_no_class_are_misses():
  logits = jnp.array([[1.0, jnp.nan, 0.0], [jnp.nan] * 3, [3.0, 2.0, 1.0]])
  assert top_k_correct(logits, jnp.array([0, 0, -1]), 3).tolist() == [0, 0, 0]


def test_infinite_logits_rank():
  logits = jnp.array([[jnp.inf, 0.0], [-jnp.inf, 0.0]])
  assert top_k_correct(logits, jnp.array([0, 0]), 1).tolist() == [1, 0]


def test_soft_labels_count_for_their_largest_class():
  labels = jnp.array([[0.7, 0.3, 0.0], [0.2, 0.8, 0.0]])
  assert top_k_correct(jnp.array([[1.0, 0, 0]] * 2), labels, 1).tolist() == [1, 0]


@pytest.mark.parametrize('k', [1, 5])
def test_a_hit_where_several_answers_are_right_is_any_of_them(k):
  logits = np.round(LOGITS)
  right = np.random.default_rng(1).random((16, 10)) < 0.2
  assert not right.any(axis=1).all()  # of some no answer is right
  best = best_answer(jnp.asarray(logits), jnp.asarray(right, jnp.uint8))
  hits = top_k_correct(jnp.asarray(logits), best, k)
  order = np.argsort(-logits, axis=1, kind='stable')[:, :k]
  expected = np.take_along_axis(right, order, axis=1).any(axis=1)
  assert hits.tolist() == expected.astype(float).tolist()
  assert (np.asarray(best) < 0).tolist() == (~right.any(axis=1)).tolist()


def test_a_right_answer_of_minus_infinity_is_still_the_right_one():
  right = jnp.array([[0, 1, 1], [0, 0, 1]])
  logits = jnp.array([[9.0, -jnp.inf, 1.0], [9.0, 1.0, -jnp.inf]])
  assert best_answer(logits, right).tolist() == [2, 2]
  with pytest.raises(TrainingError, match=r"right classes \[2, 2\] don't go with"):
    best_answer(logits, right[:, :2])


def test_answers_are_chosen_among_some_classes():
  among = (1, 4, 7)
  task, batch = Classification(among=among), {'label': np.array([4] * 16)}
  sums = sums_of(task, jnp.asarray(LOGITS), batch)
  few = LOGITS[:, among]
  assert float(sums['top1']) == (few.argmax(axis=1) == 1).sum()
  assert float(sums['top1']) > float(sums_of(Classification(), LOGITS, batch)['top1'])
  assert float(sums['top5']) == 16
  targets = np.eye(3)[[1] * 16]
  np.testing.assert_allclose(sums['loss'], reference(few, targets).sum(), rtol=1e-5)
  said = predicted(task, jnp.asarray(LOGITS))
  assert set(said['prediction'].tolist()) <= set(among)
  others = np.setdiff1d(np.arange(10), among)
  assert (np.asarray(said['probabilities'])[:, others] == 0).all()
  np.testing.assert_array_equal(losses.chosen_among(LOGITS, ()), LOGITS)


def test_photos_without_a_right_answer_do_not_count():
  answers = np.zeros((16, 10), np.uint8)
  answers[:4, 3] = answers[0, 5] = 1
  sums = sums_of(
    Classification(), jnp.asarray(LOGITS), {'answers': jnp.asarray(answers)}
  )
  assert float(sums['count']) == 4
  mask = np.arange(16) < 2
  masked = {'answers': jnp.asarray(answers), 'mask': jnp.asarray(mask, jnp.float32)}
  assert float(sums_of(Classification(), jnp.asarray(LOGITS), masked)['count']) == 2
  hits = [
    set(np.flatnonzero(a)) & {p} for a, p in zip(answers, LOGITS.argmax(1), strict=True)
  ]
  assert float(sums['top1']) == sum(map(bool, hits))
  assert np.isfinite(float(sums['loss']))


def test_l2_penalty_is_half_the_sum_of_squares_of_what_is_marked():
  params = {
    'depthwise': {'kernel': jnp.full((3, 3, 1, 2), 5.0)},
    'project': {'kernel': jnp.array([[3.0, 4.0]]), 'bias': jnp.ones(2)},
  }
  assert float(losses.l2_penalty(params, path_mask(params, False))) == 12.5
  assert float(losses.l2_penalty(params, path_mask(params, True))) == 12.5 + 225.0
  gradient = slope(lambda p: losses.l2_penalty(p, path_mask(p, False)))(params)
  np.testing.assert_array_equal(gradient['project']['kernel'], [[3.0, 4.0]])
  assert not gradient['depthwise']['kernel'].any()
  assert not gradient['project']['bias'].any()
  assert float(losses.l2_penalty({'bias': jnp.ones(2)}, {'bias': False})) == 0.0


@pytest.mark.parametrize(
  ('labels', 'smoothing', 'text'),
  [
    (np.zeros((16, 10), int), 0.0, "don't go with logits"),
    (np.zeros((16, 9), 'f'), 0.0, "don't go with logits"),
    (np.zeros(15, int), 0.0, "don't go with logits"),
    (LABELS, 1.0, 'label_smoothing = 1.0 not in'),
  ],
)
def test_mistakes_are_one_clear_line(labels, smoothing, text):
  with pytest.raises(TrainingError, match=text):
    cross_entropy(LOGITS, jnp.asarray(labels), label_smoothing=smoothing)


def test_top_0_is_refused():
  with pytest.raises(TrainingError, match='at least 1'):
    top_k_correct(LOGITS, jnp.asarray(LABELS), 0)


@pytest.mark.parametrize(
  ('count', 'unshown'), [(2, ('top5',)), (5, ('top5',)), (6, ())]
)
def test_the_top_5_of_five_classes_are_all_of_them(count, unshown):
  assert Classification().unshown(count) == unshown
