"""One file a command: `evalmake gc` is in `gc.py`. `evalmake/command_registry.py` lists them."""
