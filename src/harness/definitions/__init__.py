"""Agents, commands and skills that people wrote as Markdown files. A light door: yaml loads where there is one."""

from harness.definitions.load import Definitions, load, skill_places
from harness.definitions.values import Agent, Command, Skill

__all__ = ["Agent", "Command", "Definitions", "Skill", "load", "skill_places"]
