"""timm on PyTorch as a contender: channels_last, eager or through torch.compile.

Imports no JAX, so that it may run under a Python that has PyTorch only.
"""

import time

import torch

from mobilenet.bench import pytorch, recipe
from mobilenet.bench.worker import Prepared


def prepare(spec: dict) -> Prepared:
  """A model of timm, ready to be trained or run; see `ours.prepare`."""
  with pytorch.without_compiled_operators():
    import timm
  device = pytorch.set_up(spec)
  began = time.perf_counter()
  model = timm.create_model(spec['their_name'], num_classes=spec['num_classes'])
  model = model.to(device, memory_format=torch.channels_last)
  images, labels = recipe.made_batch(spec)
  images = pytorch.on_device(images, device)
  labels = torch.from_numpy(labels).long().to(device)
  compiled = spec['contender'] == 'timm_compile'
  make = training_step if spec['mode'] == 'train' else inference
  run = make(model, images, labels, spec['dtype'], compiled)
  init_seconds = time.perf_counter() - began
  versions = {'timm': timm.__version__}
  return pytorch.prepared(run, model, device, init_seconds, versions)


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
    with pytorch.precision(images.device, dtype):
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
    with torch.inference_mode(), pytorch.precision(images.device, dtype):
      forward(images)

  return run
