"""timm on PyTorch as a contender: channels_last, eager or through torch.compile.

Imports no JAX, so that it may run under a Python that has PyTorch only.
"""

import contextlib
import platform
import time

import torch

from mobilenet.bench import recipe
from mobilenet.bench.worker import Prepared


def prepare(spec: dict) -> Prepared:
  """A model of timm, ready to be trained or run; see `ours.prepare`."""
  timm = import_timm()
  torch.manual_seed(recipe.SEED)
  torch.set_num_threads(spec['threads'])
  # Both convolutions and products in TF32 on a GPU, as JAX has them by default.
  torch.set_float32_matmul_precision('high')
  torch.backends.cudnn.benchmark = True
  device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')
  began = time.perf_counter()
  model = timm.create_model(spec['their_name'], num_classes=spec['num_classes'])
  model = model.to(device, memory_format=torch.channels_last)
  images, labels = recipe.made_batch(spec)
  # NHWC in memory, NCHW by its axes: what channels_last means.
  images = torch.from_numpy(images).permute(0, 3, 1, 2).to(device)
  labels = torch.from_numpy(labels).long()
  compiled = spec['contender'] == 'timm_compile'
  make = training_step if spec['mode'] == 'train' else inference
  run = make(model, images, labels.to(device), spec['dtype'], compiled)
  return Prepared(
    run=synchronised(run, device),
    parameters=sum(parameter.numel() for parameter in model.parameters()),
    init_seconds=time.perf_counter() - began,
    platform='gpu' if device.type == 'cuda' else 'cpu',
    device=torch.cuda.get_device_name() if device.type == 'cuda' else 'cpu',
    versions={
      'python': platform.python_version(),
      'torch': torch.__version__,
      'timm': timm.__version__,
    },
    device_memory=(
      torch.cuda.max_memory_allocated if device.type == 'cuda' else lambda: None
    ),
  )


def training_step(model, images, labels, dtype: str, compiled: bool):
  """A function that takes one step: forward, backward, RMSprop, averages."""
  from timm.utils import ModelEmaV3

  model.train()
  update = optimizer(model.parameters(), images.device.type)
  averages = ModelEmaV3(model, decay=recipe.EMA_DECAY, use_warmup=True, foreach=True)
  loss_of = torch.nn.CrossEntropyLoss(label_smoothing=recipe.LABEL_SMOOTHING)
  forward = torch.compile(model) if compiled else model
  count = 0

  def run():
    nonlocal count
    with precision(images.device, dtype):
      loss = loss_of(forward(images), labels)
    update.zero_grad(set_to_none=True)
    loss.backward()
    update.step()
    count += 1
    averages.update(model, step=count)

  return run


def optimizer(parameters, device: str):
  """RMSprop with momentum: timm's as TensorFlow's; on a GPU PyTorch's own.

  timm's makes ten operators of each array, 1,742 for V3-Large, whose forward and
  backward have 685. On a GPU each is a kernel that the host launches, and the host is
  what would be measured. PyTorch's own computes as much on all arrays at once; it adds
  epsilon outside of the root.
  """
  from timm.optim import RMSpropTF

  options = {
    'lr': recipe.LEARNING_RATE,
    'alpha': recipe.DECAY,
    'momentum': recipe.MOMENTUM,
    'eps': recipe.EPSILON,
  }
  if device == 'cpu':
    return RMSpropTF(parameters, **options)
  return torch.optim.RMSprop(parameters, foreach=True, **options)


def inference(model, images, labels, dtype: str, compiled: bool):
  """A function that computes the logits of the images."""
  del labels
  model.eval()
  forward = torch.compile(model) if compiled else model

  def run():
    with torch.inference_mode(), precision(images.device, dtype):
      forward(images)

  return run


def precision(device, dtype: str):
  """Autocast to a dtype; nothing for float32."""
  if dtype == 'float32':
    return contextlib.nullcontext()
  return torch.autocast(device.type, getattr(torch, dtype))


def synchronised(run, device):
  """A call that returns when a GPU has done its work."""
  if device.type != 'cuda':
    return run

  def and_wait():
    run()
    torch.cuda.synchronize()

  return and_wait


def import_timm():
  """timm, even if torchvision's compiled operators don't fit PyTorch.

  timm imports torchvision and uses none of those operators in these networks. PyTorch
  refuses to have them described (`register_fake`) if they were not loaded. The smaller
  CPU builds of PyTorch have no torchvision of their own.
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
    import timm
  finally:
    torch.library.register_fake = described
  return timm
