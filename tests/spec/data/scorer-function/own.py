def score_steps(record, reply, target):
    return 1
