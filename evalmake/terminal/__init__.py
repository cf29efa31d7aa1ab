"""What people see on a terminal: text for plans, progress, results and diagnostics."""
