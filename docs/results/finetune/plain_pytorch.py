"""Fine-tunes torchvision's MobileNetV2 on a folder of photos, as most people would.

    python docs/results/finetune/plain_pytorch.py mobilenet_v2-b0353104.pth flowers 5

The folder has `train/<class>/` and `val/<class>/`. Prints, after each epoch, the
seconds since the process began and the top-1 on `val`. It needs torch and torchvision
and nothing of this project: it is what the README's fine-tuning is timed beside.
"""

import sys
import time

START = time.time()

import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.utils.data import DataLoader  # noqa: E402

SIDE, BATCH, RATE = 128, 32, 5e-4


def torchvision():
  """The library, also where its compiled ops do not load: none of them is needed."""
  register = torch.library.register_fake

  def tolerant(*args, **kwargs):
    def wrap(function):
      try:
        return register(*args, **kwargs)(function)
      except RuntimeError:
        return function

    return wrap

  torch.library.register_fake = tolerant
  import torchvision

  torch.library.register_fake = register
  return torchvision


def loaders(folder: str):
  from torchvision import datasets
  from torchvision.transforms import v2

  normalize = [
    v2.ToImage(),
    v2.ToDtype(torch.float32, scale=True),
    v2.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
  ]
  train = v2.Compose(
    [
      v2.RandomResizedCrop(SIDE, scale=(0.25, 1)),
      v2.RandomHorizontalFlip(),
      v2.ColorJitter(0.4, 0.4, 0.4),
      *normalize,
    ]
  )
  val = v2.Compose([v2.Resize(int(SIDE / 0.875)), v2.CenterCrop(SIDE), *normalize])
  shared = {'batch_size': BATCH, 'num_workers': 2, 'persistent_workers': True}
  return (
    DataLoader(
      datasets.ImageFolder(f'{folder}/train', train),
      shuffle=True,
      drop_last=True,
      **shared,
    ),
    DataLoader(datasets.ImageFolder(f'{folder}/val', val), **shared),
  )


def top_1(model, photos) -> float:
  model.eval()
  hits = total = 0
  with torch.inference_mode():
    for images, labels in photos:
      hits += (model(images).argmax(1) == labels).sum().item()
      total += len(labels)
  return hits / total


def main(weights: str, folder: str, epochs: int, seed: int = 0):
  torch.manual_seed(seed)
  library = torchvision()
  train, val = loaders(folder)
  model = library.models.mobilenet_v2()
  model.load_state_dict(torch.load(weights))
  classes = len(train.dataset.classes)
  model.classifier[1] = nn.Linear(model.last_channel, classes)
  loss_of = nn.CrossEntropyLoss(label_smoothing=0.1)
  optimizer = torch.optim.AdamW(model.parameters(), lr=RATE)
  schedule = torch.optim.lr_scheduler.OneCycleLR(
    optimizer, RATE, epochs=epochs, steps_per_epoch=len(train), pct_start=1 / epochs
  )
  for epoch in range(epochs):
    model.train()
    for images, labels in train:
      optimizer.zero_grad()
      loss_of(model(images), labels).backward()
      optimizer.step()
      schedule.step()
    accuracy = top_1(model, val)
    passed = time.time() - START
    print(f'epoch {epoch + 1}: {100 * accuracy:.2f} % after {passed:.1f} s', flush=True)


if __name__ == '__main__':
  main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
