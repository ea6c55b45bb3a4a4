"""MCP: tools that other programs serve. A light door: the protocol's package loads when a server is started."""
