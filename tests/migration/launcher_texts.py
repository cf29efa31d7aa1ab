"""Configurations of nemo-evaluator-launcher that tests fill in."""

OF_ONE_TASK = """\
defaults: [execution: local, deployment: none, _self_]
target:
  api_endpoint: {{model_id: m, url: "http://127.0.0.1:9/v1/chat/completions"}}
evaluation:
  tasks:
    # the one
    - name: {task}
      {more}
"""
"""One task of an endpoint."""

SERVED = """\
defaults: [execution: {execution}, deployment: vllm, _self_]
execution: {{{keys}}}
deployment: {{checkpoint_path: null, hf_model_handle: acme/m, served_model_name: m{more}}}
evaluation: {{tasks: [{{name: simple_evals.mgsm}}]}}
"""
"""One task of a server that the launcher starts."""

ON_SLURM = "hostname: h, account: a, output_dir: /out"
