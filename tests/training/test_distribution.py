"""A run is the same run however it is spread: devices, shards, parts of a batch."""

import itertools

import jax
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree

from mobilenet.training import loop, sharding
from mobilenet.training.checkpoints import Checkpointer
from mobilenet.training.state import create, described, layout, restore
from mobilenet.training.step import make_train_step

STEPS = 3


@pytest.fixture(autouse=True)
def small_arrays_are_cut_too(monkeypatch):
  monkeypatch.setattr(sharding, 'SMALL', 64)


def trained(run, batches=None, steps=STEPS):
  """The state after a few steps."""
  tx = run.optimizer()

  def new_state(variables):
    return create(variables, tx, run.task.zero_sums(), ema=True)

  where = layout(described(lambda: new_state(run.variables()), run.mesh))
  programs = run.kept_programs()
  state = programs.kept('a new state', jax.jit(new_state, out_shardings=where))(
    run.variables()
  )
  step = make_train_step(
    run.model,
    run.task,
    tx,
    run.mesh,
    seed=3,
    ema_decay=0.9,
    accumulate=run.accumulate,
    layout=where,
  )
  step = programs.kept('a step', step)
  batches = run.train(0, run.batch_size) if batches is None else batches
  for batch in itertools.islice(batches, steps):
    state, _ = step(state, sharding.put(run.mesh, batch))
  return state


def assert_alike(one, other, limit=1e-5):
  """Each array differs by at most `limit` of its own length."""
  of_one, of_other = (
    jax.tree_util.tree_leaves_with_path((state.variables, state.ema))
    for state in (one, other)
  )
  for (path, a), (_, b) in zip(of_one, of_other, strict=True):
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    apart, length = np.linalg.norm(a - b), np.linalg.norm(a)
    assert apart <= limit * length + 1e-7, (jax.tree_util.keystr(path), apart / length)


@pytest.fixture(scope='module')
def on_one_device(make_run_for_all):
  return trained(make_run_for_all())


@pytest.mark.parametrize(
  ('devices', 'shards'),
  [
    (8, 4),
    *(
      pytest.param(*both, marks=pytest.mark.heavy)
      for both in [(8, 1), (2, 1), (4, 1), (2, 2), (4, 4), (8, 8)]
    ),
  ],
)
def test_devices_and_shards(make_run, on_one_device, devices, shards):
  state = trained(make_run(devices=devices, shards=shards))
  assert_alike(on_one_device, state)
  held = lambda tree: sum(x.addressable_data(0).size for x in jax.tree.leaves(tree))  # noqa: E731
  share = held((state.variables, state.opt_state)) / held(
    (on_one_device.variables, on_one_device.opt_state)
  )
  assert share < 0.5 + 0.5 / shards if shards > 1 else share == 1


def permuted(batches, groups):
  """Batches whose `accumulate` parts are `groups` of neighbours."""
  for batch in batches:
    size = len(batch['label'])
    rows = np.arange(size).reshape(-1, groups).T.reshape(-1)
    yield {name: values[rows] for name, values in batch.items()}


@pytest.mark.heavy  # tests/tasks/test_parts.py tries it of every task
def test_parts_of_a_batch_are_the_batch_where_norms_are_frozen(make_run):
  """A network without norms: frozen ones are no more than a factor and a shift."""
  without = {'style': {'norm': False}, 'dropout': 0.0}
  whole = trained(make_run(**without))
  assert_alike(whole, trained(make_run(**without, accumulate=4)), 1e-6)


def test_parts_of_a_batch_are_groups_of_norms(make_run):
  """Live norms know one part each, as a `norm_group` of that size has it."""
  run = make_run(accumulate=2, dropout=0.0)
  in_parts = trained(run)
  grouped = make_run(style={'norm_group': 4}, dropout=0.0)
  batches = permuted(run.train(0, run.batch_size), 2)
  assert_alike(in_parts, trained(grouped, batches))
  assert int(in_parts.sums['count']) == STEPS * run.batch_size


def test_groups_do_not_depend_on_devices(make_run, on_one_device):
  group = {'style': {'norm_group': 2}}
  of_one = trained(make_run(**group))
  assert_alike(of_one, trained(make_run(**group, devices=8)))
  with pytest.raises(AssertionError):  # and they are not the whole batch
    assert_alike(of_one, on_one_device)


def test_computing_rows_again_changes_no_number(make_run, on_one_device):
  assert_alike(on_one_device, trained(make_run(style={'remat': True})))


@pytest.mark.parametrize(
  ('first', 'then'),
  [((8, 4), (1, 1)), ((1, 1), (8, 4))],
  ids=['8 devices to 1', '1 device to 8'],
)
def test_a_checkpoint_goes_to_another_number_of_devices(
  make_run, tmp_path, first, then
):
  before, after = (make_run(devices=n, shards=m) for n, m in (first, then))
  state = trained(before, steps=1)
  with Checkpointer(tmp_path) as checkpointer:
    checkpointer.save(1, state)
  tx = after.optimizer()
  like = described(
    lambda: create(after.variables(), tx, after.task.zero_sums(), ema=True), after.mesh
  )
  with Checkpointer(tmp_path, read_only=True) as checkpointer:
    found = restore(checkpointer, like, after.model, after.mesh)
  assert jax.tree.structure(found) == jax.tree.structure(like)
  jax.tree.map(np.testing.assert_array_equal, found.variables, state.variables)
  shapes = jax.tree.map(lambda leaf: (leaf.shape, leaf.sharding), (found, like))
  assert shapes[0] == shapes[1]
  for name in ('nu', 'trace'):
    of_both = (optax.tree_utils.tree_get(s.opt_state, name) for s in (state, found))
    one, other = (np.asarray(ravel_pytree(moments)[0]) for moments in of_both)
    np.testing.assert_array_equal(one, other)
    assert np.ptp(one) > 0


@pytest.mark.heavy
def test_a_run_goes_on_with_other_devices(make_run, tmp_path):
  """8 devices with a shared state for half of it, then one; and the other way round."""
  whole = make_run(total_steps=10)(tmp_path / 'whole').state
  for n, order in enumerate([((8, 4), (1, 1)), ((1, 1), (8, 4))]):
    folder = tmp_path / str(n)
    for (devices, shards), stop in zip(order, (True, False), strict=True):
      run = make_run(total_steps=10, devices=devices, shards=shards)
      if stop:
        with pytest.raises(KeyError):
          stopped_after(run, 6)(folder)
      else:
        outcome = run(folder)
    assert outcome.step == 10
    assert_alike(whole, outcome.state)


def stopped_after(run, steps):
  """The run, whose data ends with an error."""
  batches = run.train

  def train(start, size):
    yield from itertools.islice(batches(start, size), steps)
    raise KeyError('the test ends here')

  run.train = train
  return run


def test_a_shared_state_is_evaluated_kept_and_returned_whole(make_run, tmp_path):
  run = make_run(devices=8, shards=2, total_steps=4, checkpoint_steps=2, eval_steps=2)
  outcome = run(tmp_path)
  assert isinstance(outcome, loop.Outcome)
  assert set(outcome.evaluations) == {'raw', 'ema'}
  for leaf in jax.tree.leaves((outcome.state.variables, outcome.state.ema)):
    assert leaf.is_fully_replicated
