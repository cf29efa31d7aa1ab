def score_step(record, reply, target)
    return 1
