"""Who may do what: API keys and the answer to the broker's `Access` port.

It knows parties and what they were granted. It must never know HTTP (the web
hands it the token alone) or what an operation does.
"""
