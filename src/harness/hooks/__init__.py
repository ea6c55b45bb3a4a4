"""Hooks: what programs beside the model may say about a call or a turn, at one place in the life of each.

A handler is a value (`handler.Handler`); commands from settings and callbacks of an SDK are two makers of it.
`asking.Hooks` asks all that match at once and adds their answers up to one `Verdict`.
"""
