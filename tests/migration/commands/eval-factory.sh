eval-factory run_eval --eval_type simple_evals.mgsm --model_id m --model_url http://127.0.0.1:9/v1/chat/completions
    --model_type chat --output_dir results --api_key_name KEY
    --overrides config.params.limit_samples=5,config.params.temperature=0.3
