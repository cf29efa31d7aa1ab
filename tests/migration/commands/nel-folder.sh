nel run --config-dir . --config-name=nel --override ++target.api_endpoint.api_key_name=OTHER -t simple_evals.mmlu.1
