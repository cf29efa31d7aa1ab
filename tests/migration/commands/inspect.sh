inspect eval-set inspect_evals/humaneval tasks/capitals.py@capitals --model openai/gpt-4o,openai/gpt-4o-mini
    --limit 10 --temperature 0.5 -T difficulty=hard --epochs 3 --log-dir logs -M api_key=sk-0123456789
    --max-connections 5 --sandbox local --model-role grader=openai/o3 --retry-attempts 3
