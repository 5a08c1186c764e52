"""What contenders on PyTorch share: settings, devices, precision, torchvision.

Imports no JAX: a worker's Python may have nothing but PyTorch.
"""

import contextlib
import platform
from collections.abc import Callable

import torch

from mobilenet.bench import recipe
from mobilenet.bench.worker import Prepared


def set_up(spec: dict) -> torch.device:
  """Seeds and sets PyTorch as a spec says; the device to compute on."""
  torch.manual_seed(recipe.SEED)
  torch.set_num_threads(spec['threads'])
  # Both convolutions and products in TF32 on a GPU, as JAX has them by default.
  torch.set_float32_matmul_precision('high')
  torch.backends.cudnn.benchmark = True
  return torch.device('cuda' if torch.cuda.is_available() else 'cpu')


def on_device(images, device: torch.device) -> torch.Tensor:
  """Images (N, H, W, 3), NumPy: NHWC in memory, NCHW by their axes (channels_last)."""
  return torch.from_numpy(images).permute(0, 3, 1, 2).to(device)


def prepared(
  run: Callable[[], None],
  model: torch.nn.Module,
  device: torch.device,
  init_seconds: float,
  versions: dict[str, str],
  notes: tuple[str, ...] = (),
) -> Prepared:
  """A model of PyTorch that is ready; `run` returns when a GPU has done its work."""
  on_gpu = device.type == 'cuda'
  return Prepared(
    run=synchronised(run, device),
    parameters=sum(parameter.numel() for parameter in model.parameters()),
    init_seconds=init_seconds,
    platform='gpu' if on_gpu else 'cpu',
    device=torch.cuda.get_device_name() if on_gpu else 'cpu',
    versions={
      'python': platform.python_version(),
      'torch': torch.__version__,
      **versions,
    },
    notes=notes,
    device_memory=torch.cuda.max_memory_allocated if on_gpu else lambda: None,
  )


def precision(device: torch.device, dtype: str):
  """Autocast to a dtype; nothing for float32."""
  if dtype == 'float32':
    return contextlib.nullcontext()
  return torch.autocast(device.type, getattr(torch, dtype))


def synchronised(run: Callable[[], None], device: torch.device):
  """A call that returns when a GPU has done its work."""
  if device.type != 'cuda':
    return run

  def and_wait():
    run()
    torch.cuda.synchronize()

  return and_wait


@contextlib.contextmanager
def without_compiled_operators():
  """Imports torchvision even if its compiled operators don't fit PyTorch.

  No network here uses any of those operators; timm imports them too. PyTorch refuses to
  have them described (`register_fake`) if they were not loaded. The smaller CPU builds
  of PyTorch have no torchvision of their own.
  """
  import torch.library

  described = torch.library.register_fake

  def describe(operator, function=None, /, **options):
    if function is None:
      return lambda later: describe(operator, later, **options)
    with contextlib.suppress(RuntimeError):
      described(operator, function, **options)
    return function

  torch.library.register_fake = describe
  try:
    yield
  finally:
    torch.library.register_fake = described
