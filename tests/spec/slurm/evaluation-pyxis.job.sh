#!/bin/bash
# asked/good/1 (evalmake's job 0123456789ab.1); its output goes to `log`
cd /home/me/evals/.evalmake/work/0123456789ab.1 || exit 97
mkdir started 2>/dev/null || exit 0  # another job of Slurm runs it already
echo "${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}${SLURM_ARRAY_TASK_ID:+_$SLURM_ARRAY_TASK_ID}" > started/by
exported=$(compgen -e)
module load cuda/12.4 >> log 2>&1
export TMPDIR=/scratch
# A container has certificates, libraries and folders of its own, not its node's.
hidden=(CURL_CA_BUNDLE LD_LIBRARY_PATH LD_PRELOAD PYTHONHOME PYTHONPATH REQUESTS_CA_BUNDLE SSL_CERT_DIR SSL_CERT_FILE TEMP TMP TMPDIR)
kept='^(APPTAINER|ENROOT|PMI|PYXIS|SINGULARITY|SLURM|SRUN|EVALMAKE_MODEL_URL$|EVALMAKE_OUT$|EVALMAKE_WORKDIR$|GREETING$|HUB_TOKEN$)'
mapfile -t -O "${#hidden[@]}" hidden < <(compgen -e | grep -vxF "$exported" | grep -vE "$kept")
export ENROOT_LOGIN_SHELL=no  # a login shell would replace the image's PATH

export EVALMAKE_OUT=/home/me/evals/.evalmake/work/0123456789ab.1/out
export EVALMAKE_WORKDIR=/home/me/evals/.evalmake/work/0123456789ab.1
export GREETING='it'"'"'s me'
command -v /opt/evalmake/bin/python > /dev/null || { echo 'evalmake: this node has no /opt/evalmake/bin/python, which runs the gateways: set python of the executor' >> log; echo 96 > status; exit 96; }
. ./.secrets && rm -f .secrets  # only its owner can read it
. ./.keys && rm -f .keys  # only its owner can read it

/opt/evalmake/bin/python -P -m evalmake.gateway.sidecar \
    /home/me/evals/.evalmake/work/0123456789ab.1/sidecar.json env "${hidden[@]/#/-u}" srun --overlap \
    --nodes=1 --ntasks=1 --unbuffered \
    '--container-image=docker://registry.acme.com:5000#evals/sums:1' \
    --container-mounts=/home/me/evals/.evalmake/work/0123456789ab.1:/home/me/evals/.evalmake/work/0123456789ab.1:rw,/lustre/data:/data:ro \
    --container-workdir=/home/me/evals/.evalmake/work/0123456789ab.1 --no-container-mount-home \
    --container-env=EVALMAKE_MODEL_URL,EVALMAKE_OUT,EVALMAKE_WORKDIR,GREETING,HUB_TOKEN python3 -m \
    evalmake.harnesses.native /home/me/evals/.evalmake/work/0123456789ab.1/native.json \
    >> log 2>&1 < /dev/null
status=$?
echo $status > .status && mv .status status
exit $status
