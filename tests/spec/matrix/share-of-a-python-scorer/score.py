def score(record, reply, target):
    return 80
