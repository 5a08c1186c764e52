"""What instructions of a compiled program read, write and compute."""

import jax
import jax.numpy as jnp
import pytest

from mobilenet.bench import hlo

# As XLA prints it, without what is not read.
TEXT = """HloModule jit_step, entry_computation_layout={(f32[6,8]{1,0})->f32[6,4]{1,0}}

%fused (param_0: f32[100], param_1: f32[4,5]) -> f32[4,5] {
  %param_0 = f32[100]{0} parameter(0)
  %doubled = f32[100]{0} multiply(%param_0, %param_0)
  %part = f32[20]{0} slice(%doubled), slice={[20:40]}
  %shaped = f32[4,5]{1,0} bitcast(%part)
  %param_1 = f32[4,5]{1,0} parameter(1)
  ROOT %sum = f32[4,5]{1,0} add(%shaped, %param_1)
}

%placed (param_0.1: f32[100], param_1.1: f32[10], param_2: s32[]) -> f32[100] {
  %param_0.1 = f32[100]{0} parameter(0)
  %param_1.1 = f32[10]{0} parameter(1)
  %param_2 = s32[] parameter(2)
  ROOT %put = f32[100]{0} dynamic-update-slice(%param_0.1, %param_1.1, %param_2)
}

ENTRY %main (x: f32[6,8], w: f32[8,4], flat: f32[100], ten: f32[10], at: s32[]) -> f32[6,4] {
  %x = f32[6,8]{1,0} parameter(0)
  %w = f32[8,4]{1,0} parameter(1)
  %flat = f32[100]{0} parameter(2)
  %ten = f32[10]{0} parameter(3)
  %at = s32[] parameter(4)
  %dot.1 = f32[6,4]{1,0} dot(%x, %w), lhs_contracting_dims={1}, rhs_contracting_dims={0}, metadata={op_name="jit(step)/transpose(jvp(Classifier))/Classifier.features/backbone/block_00/conv/dot_general"}
  %some = f32[4,5]{1,0} bitcast(%flat)
  %fusion.2 = f32[4,5]{1,0} fusion(%flat, %some), kind=kLoop, calls=%fused, metadata={op_name="jit(step)/add"}
  %fusion.3 = f32[100]{0} fusion(%flat, %ten, %at), kind=kLoop, calls=%placed
  %half = bf16[6,4]{1,0} convert(%dot.1)
  %images = f32[2,8,8,16]{3,2,1,0} broadcast(%at), dimensions={}
  %taps = f32[3,3,1,16]{3,2,1,0} broadcast(%at), dimensions={}
  %conv = f32[2,8,8,16]{3,2,1,0} convolution(%images, %taps), window={size=3x3 pad=1_1x1_1}, dim_labels=b01f_01io->b01f, feature_group_count=16
  ROOT %call = (f32[128,4]{1,0}, f32[8,4]{1,0}) custom-call(%x, %w), custom_call_target="mobilenet_pointwise", metadata={op_name="jit(step)/jvp(Classifier)/head/dot_general"}
}
"""  # noqa: E501


@pytest.fixture(scope='module')
def found():
  return hlo.instructions(TEXT)


def test_a_product(found):
  product = found['dot.1']
  assert product.kind == 'dot'
  assert product.operations == 2 * 6 * 8 * 4
  assert product.bytes == 4 * (6 * 8 + 8 * 4 + 6 * 4)
  assert (product.layer, product.direction) == ('backbone/block_00/conv', 'backward')


def test_of_an_array_that_is_sliced_the_slice_is_read(found):
  """Also where all of it goes through something first, of which the rest is dropped."""
  assert found['fusion.2'].bytes == 4 * (20 + 20 + 20)
  assert found['fusion.2'].kind == 'fusion'
  assert found['fusion.2'].direction == 'other'


def test_an_update_in_place_writes_what_is_put_there(found):
  assert found['fusion.3'].bytes == 4 * (0 + 10 + 1 + 10)


def test_types_have_sizes(found):
  assert found['half'].bytes == 24 * 4 + 24 * 2


def test_a_depthwise_convolution(found):
  assert found['conv'].operations == 2 * 9 * (2 * 8 * 8 * 16)


def test_a_kernel_of_the_accelerator(found):
  call = found['call']
  assert call.kind == 'pointwise'
  assert call.operations == 2 * 8 * 128 * 4
  assert (call.layer, call.direction) == ('head', 'forward')


def test_what_only_gives_names_is_left_out(found):
  assert not {'x', 'some', 'param_0'} & set(found)


def test_a_program_of_this_xla():
  """A product and what is fused behind it, as the installed version prints them."""

  def step(x, w):
    return jnp.sum(jnp.maximum(x @ w, 0))

  given = (
    jax.ShapeDtypeStruct((64, 32), jnp.float32),
    jax.ShapeDtypeStruct((32, 48), 'f4'),
  )
  parts = hlo.instructions(jax.jit(step).lower(*given).compile().as_text()).values()
  assert 2 * 64 * 32 * 48 in {part.operations for part in parts}
