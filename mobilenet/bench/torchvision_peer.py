"""torchvision's detectors as contenders: channels_last, eager or with torch.compile.

Imports no JAX, so that it may run under a Python that has PyTorch only.
"""

import time

import torch

from mobilenet.bench import pytorch, recipe
from mobilenet.bench.worker import Prepared


def prepare(spec: dict) -> Prepared:
  """A detector of torchvision, ready to be trained or run; see `ours.prepare`."""
  with pytorch.without_compiled_operators():
    import torchvision
    from torchvision.models import detection
  device = pytorch.set_up(spec)
  began = time.perf_counter()
  model = getattr(detection, spec['their_name'])(
    weights=None, weights_backbone=None, num_classes=1 + spec['num_classes']
  )
  model = model.to(device, memory_format=torch.channels_last)
  images = pytorch.on_device(recipe.made_batch(spec)[0], device)
  notes = ()
  if spec['contender'] == 'torchvision_compile':
    # The rest depends on the boxes, which is not what a compiler of graphs is for.
    model.backbone.compile()
    model.head.compile()
    notes = ('the trunk and the heads are compiled, the loss and the decoding are not',)
  if spec['mode'] == 'train':
    run = training_step(model, images, made_targets(spec, device), spec['dtype'])
  else:
    run = inference(model, images, spec['dtype'])
  init_seconds = time.perf_counter() - began
  versions = {'torchvision': torchvision.__version__}
  return pytorch.prepared(run, model, device, init_seconds, versions, notes)


class AsTheyAre(torch.nn.Module):
  """In place of a detector's own preparation: these images have their size and range.

  torchvision's would resize and normalise them in every call, which nobody else does,
  and would give up channels_last.
  """

  def forward(self, images, targets=None):
    return image_list(images), targets


def image_list(images: torch.Tensor):
  """Images as the parts of torchvision's detectors take them."""
  from torchvision.models.detection.image_list import ImageList

  return ImageList(images, [tuple(images.shape[2:])] * len(images))


def made_targets(spec: dict, device: torch.device) -> list[dict[str, torch.Tensor]]:
  """The boxes of `recipe`: left, top, right, bottom in pixels; class 0 is nothing."""
  boxes, classes = recipe.made_boxes(spec)
  boxes = boxes[..., [1, 0, 3, 2]] * spec['resolution']
  return [
    {
      'boxes': torch.from_numpy(of_image).to(device),
      'labels': torch.from_numpy(labels + 1).long().to(device),
    }
    for of_image, labels in zip(boxes, classes, strict=True)
  ]


def training_step(model, images, targets, dtype: str):
  """A function that takes one step: the model's own matching and loss, then SGD."""
  model.train()
  model.transform = AsTheyAre()
  update = torch.optim.SGD(
    model.parameters(), lr=recipe.LEARNING_RATE, momentum=recipe.MOMENTUM
  )

  def run():
    with pytorch.precision(images.device, dtype):
      loss = sum(model(images, targets).values())
    update.zero_grad(set_to_none=True)
    loss.backward()
    update.step()

  return run


def inference(model, images, dtype: str):
  """A function that computes boxes and scores of all anchors, before suppression."""
  model.eval()

  def run():
    with torch.inference_mode(), pytorch.precision(images.device, dtype):
      maps = list(model.backbone(images).values())
      found = model.head(maps)
      anchors = model.anchor_generator(image_list(images), maps)
      scores = found['cls_logits'].softmax(-1)
      pairs = zip(found['bbox_regression'], anchors, strict=True)
      return [model.box_coder.decode_single(*pair) for pair in pairs], scores

  return run
