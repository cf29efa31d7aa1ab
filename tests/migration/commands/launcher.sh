nemo-evaluator-launcher -v run --config nel.yaml -o target.api_endpoint.model_id=n
    -o +evaluation.tasks.mgsm.nemo_evaluator_config.config.params.top_p=0.5 -t mgsm --dry-run --env-file .env
