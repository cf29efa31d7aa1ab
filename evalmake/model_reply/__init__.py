"""How the replies of models are read: one way for the gateway and the native harness.

content.py         the text of a message, and the reasoning next to it
reasoning_tags.py  the reasoning inside a text
"""
