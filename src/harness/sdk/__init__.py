"""The surface for programs: the subprocess protocol of the Agent SDKs, over standard input and output.

It reads the same events as every other surface. What is its own: control requests in both directions, which carry
questions, hooks and in-process tools to the program that started us.
"""
