"""Settings of all tests: compiled programs are kept between runs."""

import gc
import importlib.util
import os
import pathlib

CACHE = pathlib.Path(__file__).parents[1] / '.jax_cache'

# Before JAX is imported, and inherited by the commands that tests start.
os.environ.setdefault('JAX_COMPILATION_CACHE_DIR', str(CACHE))
os.environ.setdefault('JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS', '0.3')
# Not a person's own cache: an accelerator that is built there would be used beside the
# one that tests build, and JAX takes one of a name.
os.environ['XDG_CACHE_HOME'] = str(CACHE / 'home')
# Eight devices of one CPU: what is said of meshes is tested, not believed. A GPU is
# tried on request, with JAX_PLATFORMS=cuda,cpu; no process then takes all its memory.
os.environ.setdefault('JAX_PLATFORMS', 'cpu')
os.environ.setdefault('XLA_PYTHON_CLIENT_PREALLOCATE', 'false')
os.environ.setdefault('XLA_FLAGS', '--xla_force_host_platform_device_count=8')

# Imports leave very many objects that stay: not to be searched for cycles so often.
gc.set_threshold(100_000, 20, 20)


def pytest_configure(config):
  """The quick tests compile quickly; what `-m` asks for, as everybody does.

  XLA's newer way to write loops takes more time than all the rest of the compiler: of a
  program of one line, 17 ms become 10. libtpu does not know it, and ends a process that
  asks for what it does not know.
  """
  if config.option.markexpr == 'not heavy and not parity':
    os.environ['XLA_FLAGS'] += (
      ' --xla_backend_optimization_level=0 --xla_cpu_parallel_codegen_split_count=1'
    )
    if importlib.util.find_spec('libtpu') is None:
      os.environ['XLA_FLAGS'] += ' --xla_cpu_use_fusion_emitters=false'
