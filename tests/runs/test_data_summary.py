"""What is told of data with boxes or masks before a run."""

from PIL import Image

from input_pipeline import open_source
from mobilenet.runs import data_summary


def _photos(root, folder, numbers):
  (root / folder).mkdir(parents=True)
  for number in numbers:
    picture = Image.new('RGB', (16, 12), (number, 40, 90))
    picture.save(root / folder / f'{number}.png')


def _both(kind, root):
  return [open_source(kind, part, data_dir=str(root)) for part in ('train', 'val')]


def test_boxes_are_counted_and_copies_of_pictures_told(tmp_path, capsys):
  _photos(tmp_path, 'images/train', range(3))
  _photos(tmp_path, 'images/val', [2, 7])
  (tmp_path / 'classes.txt').write_text('cat\ndog\n')
  for part, numbers in (('train', range(3)), ('val', [2, 7])):
    (tmp_path / 'labels' / part).mkdir(parents=True)
    for number in numbers:
      lines = '0 0.5 0.5 0.2 0.2\n' * (3 if part == 'train' else 1)
      lines += '1 0.5 0.5 0.4 0.4\n' * (number == 1)
      (tmp_path / 'labels' / part / f'{number}.txt').write_text(lines)
  told = data_summary.tell(*_both('boxes', tmp_path))
  assert told.counts == {
    'training': {'cat': 9, 'dog': 1},
    'evaluation': {'cat': 2, 'dog': 0},
  }
  assert told.copies == 1
  printed = capsys.readouterr().out
  assert 'cat has 9 boxes for training' in printed
  assert '1 class has no boxes for evaluation (dog)' in printed
  assert '1 of these 2 examples were trained on' in printed


def test_of_masks_only_the_copies_are_known(tmp_path, capsys):
  for part, numbers in (('train', range(3)), ('val', [5, 7])):
    _photos(tmp_path, f'{part}/images', numbers)
    (tmp_path / part / 'masks').mkdir()
    for number in numbers:
      mask = Image.new('L', (16, 12), number % 2)
      mask.save(tmp_path / part / 'masks' / f'{number}.png')
  assert data_summary.tell(*_both('masks', tmp_path)) == (None, 0)
  assert 'class' not in capsys.readouterr().out
