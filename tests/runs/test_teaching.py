"""A student and its teacher: what is taught, that it resumes, what is refused."""

import pathlib
from unittest import mock

import jax
import numpy as np
import pytest

import input_pipeline
from configs import distill
from mobilenet import experiment, trained
from mobilenet.models import zoo
from mobilenet.reports import prediction
from mobilenet.runs import stored_logits, teaching
from mobilenet.training import sharding, workdir
from mobilenet.training.errors import TrainingError
from tests import tiny
from tests.runs import conftest


@pytest.fixture(autouse=True)
def known():
  with mock.patch.dict(zoo.NETWORKS, tiny=tiny.NETWORK):
    yield


@pytest.fixture
def config(teacher, photos):
  config = distill.get_config('model=tiny,width=1.0,resolution=24,epochs=1')
  config.teacher.weights, config.data.dir = str(teacher), str(photos)
  config.batch_size = 8
  return config


def answers_of_predict(run, paths, ops):
  """log(p) of what `predict` makes of photos."""
  parsed = input_pipeline.parse_ops(ops, 'eval')
  model, variables = trained.folded(run)
  task = experiment.make_task(run.config)
  found = prediction.predict_photos(model, task, variables, paths, parsed, 8)
  return np.log(found.outputs['probabilities'])


def test_answers_are_those_of_predict_for_the_same_images(config, teacher):
  """Student and teacher share the size and, in another range, the photo."""
  config.data.train_ops = 'resize(24)|bgr|value_range(-3, 2)'
  config, taught = teaching.open_teacher(config)
  source = experiment.open_source(config, 'train')
  taught = teaching.fitted(taught, source.class_names, source)
  mesh = sharding.make_mesh()
  batch = next(teaching.train_batches(taught, config, source, mesh, 0))
  plain = next(experiment.train_batches(config, source, mesh, 0))
  np.testing.assert_array_equal(batch['image'], plain['image'])
  # Which photos those are: of each, what evaluation makes of it in the same way.
  every = next(
    input_pipeline.eval_batches(source, ops=config.data.train_ops, batch_size=18)
  )
  places = [
    int(np.argmin(np.abs(every['image'] - image).sum((1, 2, 3))))
    for image in batch['image']
  ]
  assert len(set(places)) == 8
  run = trained.load_run(teacher)
  expected = answers_of_predict(
    run,
    [pathlib.Path(source.origin, source.names[place]) for place in places],
    experiment.ops(run.config, 'eval_ops'),
  )
  said = np.asarray(jax.nn.log_softmax(batch['teacher_logits']))
  np.testing.assert_allclose(said, expected, atol=2e-5)
  assert np.std(said, axis=0).min() > 1e-3, 'photos get different answers'


@pytest.mark.heavy
def test_a_run_says_who_taught_it_and_resumes_to_the_bit(student, teacher, tmp_path):
  flags = (
    f'--config.teacher.weights={teacher}',
    '--config.teacher.features=50',
    # A run of one epoch is then the beginning of one of two.
    '--config.schedule.name=constant',
    '--config.schedule.warmup_epochs=0',
  )
  whole = student(tmp_path / 'whole', *flags)
  assert whole.returncode == 0, whole.stderr
  assert f'taught by tiny x1 of {teacher}, at 24 px, at temperature 4' in whole.stdout
  assert (
    'labels are 10% of the loss; similarities of embeddings are added 50 times'
    in (' '.join(whole.stdout.split()))
  )
  assert len(workdir.read_config(tmp_path / 'whole')['teacher']['crc32']) == 8
  for length in ('--config.epochs=1', '--config.epochs=2'):
    done = student(tmp_path / 'parts', *flags, length)
    assert done.returncode == 0, done.stderr
  whole, parts = (
    trained.load_run(tmp_path / name).variables for name in ('whole', 'parts')
  )
  jax.tree.map(np.testing.assert_array_equal, whole, parts)


@pytest.mark.heavy
def test_another_teacher_is_not_resumed_with(student, teacher, tmp_path):
  assert student(tmp_path / 's', f'--config.teacher.weights={teacher}').returncode == 0
  other = student(
    tmp_path / 's',
    f'--config.teacher.weights={teacher}',
    '--config.teacher.resolution=32',
  )
  assert other.returncode == 1
  assert 'teacher.crc32' in other.stderr


@pytest.mark.heavy
def test_a_sweep_knows_its_students_again(student, teacher, photos, tmp_path):
  flags = f'--config.teacher.weights={teacher}', '--config.steps=1'
  done = student(tmp_path / 'seed0', *flags, report=True)  # with which it is done
  assert done.returncode == 0, done.stderr
  listed = student(tmp_path, *flags, '--job=sweep', '--sweep=seeds', '--list')
  assert listed.returncode == 0, listed.stderr
  statuses = [line for line in listed.stdout.splitlines() if 'seed=' in line]
  assert [' done ' in line for line in statuses] == [True, False, False]
  assert [' not started ' in line for line in statuses] == [False, True, True]


@pytest.mark.heavy
def test_the_teacher_changes_what_is_learned(student, teacher, tmp_path):
  learned = []
  for name, fields in (
    ('half', {'hard': 0.5}),
    ('all', {'hard': 0}),
    ('alike', {'hard': 0.5, 'features': 50}),
  ):
    flags = [f'--config.teacher.{field}={value}' for field, value in fields.items()]
    flags += [f'--config.teacher.weights={teacher}', '--config.steps=2']
    done = student(tmp_path / name, *flags)
    assert done.returncode == 0, done.stderr
    learned.append(trained.load_run(tmp_path / name).variables)
  for other in learned[1:]:
    apart = jax.tree.map(lambda a, b: float(np.abs(a - b).max()), learned[0], other)
    assert max(jax.tree.leaves(apart)) > 1e-6


def embeddings_of(run, images):
  return run.model.apply(run.variables, images, method='embed')


def test_a_teacher_gives_its_embeddings_of_the_same_images(config, teacher):
  """Mixed ones too, of which the student's are those of the same mixture."""
  config.data.train_ops = 'resize(24)|value_range(0, 1)'
  config.data.batch_ops = 'mixup(0.5)'
  config.teacher.hard, config.teacher.features = 1.0, 3.0
  config, taught = teaching.open_teacher(config)
  assert taught.used == ('embeddings',)
  source = experiment.open_source(config, 'train')
  taught = teaching.fitted(taught, ('other', 'classes'), source)
  batch = next(teaching.train_batches(taught, config, source, sharding.make_mesh(), 0))
  assert 'teacher_logits' not in batch
  assert batch['label'].shape == (8, 3), 'mixed'
  expected = embeddings_of(trained.load_run(teacher), batch['image'])
  np.testing.assert_allclose(
    batch['teacher_embeddings'], expected, rtol=1e-4, atol=1e-5
  )
  assert np.std(expected, axis=0).max() > 1e-3, 'photos look different'


@pytest.mark.heavy
def test_logits_of_a_file_come_with_their_photos(
  student, teacher, photos, config, tmp_path
):
  file = tmp_path / 'logits.npz'
  job = '--job=logits', f'--init={teacher}', f'--data_dir={photos}', f'--out={file}'
  done = tiny.run(*job, '--embeddings')
  assert done.returncode == 0, done.stderr
  assert '27 photos of' in done.stdout
  assert '3 classes, 24 px' in done.stdout
  stored = stored_logits.read(file)
  assert stored.classes == conftest.CLASSES
  run = trained.load_run(teacher)
  ops = experiment.ops(run.config, 'eval_ops')
  expected = answers_of_predict(run, [photos / name for name in stored.names], ops)
  said = np.asarray(jax.nn.log_softmax(stored.logits))
  np.testing.assert_allclose(said, expected, atol=2e-5)

  embedded = stored.embeddings
  assert (embedded.dtype, embedded.shape) == (np.float16, (27, 8))
  source = experiment.open_source(run.config, 'all', str(photos))
  assert source.names == stored.names
  whole = next(input_pipeline.eval_batches(source, ops=ops, batch_size=27))
  expected = embeddings_of(run, whole['image'])
  np.testing.assert_allclose(embedded, expected, rtol=1e-3, atol=1e-3)

  # Other rows for other photos, and the classes the other way round.
  turned = stored._replace(logits=stored.logits[:, ::-1], classes=stored.classes[::-1])
  stored_logits.write(file, turned)
  config.teacher.weights, config.teacher.logits = '', str(file)
  config.teacher.features = 3.0
  config.data.train_ops = 'resize(24)|value_range(0, 1)'
  config, taught = teaching.open_teacher(config)
  source = experiment.open_source(config, 'train')
  taught = teaching.fitted(taught, source.class_names, source)
  mesh = sharding.make_mesh()
  batch = next(teaching.train_batches(taught, config, source, mesh, 0))
  rows = {row.tobytes(): n for n, row in enumerate(stored.logits)}
  places = [rows[row.tobytes()] for row in batch['teacher_logits']]
  np.testing.assert_array_equal(batch['teacher_embeddings'], embedded[places])
  names = [stored.names[place] for place in places]
  labels = [conftest.CLASSES.index(name.split('/')[1]) for name in names]
  assert labels == batch['label'].tolist()

  # A student of another width.
  flags = (
    f'--config.teacher.logits={file}',
    '--config.teacher.hard=1',
    '--config.teacher.features=50',
    '--config.model.width=2',
    '--config.steps=2',
  )
  done = student(tmp_path / 'student', *flags)
  assert done.returncode == 0, done.stderr
  assert f'taught by the logits in {file}; labels are 100% of the loss' in done.stdout

  stored_logits.write(file, stored._replace(embeddings=None))
  done = student(tmp_path / 'other', *flags)
  assert done.returncode == 1
  assert f'{file} has no embeddings, which teacher.features needs;' in done.stderr
  assert len(done.stderr.strip().splitlines()) == 1

  # Another folder of photos of the same names.
  other = conftest.write_photos(tmp_path / 'other')
  name = stored.names[0]
  (other / name).write_bytes((other / stored.names[1]).read_bytes())
  refused = student(
    tmp_path / 's', f'--config.teacher.logits={file}', f'--config.data.dir={other}'
  )
  assert refused.returncode == 1
  assert 'is of other photos: 1 of 18 have the same names' in refused.stderr


@pytest.mark.heavy
def test_a_photo_that_cannot_be_read_has_no_logits(student, teacher, tmp_path):
  own, file = conftest.write_photos(tmp_path / 'own'), tmp_path / 'logits.npz'
  broken = own / 'train' / 'ash' / '0.png'
  whole = broken.read_bytes()
  broken.write_bytes(whole[:100])
  done = tiny.run(
    '--job=logits', f'--init={teacher}', f'--data_dir={own}', f'--out={file}'
  )
  assert done.returncode == 0, done.stderr
  assert f'left out, since it cannot be read: {broken}' in done.stdout
  assert '26 photos of' in done.stdout
  assert 'train/ash/0.png' not in stored_logits.read(file).names
  flags = f'--config.teacher.logits={file}', f'--config.data.dir={own}'
  done = student(tmp_path / 'student', *flags, '--config.steps=3')
  assert done.returncode == 0, done.stderr
  assert f'left out, since it cannot be read: {broken}' in done.stdout
  broken.write_bytes(whole)
  refused = student(tmp_path / 'again', *flags)
  assert refused.returncode == 1
  assert "such as 'train/ash/0.png'; write it anew" in refused.stderr


@pytest.mark.parametrize(
  ('fields', 'line'),
  [
    ({'teacher.weights': ''}, r'there is no teacher: give .*teacher\.weights='),
    ({'teacher.hard': 1.0}, r'all of the loss: .*--config\.teacher\.hard=0\.5'),
    (
      {'teacher.weights': '', 'teacher.hard': 1.0, 'teacher.features': 3.0},
      r'teacher\.features is 3, and there is no teacher: give a finished run',
    ),
    (
      {'teacher.features': 3.0, 'model.trained': 'classifier'},
      r'features is 3, and nothing before the classifier learns: .*model\.trained=',
    ),
    ({'teacher.features': 3.0, 'batch_size': 1}, 'compares the images of a batch'),
    ({'teacher.logits': 'l.npz'}, 'are two teachers: give one of them'),
    ({'teacher.weights': 'no_such.pth'}, r'no_such\.pth'),
    ({'teacher.crc32': '00000000'}, 'is not the teacher of before: its checksum is'),
    (
      {'teacher.weights': '', 'teacher.logits': 'l.npz', 'data.name': 'made'},
      'is for folders of photos, and the data is made',
    ),
    (
      {
        'teacher.weights': '',
        'teacher.logits': 'l.npz',
        'data.batch_ops': 'mixup(0.2)',
      },
      'has no answers for mixtures',
    ),
  ],
)
def test_what_cannot_be_taught_is_refused_in_a_line(config, fields, line):
  config.update_from_flattened_dict(fields)
  with pytest.raises(ValueError, match=line) as refused:
    teaching.open_teacher(config)
  assert '\n' not in str(refused.value)


def test_a_config_without_a_teacher_is_left_alone(config):
  config.teacher.weights, config.teacher.hard = '', 1.0
  same, teacher = teaching.open_teacher(config)
  assert (same, teacher) == (config, None)


@pytest.mark.parametrize(
  ('classes', 'line'),
  [
    (('ash', 'birch', 'cedar'), None),
    (('cedar', 'ash', 'birch'), None),
    (('ash', 'birch', 'elm'), 'only the teacher has cedar; only the data has elm;'),
    (('ash', 'birch'), 'only the teacher has cedar; train it on them first'),
  ],
)
def test_classes_are_compared_and_put_in_order(config, classes, line):
  _, teacher = teaching.open_teacher(config)
  if line:
    with pytest.raises(TrainingError, match=line):
      teaching.fitted(teacher, classes, None)
  else:
    order = teaching.fitted(teacher, classes, None).order
    assert tuple(conftest.CLASSES[place] for place in order) == classes


def test_a_teacher_without_names_must_have_as_many_classes():
  teacher = teaching.Teacher('a file', None, 1000, '', None)
  with pytest.raises(TrainingError, match='has 1,000 classes, the data 3;'):
    teaching.fitted(teacher, conftest.CLASSES, None)
  assert teaching.fitted(teacher, tuple('abc') * 0 + tuple(map(str, range(1000))), None)
