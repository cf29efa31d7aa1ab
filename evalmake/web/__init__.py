"""The page that shows a report in a browser: its sources, and what joins them and its data into one file."""
