#!/bin/bash
# llama (evalmake's job ba9876543210.1); its output goes to `log`
cd /home/me/evals/.evalmake/work/ba9876543210.1 || exit 97
mkdir started 2>/dev/null || exit 0  # another job of Slurm runs it already
echo "${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}${SLURM_ARRAY_TASK_ID:+_$SLURM_ARRAY_TASK_ID}" > started/by
module load cuda/12.4 >> log 2>&1
export TMPDIR=/scratch

export EVALMAKE_WORKDIR=/home/me/evals/.evalmake/work/ba9876543210.1
export HF_HUB_CACHE=/hub

trap 'podman rm --force "$(cat .container 2> /dev/null)" > /dev/null 2>&1' EXIT
trap 'podman stop --time 5 "$(cat .container 2> /dev/null)" > /dev/null 2>&1; wait; exit 143' TERM
IFS=, read -ra gpus <<< "$SLURM_JOB_GPUS"
podman run --userns=keep-id "${gpus[@]/#/--device=nvidia.com/gpu=}" --rm --init --cidfile .container \
    --label evalmake=ba9876543210.1 --network host --security-opt no-new-privileges -v \
    /home/me/evals/.evalmake/work/ba9876543210.1:/home/me/evals/.evalmake/work/ba9876543210.1:rw -v \
    /lustre/models/llama:/models/llama:ro -v /home/me/hub:/hub:rw -v /lustre/data:/data:ro -e \
    EVALMAKE_WORKDIR -e HF_HUB_CACHE -w /home/me/evals/.evalmake/work/ba9876543210.1 --entrypoint \
    /bin/sh vllm/vllm-openai:v0.11.0 -c '. ./.secrets && rm -f .secrets && exec "$@"' sh vllm serve \
    /models/llama --port 8000 >> log 2>&1 < /dev/null &
wait $!
status=$?
echo $status > .status && mv .status status
exit $status
