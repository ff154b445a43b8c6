"""The terminal: a separate process that shows what the daemon says and passes on what the operator decides.

`client` speaks the link, `state` remembers, `views` turn the memory into lines of text (none of these three needs
Textual to be tested), `widgets` and `screens` put the lines on the glass, `app` holds it together.
"""
