#!/bin/bash
# asked/good/1 (evalmake's job 0123456789ab.1); its output goes to `log`
cd /home/me/evals/.evalmake/work/0123456789ab.1 || exit 97
mkdir started 2>/dev/null || exit 0  # another job of Slurm runs it already
echo "${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}${SLURM_ARRAY_TASK_ID:+_$SLURM_ARRAY_TASK_ID}" > started/by
module load cuda/12.4 >> log 2>&1
export TMPDIR=/scratch

export EVALMAKE_OUT=/home/me/evals/.evalmake/work/0123456789ab.1/out
export EVALMAKE_WORKDIR=/home/me/evals/.evalmake/work/0123456789ab.1
export GREETING='it'"'"'s me'
command -v /opt/evalmake/bin/python > /dev/null || { echo 'evalmake: this node has no /opt/evalmake/bin/python, which runs the gateways: set python of the executor' >> log; echo 96 > status; exit 96; }
. ./.keys && rm -f .keys  # only its owner can read it

trap 'docker rm --force "$(cat .container 2> /dev/null)" > /dev/null 2>&1' EXIT
trap 'docker stop --time 5 "$(cat .container 2> /dev/null)" > /dev/null 2>&1; wait; exit 143' TERM
/opt/evalmake/bin/python -P -m evalmake.gateway.sidecar \
    /home/me/evals/.evalmake/work/0123456789ab.1/sidecar.json docker run --user "$(id -u):$(id -g)" \
    --rm --init --cidfile .container --label evalmake=0123456789ab.1 --network host --memory 400m \
    --cpus 2 --security-opt no-new-privileges -v \
    /home/me/evals/.evalmake/work/0123456789ab.1:/home/me/evals/.evalmake/work/0123456789ab.1:rw -v \
    /lustre/data:/data:ro -e EVALMAKE_MODEL_URL -e EVALMAKE_OUT -e EVALMAKE_WORKDIR -e GREETING -w \
    /home/me/evals/.evalmake/work/0123456789ab.1 --entrypoint /bin/sh \
    registry.acme.com:5000/evals/sums:1 -c '. ./.secrets && rm -f .secrets && exec "$@"' sh python3 \
    -m evalmake.harnesses.native /home/me/evals/.evalmake/work/0123456789ab.1/native.json \
    >> log 2>&1 < /dev/null &
wait $!
status=$?
echo $status > .status && mv .status status
exit $status
