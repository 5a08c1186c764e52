"""Published files: fetched once and checked every time."""

import hashlib
import io
import re
import urllib.error

import pytest

from mobilenet.weights import loading, official
from mobilenet.weights.weight_file import WeightsError

CONTENT = b'weights that somebody published'
DIGITS = hashlib.sha256(CONTENT).hexdigest()[:8]
URL = f'https://example.org/models/net-{DIGITS}.pth'


class Answer(io.BytesIO):
  """What urlopen returns: it is read in pieces, and closed."""


@pytest.fixture
def asked(monkeypatch, tmp_path):
  """The one URL is published; URLs that were asked for, and an answer to change."""
  monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
  monkeypatch.setattr(official, 'OFFICIAL', (official.Official(URL, 'timm'),))
  urls = []

  def urlopen(url, timeout):
    assert timeout == official.TIMEOUT
    urls.append(url)
    if isinstance(urlopen.answer, Exception):
      raise urlopen.answer
    return Answer(urlopen.answer)

  urlopen.answer, urlopen.urls = CONTENT, urls
  monkeypatch.setattr(official.urllib.request, 'urlopen', urlopen)
  return urlopen


def complaint(url=URL):
  with pytest.raises(WeightsError) as error:
    official.fetch(url)
  assert '\n' not in str(error.value)
  return str(error.value)


def test_a_file_is_fetched_once(asked, tmp_path):
  path = official.fetch(URL)
  assert path.read_bytes() == CONTENT
  assert path.is_relative_to(tmp_path / 'cache')
  assert path.name == f'net-{DIGITS}.pth'
  assert official.fetch(URL) == path
  assert asked.urls == [URL]
  assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_file_that_was_put_there_by_hand_is_taken(asked):
  path = official.cache_folder() / f'net-{DIGITS}.pth'
  path.parent.mkdir(parents=True)
  path.write_bytes(CONTENT)
  assert official.fetch(URL) == path
  assert asked.urls == []


def test_another_content_is_refused_every_time(asked):
  asked.answer = b'something else'
  for _ in range(2):
    message = complaint()
    assert URL in message
    assert f'published is {DIGITS}' in message
    assert hashlib.sha256(b'something else').hexdigest()[:16] in message
    assert 'delete it' in message
  asked.answer = CONTENT
  (official.cache_folder() / f'net-{DIGITS}.pth').unlink()
  assert official.fetch(URL).read_bytes() == CONTENT


@pytest.mark.parametrize(
  ('error', 'reason'),
  [
    (urllib.error.URLError('Name or service not known'), 'Name or service not known'),
    (urllib.error.HTTPError(URL, 403, 'Forbidden', None, None), 'Forbidden'),
    (TimeoutError('timed out'), 'timed out'),
    (ConnectionResetError(104, 'Connection reset by peer'), 'Connection reset by peer'),
  ],
  ids=lambda value: type(value).__name__ if isinstance(value, Exception) else '',
)
def test_no_network_names_the_file_to_fetch_by_hand(asked, error, reason):
  asked.answer = error
  message = complaint()
  path = official.cache_folder() / f'net-{DIGITS}.pth'
  assert message == (
    f'{URL} cannot be fetched ({reason}); fetch it by hand, and give its path or put '
    f'it at {path}'
  )
  assert not list(path.parent.iterdir()), 'half a file is no file'


def test_a_connection_that_breaks_leaves_nothing(asked, monkeypatch):
  def read(self, size=-1):
    raise ConnectionResetError(104, 'Connection reset by peer')

  monkeypatch.setattr(Answer, 'read', read)
  assert 'Connection reset by peer' in complaint()
  assert not list(official.cache_folder().iterdir())


def test_a_url_that_nobody_published(asked):
  message = complaint('https://example.org/other.pth')
  assert message.startswith('https://example.org/other.pth is not in the table')
  assert 'fetch it by hand and give its path' in message
  assert asked.urls == []
  with pytest.raises(WeightsError, match='is not in the table of official files'):
    loading.load('https://example.org/other.pth')


def test_a_url_is_loaded_like_a_path(asked):
  with pytest.raises(WeightsError, match=rf'net-{DIGITS}\.pth is no weight') as error:
    loading.load(URL)
  assert '\n' not in str(error.value)
  assert asked.urls == [URL]


def test_the_table():
  """Each name ends in the first digits of its SHA-256, by which files are known."""
  for file in official.OFFICIAL:
    assert re.fullmatch(r'[0-9a-f]{8,10}', file.sha256), file.name
    assert file.url.startswith('https://')
    assert file.framework in ('torchvision', 'timm', 'timm (tf_)')
    assert file.top1 is None or 50 < file.top1 < 82
    assert (file.framework == 'timm (tf_)') == file.name.startswith('tf_')
  assert len({file.sha256 for file in official.OFFICIAL}) == len(official.OFFICIAL)
  assert official.OFFICIAL[0].name == 'mobilenet_v2-b0353104.pth'
  assert official.OFFICIAL[0].sha256 == 'b0353104'
