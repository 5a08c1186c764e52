"""Every planted fault is found by name, and nothing is found in a sound folder."""

import csv
import io
import json
import subprocess
import sys

import pytest
from PIL import Image

from tests import tiny

# Check -> (severity, the photos that it must name).
FOUND = {
  'unreadable': (
    'serious',
    {'train/ash/truncated.jpg', 'train/ash/text.jpg', 'train/ash/gone.jpg'},
  ),
  'across_parts': (
    'serious',
    {
      *('train/ash/0.jpg', 'val/ash/same.jpg'),
      *('train/ash/1.jpg', 'val/ash/again.jpg'),
      *('train/ash/2.jpg', 'val/ash/smaller.jpg'),
    },
  ),
  'in_two_classes': ('serious', {'train/ash/3.jpg', 'train/birch/from_ash.jpg'}),
  'single': ('serious', {'train/lonely/single.jpg'}),
  'unevaluated': ('serious', {'train/lonely/single.jpg'}),
  'repeated': ('look', {'train/birch/0.jpg', 'train/birch/twice.jpg'}),
  'tiny': ('look', {'train/ash/one_pixel.png'}),
  'blank': ('look', {'train/ash/one_pixel.png', 'train/birch/blank.jpg'}),
  'long': ('look', {'train/birch/strip.jpg'}),
  'unusual_size': ('look', {'train/ash/one_pixel.png'}),
  'deep': ('look', {'train/birch/deep.png'}),
  'animated': ('look', {'train/birch/moving.gif'}),
  'cmyk': ('look', {'train/birch/cmyk.jpg'}),
  'grey_and_colour': ('look', {'train/birch/deep.png'}),
  'turned': ('note', {'train/ash/turned.jpg'}),
  'palette': ('note', {'train/birch/palette.png'}),
  'transparent': ('note', {'train/birch/see_through.png'}),
  'misnamed': ('note', {'train/birch/really_png.jpg'}),
}


@pytest.fixture(scope='module')
def checked(planted, tmp_path_factory):
  """(what check.json says, its folder, what was printed, the exit code)."""
  folder, other = planted
  out = tmp_path_factory.mktemp('out')
  done = tiny.run(
    '--job=check_data', f'--data_dir={folder}', f'--other_dir={other}', f'--out={out}'
  )
  said = json.loads((out / 'check.json').read_text(encoding='utf-8'))
  return said, out, done


def of_check(said, name):
  return [finding for finding in said['findings'] if finding['check'] == name]


@pytest.mark.parametrize('check', FOUND)
def test_every_fault_is_found_by_name(checked, check):
  (finding,) = of_check(checked[0], check)
  assert (finding['severity'], set(finding['photos'])) == FOUND[check]


def test_copies_in_the_other_folder(checked, planted):
  (finding,) = of_check(checked[0], 'across_folders')
  taken = str(planted[1] / 'cedar/taken_over.jpg')
  assert finding['groups'] == [['train/cedar/5.jpg', taken]]
  (finding,) = of_check(checked[0], 'unreadable_others')
  assert finding['photos'] == [str(planted[1] / 'cedar/broken.jpg')]


def test_a_camera_of_each_class_is_a_shortcut(checked):
  (finding,) = of_check(checked[0], 'shortcut')
  assert finding['line'].startswith('camera alone names the class of ')
  assert finding['remarks']['cedar'] == 'Cam Three: 100%'
  measured = checked[0]['facts_that_name_the_class']['camera']
  assert measured['low'] > 0.8
  assert measured['chance'] == pytest.approx(1 / 3)


def test_what_is_wrong_with_the_folder_itself(checked, planted):
  lines = [finding['line'] for finding in of_check(checked[0], 'refused')]
  assert lines == [
    f'training refuses: no photos in class folder {planted[0]}/val/lonely; add some, '
    'or remove the folder'
  ]
  (finding,) = of_check(checked[0], 'passed_over')
  assert finding['line'] == 'passed over: 1 .txt'
  (finding,) = of_check(checked[0], 'unbalanced')
  assert 'lonely, 1)' in finding['line']


def test_why_a_file_cannot_be_read(checked, planted):
  (finding,) = of_check(checked[0], 'unreadable')
  remarks = finding['remarks']
  assert 'truncated' in remarks['train/ash/truncated.jpg']
  assert remarks['train/ash/text.jpg'].startswith('it is not a JPEG, PNG, ')
  assert remarks['train/ash/gone.jpg'] == (
    f'a broken link: there is no {planted[0]}/nowhere.jpg'
  )


def test_the_table_the_rows_and_the_page(checked):
  said, out, done = checked
  assert done.returncode == 3
  assert done.stderr == ''
  assert done.stdout.index('serious') < done.stdout.index('look   ')
  assert '3 photos cannot be read' in done.stdout
  assert 'note: Labels were not judged: --init=FILE gives a network' in done.stdout
  rows = list(csv.DictReader(io.StringIO((out / 'check.csv').read_text('utf-8'))))
  assert len(rows) == said['photos'] == 74
  by_name = {row['name']: row for row in rows}
  assert by_name['train/ash/turned.jpg']['orientation'] == '6'
  assert by_name['train/birch/deep.png']['bits'] == '16'
  assert by_name['train/ash/text.jpg']['width'] == ''
  assert 'train/ash/café 日本.jpg' in by_name
  assert 'train/ash/caf\\udce9.jpg' in by_name
  text = (out / 'check.html').read_text(encoding='utf-8')
  for shown in ('café 日本.jpg', 'truncated.jpg', 'Cam Three: 100%'):
    assert shown in text


def test_a_sound_folder(sound, tmp_path):
  done = tiny.run('--job=check_data', f'--data_dir={sound}', f'--out={tmp_path}')
  assert done.returncode == 0, done.stdout
  said = json.loads((tmp_path / 'check.json').read_text(encoding='utf-8'))
  assert said['findings'] == []
  assert done.stdout.startswith(
    '54 photos: 0 serious findings, 0 to look at, 0 notes\n'
  )
  assert 'Nothing serious was found.' in (tmp_path / 'check.html').read_text()


@pytest.mark.heavy
def test_photos_of_a_hundred_megapixels_are_decoded_one_by_one(tmp_path):
  """One takes 1.5 GiB with all else; what four or eight leave behind adds 1 GiB."""
  root = tmp_path / 'photos'
  for n, name in enumerate(('ash', 'ash', 'birch', 'birch')):
    folder = root / name
    folder.mkdir(parents=True, exist_ok=True)
    Image.new('RGB', (10_000, 10_000), (n, 99, 9)).save(folder / f'huge{n}.jpg')
  program = (
    'import resource, sys; import main; '
    f'code = main.main(["main.py", "--job=check_data", "--data_dir={root}", '
    f'"--out={tmp_path}/out"]); '
    'print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)'
  )
  done = subprocess.run(
    [sys.executable, '-c', program],
    cwd=tiny.ROOT,
    capture_output=True,
    text=True,
    timeout=300,
    check=True,
  )
  said = json.loads((tmp_path / 'out' / 'check.json').read_text())
  (finding,) = of_check(said, 'huge')
  assert finding['photos'] == [
    f'{name}/huge{n}.jpg' for n, name in enumerate(('ash', 'ash', 'birch', 'birch'))
  ]
  mebibytes = int(done.stdout.split()[-1])
  print(f'{mebibytes} MiB at most')
  assert mebibytes < 3000
