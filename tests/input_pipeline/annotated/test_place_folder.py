"""Folders of photos with coordinates: a CSV or EXIF, and what can be wrong."""

import numpy as np
import pytest
from PIL import Image

from input_pipeline import DataError, open_source
from input_pipeline.annotated import gps
from input_pipeline.annotated.place_folder import read_places

PARIS, QUITO = (48.8584, 2.2945), (-0.2202, -78.5123)
SMALL = {'most': 2, 'fewest': 1}


def photo(path, place=None):
  path.parent.mkdir(parents=True, exist_ok=True)
  exif = Image.Exif()
  exif[0x010E] = 'a photo'  # Pillow writes no block into a PNG without such a tag
  if place:
    exif.get_ifd(0x8825).update(block(*place))
  Image.new('RGB', (8, 8), (90, 120, 40)).save(path, exif=exif)


def block(latitude, longitude):
  def parts(value):
    minutes = abs(value) * 60
    return (float(minutes // 60), float(minutes % 60 // 1), minutes % 1 * 60)

  signs = 'N' if latitude >= 0 else 'S', 'E' if longitude >= 0 else 'W'
  return {1: signs[0], 2: parts(latitude), 3: signs[1], 4: parts(longitude)}


def write(root, rows, head='photo,latitude,longitude', photos=('a', 'b', 'c')):
  for name in photos:
    photo(root / f'{name}.png')
  (root / 'where.csv').write_text('\n'.join([head, *rows]) + '\n')
  return root


def opened(root, split='all', **how):
  return open_source('places', split, data_dir=str(root), **how)


def read(source):
  return [
    (int(own['label']), *own['position'].numpy().tolist())
    for own in (source.read(np.int64(n)) for n in range(source.num_examples))
  ]


@pytest.mark.parametrize(
  ('head', 'rows'),
  [
    ('photo,latitude,longitude', ['a.png,48.5,2.25', 'b.png,-0.25,-78.5']),
    ('lon,lat,file', ['2.25,48.5,a.png', '-78.5,-0.25,b.png']),
    ('Name;Lat;Lng', ['a.png;48,5;2,25', 'b.png;-0,25;-78,5']),
  ],
)
def test_columns_of_several_names(tmp_path, head, rows):
  source = opened(write(tmp_path, rows, head), partition=SMALL)
  assert [place for _, *place in read(source)] == [[48.5, 2.25], [-0.25, -78.5]]
  assert source.names == ('a.png', 'b.png')
  assert source.notes == ('1 picture in no list left out (c.png)',)


ROW = 'a.png,1,1'


@pytest.mark.parametrize(
  ('row', 'message'),
  [
    ('b.png,,3', r"where\.csv, line 3: latitude '' is no number of degrees"),
    ('b.png,4,nan', r"line 3: longitude 'nan' is no number of degrees"),
    ('b.png,inf,4', r"line 3: latitude 'inf' is no number"),
    ("b.png,48°51',2", r'line 3: latitude .* is no number of degrees such as 48\.8584'),
    ('b.png,90.5,2', r'line 3: latitude 90\.5 is beyond ±90 degrees$'),
    ('b.png,5,-181', r'line 3: longitude -181 is beyond ±180 degrees$'),
    ('b.png,5,270', r'line 3: longitude 270 is beyond .* 0 to 360, subtract 360 from'),
  ],
)
def test_what_is_no_place_is_one_line(tmp_path, row, message):
  with pytest.raises(DataError, match=message) as found:
    read_places(write(tmp_path, [ROW, row]))
  assert '\n' not in str(found.value)


def test_swapped_columns_are_told(tmp_path):
  rows = ['a.png,139.7,35.6', 'b.png,151.2,-33.9', 'c.png,2.3,48.9']
  with pytest.raises(DataError, match=r'line 2: .* 139\.7 .*, as most are: .*swapped'):
    read_places(write(tmp_path, rows))


def test_a_missing_column(tmp_path):
  with pytest.raises(DataError, match=r"no column 'longitude', only latitude, place"):
    read_places(write(tmp_path, ['a.png,1,2'], 'photo,latitude,place'))


def test_exif_tells_where_there_is_no_csv(tmp_path):
  photo(tmp_path / 'train' / 'a.jpg', PARIS)
  photo(tmp_path / 'train' / 'b.jpg', QUITO)
  photo(tmp_path / 'val' / 'c.png', PARIS)
  photo(tmp_path / 'val' / 'd.jpg')
  found = read_places(tmp_path)
  assert [(p.name, p.part) for p in found.photos] == [
    ('train/a.jpg', 'train'),
    ('train/b.jpg', 'train'),
    ('val/c.png', 'val'),
  ]
  np.testing.assert_allclose([p[2:] for p in found.photos], [PARIS, QUITO, PARIS], 1e-6)
  (tmp_path / 'prices.csv').write_text('photo,price\ntrain/a.jpg,3\n')
  with pytest.raises(DataError, match="no column 'latitude' and 'longitude'"):
    read_places(tmp_path)
  source = opened(tmp_path, 'val', partition=SMALL, annotations='exif')
  assert source.notes == ('1 photo without a place left out (val/d.jpg)',)


def test_photos_without_a_place(tmp_path):
  photo(tmp_path / 'a.jpg')
  (tmp_path / 'b.jpg').write_bytes(b'no photo')
  with pytest.raises(DataError, match=r'none of the 2 photos .* has GPS coordinates'):
    read_places(tmp_path)


@pytest.mark.parametrize(
  'nonsense', [{2: (0.0, 0.0)}, {2: (95.0, 0.0, 0.0)}, {4: (181.0, 0.0, 0.0)}, {1: 5}]
)
def test_gps_that_says_nothing(tmp_path, nonsense):
  exif = Image.Exif()
  own = {**block(*PARIS), **nonsense}
  if nonsense == {2: (0.0, 0.0)}:
    del own[2]
  exif.get_ifd(0x8825).update(own)
  Image.new('RGB', (4, 4)).save(tmp_path / 'a.jpg', exif=exif)
  assert gps.of_file(tmp_path / 'a.jpg') is None


def around(place, count):
  return [(place[0] + n / 1000, place[1]) for n in range(count)]


@pytest.fixture
def parted(tmp_path):
  """Six photos for training, of which one is alone; three for evaluation."""
  train = [*around(PARIS, 3), *around(QUITO, 2), (-35.0, 150.0)]
  val = [PARIS, (-35.0, 150.0), (0.0, 0.0)]
  names = [f'train/{n}' for n in range(6)] + [f'val/{n}' for n in range(3)]
  rows = [
    f'{name}.png,{place[0]},{place[1]}'
    for name, place in zip(names, [*train, *val], strict=True)
  ]
  return write(tmp_path, rows, photos=names)


HOW = {'most': 3, 'fewest': 2}


def test_cells_are_of_the_training_photos(parted):
  train, val, every = (
    opened(parted, s, partition=HOW) for s in ('train', 'val', 'all')
  )
  assert len(train.class_names) == 2
  assert train.class_names == val.class_names == every.class_names
  assert [label for label, *_ in read(train)] == list(train.labels)
  assert sorted(train.labels) == [0, 0, 0, 1, 1] or sorted(train.labels) == [
    0,
    0,
    1,
    1,
    1,
  ]
  assert any('1 of 6 photos for training left out' in note for note in train.notes)
  assert val.labels == (train.labels[0], -1, -1)
  assert any('1 photos lie at latitude 0, longitude 0' in note for note in val.notes)
  assert every.labels.count(-1) == 3


def test_a_run_keeps_its_cells(parted):
  known = opened(parted, 'train', partition=HOW).class_names[::-1]
  source = opened(parted, 'train', partition={'most': 1, 'fewest': 1}, known=known)
  assert source.class_names == known
  assert source.num_examples == 5
  # Other data without a part for training has the cells of the run.
  other = write(parted / 'other', ['test/1.png,48.859,2.2945'], photos=('test/1',))
  for how in ({'known': known}, {'partition': HOW}):
    source = opened(other, 'test', **how)
    assert source.labels == (
      (known.index(known[source.labels[0]]),) if how == {'known': known} else (-1,)
    )


def test_without_parts_a_seed_draws_them(tmp_path):
  names = [f'{n:02d}' for n in range(20)]
  rows = [f'{name}.png,{10 + int(name) / 100},5' for name in names]
  write(tmp_path, rows, photos=names)
  train, val = (opened(tmp_path, split, partition=HOW) for split in ('train', 'val'))
  assert train.by_seed
  assert train.class_names == val.class_names
  assert not {*train.names} & {*val.names}
  assert val.num_examples == 4
