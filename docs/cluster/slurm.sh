#!/bin/bash
# sbatch docs/cluster/slurm.sh --config=configs/v3_large.py --workdir=/shared/runs/v3
#
# Two nodes of four GPUs, one process a node; JAX finds the others by SLURM's variables.
# Submit it in the checkout, which lies with the workdir on a disk that all nodes see.
#SBATCH --job-name=mobilenet
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=4
#SBATCH --cpus-per-task=32
#SBATCH --time=08:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
# Two minutes before the time is over the run saves, and ends with exit code 75.
#SBATCH --signal=TERM@120
set -u
. venv/bin/activate
srun --kill-on-bad-exit=0 python main.py --multihost "$@"
code=$?
# 75: saved; the same command goes on from there. So does it after a lost node.
if [ "$code" -ne 0 ] && [ "${SLURM_RESTART_COUNT:-0}" -lt 100 ]; then
  case "$code" in
    75 | 134 | 137 | 143) scontrol requeue "$SLURM_JOB_ID" ;;
  esac
fi
exit "$code"
