"""Suites that prove a promise, and doubles that keep one: for our tests, and for whoever writes a backend of their own.

Shipped with the product, so that a stranger's backend, enrichment or destination can be held to the same words as ours.
A suite is plain functions that raise AssertionError; it needs no test framework. Nothing here is imported by a room.
"""
