"""The pages that `evalmake help TOPIC` shows, one Markdown file a topic."""
