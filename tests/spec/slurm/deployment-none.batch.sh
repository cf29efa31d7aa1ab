#!/bin/bash
#SBATCH --job-name=evalmake-0123-4567
#SBATCH --comment=evalmake
#SBATCH --account=evals
#SBATCH --partition="gpu long"
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --gpus=2
#SBATCH --time=0-01:30:00
#SBATCH --exclusive
#SBATCH --no-requeue
#SBATCH --open-mode=append
#SBATCH --array=0-1%4
#SBATCH --output=slurm-%a.out

# Each job of the array is a line of `jobs`, and has a folder with everything that it runs.
job=$(sed -n "$((SLURM_ARRAY_TASK_ID + 1))p" jobs)
exec /bin/bash "../$job/job.sh"
