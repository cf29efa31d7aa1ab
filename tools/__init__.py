"""Programs that write what is kept in this repository."""
