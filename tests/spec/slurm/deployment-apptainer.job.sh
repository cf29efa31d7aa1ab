#!/bin/bash
# llama (evalmake's job ba9876543210.1); its output goes to `log`
cd /home/me/evals/.evalmake/work/ba9876543210.1 || exit 97
mkdir started 2>/dev/null || exit 0  # another job of Slurm runs it already
echo "${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}${SLURM_ARRAY_TASK_ID:+_$SLURM_ARRAY_TASK_ID}" > started/by
exported=$(compgen -e)
module load cuda/12.4 >> log 2>&1
export TMPDIR=/scratch
# A container has certificates, libraries and folders of its own, not its node's.
hidden=(CURL_CA_BUNDLE LD_LIBRARY_PATH LD_PRELOAD PYTHONHOME PYTHONPATH REQUESTS_CA_BUNDLE SSL_CERT_DIR SSL_CERT_FILE TEMP TMP TMPDIR)
kept='^(APPTAINER|ENROOT|PMI|PYXIS|SINGULARITY|SLURM|SRUN|EVALMAKE_WORKDIR$|HF_HUB_CACHE$|HUB_TOKEN$)'
mapfile -t -O "${#hidden[@]}" hidden < <(compgen -e | grep -vxF "$exported" | grep -vE "$kept")

export EVALMAKE_WORKDIR=/home/me/evals/.evalmake/work/ba9876543210.1
export HF_HUB_CACHE=/hub
. ./.secrets && rm -f .secrets  # only its owner can read it

env "${hidden[@]/#/-u}" apptainer exec --no-home --home /home/me/evals/.evalmake/work/ba9876543210.1 \
    --nv --bind \
    /home/me/evals/.evalmake/work/ba9876543210.1:/home/me/evals/.evalmake/work/ba9876543210.1:rw \
    --bind /lustre/models/llama:/models/llama:ro --bind /home/me/hub:/hub:rw --bind \
    /lustre/data:/data:ro --pwd /home/me/evals/.evalmake/work/ba9876543210.1 \
    docker://vllm/vllm-openai:v0.11.0 vllm serve /models/llama --port 8000 >> log 2>&1 < /dev/null
status=$?
echo $status > .status && mv .status status
exit $status
