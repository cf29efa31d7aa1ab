lm-eval run --model hf -a pretrained=EleutherAI/pythia-160m revision=step3000 dtype=float32 -t hellaswag -b auto
