"""timm's contender, where PyTorch and timm are installed."""

import pytest

torch = pytest.importorskip('torch')


@pytest.fixture(scope='module')
def timm_peer():
  from mobilenet.bench import timm_peer

  try:
    timm_peer.import_timm()
  except ModuleNotFoundError as error:
    pytest.skip(str(error))
  return timm_peer


def operators(function) -> int:
  """How many operators of PyTorch a call runs, views of arrays aside."""
  from torch.utils._python_dispatch import TorchDispatchMode

  class Counted(TorchDispatchMode):
    number = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
      self.number += not function.is_view
      return function(*args, **(kwargs or {}))

  with Counted() as counted:
    function()
  return counted.number


@pytest.mark.parametrize('device', ['cpu', 'cuda'])
def test_a_gpu_updates_all_arrays_at_once(timm_peer, device):
  """Tried on the CPU, whose operators are the kernels that a GPU is given."""
  arrays = [torch.nn.Parameter(torch.full((3,), float(n))) for n in range(50)]
  update = timm_peer.optimizer(arrays, device)
  for array in arrays:
    array.grad = torch.ones(3)
  update.step()  # the first makes its state
  number = operators(update.step)
  assert number < len(arrays) if device == 'cuda' else number > 5 * len(arrays)
  moved = torch.stack([n - array.detach()[0] for n, array in enumerate(arrays)])
  assert bool((moved > 0).all())
  torch.testing.assert_close(moved, moved[:1].expand(50), rtol=1e-3, atol=0)
