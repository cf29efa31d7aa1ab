#!/bin/bash
#SBATCH --job-name=evalmake-0123-4567
#SBATCH --comment=evalmake
#SBATCH --ntasks=1
#SBATCH --gpus=2
#SBATCH --no-requeue
#SBATCH --open-mode=append
#SBATCH --output=slurm-0.out

job=$(cat jobs)
module load python/3.12
export TMPDIR=/scratch
# Evaluations of this server run in its allocation. They arrive in its folder `queue`.
exec /opt/evalmake/bin/python -P -m evalmake.gateway.sidecar.colocation 16 "../$job"
