lm_eval --model local-chat-completions
    --model_args model=qwen,base_url=http://h:8000/v1/chat/completions,num_concurrent=8,max_retries=3,api_key=sk-0123456789
    --tasks gsm8k,ifeval --num_fewshot 5 --gen_kwargs temperature=0.6,max_gen_toks=1024,do_sample=True
    --limit 10 --apply_chat_template --output_path out --log_samples --seed 42
