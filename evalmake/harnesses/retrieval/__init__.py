"""The `retrieval` harness: how well embeddings find the texts that answer, measured by trec_eval."""
