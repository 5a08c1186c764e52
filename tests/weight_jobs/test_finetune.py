"""Fine-tuning: where it starts, that it resumes, and what can be made of the run."""

import jax
import numpy as np
import pytest

from configs import finetune
from mobilenet import experiment, trained
from mobilenet.jobs import export
from mobilenet.reports import run_report
from mobilenet.runs import training as train_job
from mobilenet.training import sharding
from mobilenet.training.errors import TrainingError
from mobilenet.weights import loading
from tests.weights.made_weights import CLASSES, same_variables


@pytest.fixture(scope='module', autouse=True)
def one_device():
  """A step for several compiles much longer."""
  make_mesh = sharding.make_mesh
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(sharding, 'make_mesh', lambda shards=1: make_mesh(jax.devices()[:1]))
    yield


def small(init, photos, **fields):
  """The experiment of fine-tuning, as small as it goes."""
  config = finetune.get_config('epochs=2')
  config.init, config.data.dir = str(init), str(photos)
  config.resolution = 32
  config.batch_size = config.eval_batch_size = 4
  config.model.lowering = 'native'  # compiles faster
  config.schedule.warmup_epochs = 0.0
  config.log_steps = 1
  config.update_from_flattened_dict(fields)
  return config


def train(config, folder):
  """Without the tables and figures of a finished run, which take seconds."""
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(run_report, 'write_training', lambda *_, **__: None)
    train_job.train(config, folder)


@pytest.fixture(scope='module')
def tuned(weight_file, photos, tmp_path_factory):
  folder = tmp_path_factory.mktemp('tuned') / 'run'
  train(small(weight_file, photos), folder)
  return folder


def test_fine_tuning_starts_from_the_loaded_body(weight_file, weights, photos):
  config = small(weight_file, photos)
  loaded = trained.load_weights(config.init)
  config = experiment.with_weights(config, loaded)
  model = experiment.make_model(config, CLASSES[:3])
  start = experiment.initial_variables(config, model, loaded)
  body = {**start, 'params': {'backbone': start['params']['backbone']}}
  assert same_variables(
    body,
    {
      'params': {'backbone': weights.variables['params']['backbone']},
      'batch_stats': weights.variables['batch_stats'],
    },
  )
  drawn = experiment.initial_variables(config, model)
  head, fresh = (v['params']['head']['classifier'] for v in (start, drawn))
  assert head['kernel'].shape == (256, 3)
  np.testing.assert_array_equal(head['kernel'], fresh['kernel'])


def test_fine_tuning_leaves_a_run(tuned, weights):
  run = trained.load_run(tuned)
  assert (run.outputs, run.step) == (CLASSES, 3)
  assert run.model.network.style.padding == 'torch'
  stem = run.variables['params']['backbone']['stem']['conv']['kernel']
  start = weights.variables['params']['backbone']['stem']['conv']['kernel']
  difference = np.abs(np.asarray(stem) - start).max()
  assert 0 < difference < 0.01, 'it is trained, and from there'


@pytest.mark.heavy
def test_fine_tuning_resumes(tuned, weight_file, photos, tmp_path, monkeypatch):
  """Broken off after a checkpoint it goes on to the same variables, to the bit."""
  config = small(weight_file, photos)
  whole_batches = experiment.train_batches

  def two_batches(config, source, mesh, start_step):
    batches = whole_batches(config, source, mesh, start_step)
    yield next(batches)
    yield next(batches)
    raise KeyboardInterrupt

  config.checkpoint_every_epochs = 0.5  # may differ between a run and its resumption
  with monkeypatch.context() as patch:
    patch.setattr(experiment, 'train_batches', two_batches)
    with pytest.raises(KeyboardInterrupt):
      train(config, tmp_path)
  assert trained.load_run(tmp_path).step < 3
  train(config, tmp_path)
  resumed, reference = trained.load_run(tmp_path), trained.load_run(tuned)
  assert resumed.step == 3
  assert same_variables(resumed.variables, reference.variables)


def test_a_head_of_another_size_leaves_nothing_behind(weight_file, photos, tmp_path):
  config = small(weight_file, photos, new_head=False)
  few = tmp_path / 'photos'
  for split in ('train', 'val'):
    for name in CLASSES[:2]:
      (few / split).mkdir(parents=True, exist_ok=True)
      (few / split / name).symlink_to(photos / split / name)
  config.data.dir = str(few)
  with pytest.raises(ValueError, match='have 6 classes, the data 2; --conf'):
    train_job.train(config, tmp_path / 'run')
  assert not (tmp_path / 'run').exists()


def test_images_in_another_range_than_the_weights_are_warned_of(
  weight_file, photos, capsys
):
  config = small(weight_file, photos)
  loaded = trained.load_weights(config.init)
  mesh = sharding.make_mesh()

  def first_batch(ops):
    config.data.own_ops, config.data.train_ops = True, ops
    ready = experiment.with_weights(config, loaded)
    opened = experiment.open_source(ready, 'train')
    next(experiment.train_batches(ready, opened, mesh, 0))
    return capsys.readouterr().out

  assert first_batch('resize({resolution})|{normalize}') == ''
  out = first_batch('resize({resolution})|value_range(0, 255)')
  assert out.startswith('warning: images have values ')
  assert out.endswith('trained on -1 to 1: end the op string with value_range(-1, 1)\n')


def test_ops_for_weights_need_weights():
  config = finetune.get_config()
  config.resolution = 32
  with pytest.raises(TrainingError, match='which is for given weights: set --conf'):
    experiment.ops(config, 'eval_ops')


def test_export_of_a_trained_run(tuned, tmp_path, capsys):
  out = tmp_path / 'mine.safetensors'
  export.export_weights(tuned, 'own', out)
  printed = capsys.readouterr().out
  assert printed.startswith(f'written: {out}\n')
  back, run = loading.load(out), trained.load_run(tuned)
  assert same_variables(back.variables, run.variables)
  assert back.class_names == CLASSES
  assert back.contract == trained.contract_of_run(run.config)
  with pytest.raises(ValueError, match=r'timm has mobilenet_v1 at width .* 1 \(32\)'):
    export.export_weights(tuned, 'timm', tmp_path / 'timm.safetensors')


def test_a_finished_run_is_something_to_start_from(tuned, photos):
  config = small(tuned, photos, new_head=False)
  loaded = trained.load_weights(config.init)
  config = experiment.with_weights(config, loaded)
  run = trained.load_run(tuned)
  model = experiment.make_model(config, CLASSES)
  start = experiment.initial_variables(config, model, loaded)
  assert same_variables(start, run.variables)
  assert loaded.class_names == CLASSES
  assert experiment.ops(config, 'eval_ops') == experiment.ops(run.config, 'eval_ops')


@pytest.mark.parametrize(
  'ops',
  [
    'central_fraction(0.875)|resize({resolution})|value_range(-1, 1)',
    "resize({resolution}, 'bicubic', antialias=True)|value_range(0, 1)",
    'resize_small(36)|central_crop({resolution})|value_range(-1, 1)',
    'resize({resolution})|bgr|normalize((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))',
  ],
)
def test_the_contract_of_a_network_trained_from_scratch(ops):
  config = finetune.get_config()
  config.resolution = 32
  config.data.eval_ops = ops
  contract = trained.contract_of_run(config)
  assert contract.resolution == 32
  said = ops.replace('{resolution}', '32')
  assert contract.eval_ops() == said or 'bicubic' in said


def test_a_preparation_that_no_contract_can_say():
  config = finetune.get_config()
  config.resolution = 32
  config.data.eval_ops = 'resize(40)|central_crop(32)|value_range(-1, 1)'
  with pytest.raises(TrainingError, match='which the contract of a weight file cannot'):
    trained.contract_of_run(config)
