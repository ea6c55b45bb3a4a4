"""A scripted model behind a real HTTP server: for the demo, for our tests and for users' own CI.

`script` holds the format, `server` serves it (`serve`, `running`), `serve` is `harness serve-script`.
"""
