"""--job=start with a weight file: the road that the README begins with."""

from tests import tiny


def test_the_commands_name_the_weights_and_the_folder(weight_file, photos):
  done = tiny.run('--job=start', f'--data_dir={photos}', f'--init={weight_file}')
  assert done.returncode == 0, done.stderr
  assert 'mobilenet_v1' in done.stdout
  commands = [line for line in done.stdout.splitlines() if 'main.py' in line]
  assert commands
  assert any(f'--config.init={weight_file}' in line for line in commands)
  assert all(str(photos) in line for line in commands if '.data.dir' in line)
