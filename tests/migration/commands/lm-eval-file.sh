lm_eval --config lm.yaml --limit 20
