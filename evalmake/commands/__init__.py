"""What each command does: the bodies behind `cli.py`, imported when one is called."""
