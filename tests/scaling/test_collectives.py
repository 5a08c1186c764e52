"""What is read of a program's text is what was put into it."""

import jax
import jax.numpy as jnp
import pytest
from jax import lax
from jax.sharding import NamedSharding, PartitionSpec

from mobilenet.scaling import collectives
from mobilenet.training import sharding
from tests import devices

EVERYWHERE = PartitionSpec()


@pytest.fixture(scope='module')
def mesh():
  return sharding.make_mesh(devices.first(8), shards=4)


def found(mesh, function, *shapes, out=EVERYWHERE):
  """The collectives of a function of float32 arrays whose rows are split."""
  arrays = [
    jax.ShapeDtypeStruct(shape, jnp.float32, sharding=sharding.split(mesh))
    for shape in shapes
  ]
  jitted = jax.jit(function, out_shardings=NamedSharding(mesh, out))
  return collectives.of_program(jitted.lower(*arrays).compile().as_text(), 8)


def test_a_sum_over_all_devices(mesh):
  (entry,) = found(mesh, lambda x: jnp.sum(x, 0), (64, 48))
  assert (entry.kind, entry.count, entry.bytes) == ('all-reduce', 1, 48 * 4)
  assert entry.sent == pytest.approx(2 * 7 / 8 * 48 * 4)


def test_in_a_loop_it_counts_as_often_as_it_runs(mesh):
  def sums(x):
    def body(total, row):
      return total + jnp.sum(jnp.sin(x + row), 0), None

    return lax.scan(body, jnp.zeros(48), jnp.arange(5.0))[0]

  (entry,) = found(mesh, sums, (64, 48))
  assert (entry.kind, entry.count, entry.bytes) == ('all-reduce', 5, 5 * 48 * 4)


def test_all_of_an_array_on_each_device(mesh):
  (entry,) = found(mesh, lambda x: x * 2, (64, 48))
  assert (entry.kind, entry.count, entry.bytes) == ('all-gather', 1, 64 * 48 * 4)
  assert entry.sent == pytest.approx(7 / 8 * 64 * 48 * 4)


def test_no_transfer(mesh):
  assert (
    found(mesh, lambda x: x * 2, (64, 48), out=PartitionSpec(('data', 'shards'))) == []
  )


# As XLA writes them for TPUs: asynchronous ones have two lines.
TPU = """
HloModule jit_step

%region_0 (a: f32[], b: f32[]) -> f32[] {
  ROOT %add = f32[] add(%a, %b)
}

ENTRY %main (x: f32[8,128]) -> f32[8,512] {
  %x = f32[8,128]{1,0} parameter(0)
  %a = (f32[8,128]{1,0:T(8,128)}, f32[8,512]{1,0}) all-gather-start(%x), channel_id=1, \
replica_groups=[2,4]<=[8], dimensions={1}
  %b = f32[8,512]{1,0} all-gather-done(%a)
  %c = (f32[128]{0}, bf16[64]{0}) all-reduce(%y, %z), channel_id=2, \
replica_groups={{0,1,2,3},{4,5,6,7}}, to_apply=%region_0
  %d = f32[2,128]{1,0} reduce-scatter(%x), channel_id=3, \
replica_groups=mesh['axis_0'=2,'axis_1'=4] {'axis_1'}, to_apply=%region_0
  %e = f32[8,128]{1,0} collective-permute(%x), source_target_pairs={{0,1},{1,0}}
}
"""


def test_the_text_of_a_tpu():
  by_kind = {entry.kind: entry for entry in collectives.of_program(TPU, 8)}
  assert {kind: (e.count, e.bytes) for kind, e in by_kind.items()} == {
    'all-gather': (1, 8 * 512 * 4),
    'all-reduce': (1, 128 * 4 + 64 * 2),
    'reduce-scatter': (1, 2 * 128 * 4),
    'collective-permute': (1, 8 * 128 * 4),
  }
  assert by_kind['all-gather'].sent == 8 * 512 * 4 * 3 / 4
  assert by_kind['all-reduce'].sent == (128 * 4 + 64 * 2) * 2 * 3 / 4
  assert by_kind['reduce-scatter'].sent == 2 * 128 * 4 * 3
