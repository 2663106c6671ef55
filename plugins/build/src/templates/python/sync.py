"""Excludes pages that are marked as drafts, keeps caches from data, and adds a redirect for a robots.txt that is missing."""

import json

from tidegate import exported, fail, validated

from componentize_py_types import Ok
from wit_world import exports
from wit_world.exports import sync
from wit_world.imports import content, types

DEFAULTS = {"marker": '<meta name="draft"'}


def check(given):
    if not isinstance(given["marker"], str) or given["marker"] == "":
        yield "marker", "use a text that is not empty"


class State:
    """The state of the run: there is one in an instance."""

    marker = ""
    has_robots = False


class Settings(exports.Settings):
    def validate(self, text):
        return validated(text, DEFAULTS, check)


@exported
class Sync(exports.Sync):
    def begin(self, run):
        State.marker = json.loads(run.settings)["marker"]
        State.has_robots = False

    def decide(self, batch):
        decisions = []
        pages = {}
        keys = [entry.key for entry in batch if entry.key.endswith(".html") and entry.redirect is None]
        for key, head in zip(keys, content.read_texts(keys, 1024)):
            if not isinstance(head, Ok):
                raise fail(f"cannot read `{key}`: {head}", key=key)
            pages[key] = head.value
        for index, entry in enumerate(batch):
            if entry.key == "robots.txt":
                State.has_robots = True
            if State.marker in pages.get(entry.key, ""):
                decisions.append(sync.Decision(index, sync.Action_Exclude(), "/marker", "marked as a draft"))
            elif entry.key.endswith(".json"):
                edit = sync.Edit_SetHeader(types.Attribute("cache-control", "no-store"))
                decisions.append(sync.Decision(index, sync.Action_Publish([edit]), "", "data is never cached"))
        return decisions

    def finish(self):
        extras = []
        if not State.has_robots:
            extras.append(sync.Extra("robots.txt", "/robots/", "", "the artifact has no robots.txt", []))
        return sync.Summary(extras=extras, findings=[], attributes=[])
