test -e /tmp/mkfix/ready || exit 3
echo '{"id": "a", "scores": {"accuracy": 1}}' > $EVALMAKE_OUT/samples.jsonl
echo '{"accuracy": 1}' > $EVALMAKE_OUT/scores.json
